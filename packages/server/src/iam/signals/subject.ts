import { isSub } from '../admin/fields.ts';
import { SignalFault, type SignalSubject } from './signal.ts';

type Json = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refuse(reason: string, message: string): never {
  throw new SignalFault('invalid_request', reason, message);
}

/** Exactly these members (RFC 9493 section 3): one that is not known could narrow down who is meant. */
function mustHaveOnly(value: Json, members: readonly string[]): void {
  if (Object.keys(value).some((name) => !members.includes(name)))
    refuse('subject_member', 'sub_id has a member that is not supported here.');
}

function name(value: unknown): string {
  if (!isSub(value)) refuse('subject_malformed', 'sub_id is malformed.');
  return value;
}

/** The identifier in `iss_sub` or `opaque` (RFC 9493 sections 3.2.3 and 3.2.5). */
function identifierOf(value: Json, issuer: string): string {
  switch (value.format) {
    case 'iss_sub':
      mustHaveOnly(value, ['format', 'iss', 'sub']);
      // A provider speaks for its own users, and for nobody else's.
      if (value.iss !== issuer) refuse('subject_issuer', 'sub_id names a user of another issuer.');
      return name(value.sub);
    case 'opaque':
      mustHaveOnly(value, ['format', 'id']);
      return name(value.id);
    default:
      return refuse('subject_format', 'The format of sub_id is not supported here.');
  }
}

/**
 * Whom a `sub_id` means (RFC 9493; Shared Signals Framework 1.0, complex subjects): a user by `iss_sub` or `opaque`,
 * a session by `opaque`, or both in a `complex` one, which means that session of that user.
 *
 * @param opaque what a simple `opaque` identifies: the session for events about one, else the user
 * @throws SignalFault for every other format and part: who is not understood is not guessed
 */
export function readSubject(subId: unknown, issuer: string, opaque: 'sub' | 'sid'): SignalSubject {
  if (!isObject(subId)) return refuse('subject_missing', 'sub_id is missing.');
  if (subId.format !== 'complex') {
    const identifier = identifierOf(subId, issuer);
    return subId.format === 'opaque' && opaque === 'sid' ? { sid: identifier } : { sub: identifier };
  }
  mustHaveOnly(subId, ['format', 'user', 'session']);
  const { user, session } = subId;
  if (user === undefined && session === undefined) refuse('subject_empty', 'sub_id names neither user nor session.');
  return {
    ...(user === undefined ? {} : { sub: partOf(user, issuer) }),
    ...(session === undefined ? {} : { sid: sessionOf(session, issuer) }),
  };
}

function partOf(value: unknown, issuer: string): string {
  if (!isObject(value)) return refuse('subject_malformed', 'sub_id is malformed.');
  return identifierOf(value, issuer);
}

function sessionOf(value: unknown, issuer: string): string {
  if (isObject(value) && value.format !== 'opaque')
    refuse('subject_format', 'A session in sub_id must have the format opaque.');
  return partOf(value, issuer);
}
