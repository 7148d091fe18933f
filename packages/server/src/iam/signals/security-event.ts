/** Security Event Tokens (RFC 8417) of the Continuous Access Evaluation Profile (OpenID CAEP 1.0). */

import { type Ending, LEEWAY_SECONDS, type Signal, SignalFault } from './signal.ts';
import type { SignedSignal } from './signed-by-provider.ts';
import { isTime } from './signed-by-provider.ts';
import { readSubject } from './subject.ts';

/** The `typ` of a SET (RFC 8417 section 2.3). */
export const SET_TYP: readonly string[] = ['secevent+jwt'];

const CAEP = 'https://schemas.openid.net/secevent/caep/event-type/';
const SESSION_REVOKED = `${CAEP}session-revoked`;
const CREDENTIAL_CHANGE = `${CAEP}credential-change`;

/** CAEP 1.0, credential-change. */
const CHANGE_TYPES: readonly unknown[] = ['create', 'revoke', 'update', 'delete'];

type Json = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What the moments of a signal are held against. */
export interface SignalTimes {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Longest `exp - iat` of the provider's tokens, in seconds. */
  readonly maxLifetimeSeconds: number;
}

/**
 * Reads a verified SET. Events that end nothing here (verification, stream updates, other profiles) are left
 * out, as a receiver acknowledges what it has no use for; one that is malformed, or whose subject is not
 * understood, is refused, so that its transmitter learns of it.
 *
 * @throws SignalFault
 */
export function readSecurityEvent(
  { claims, jti, iat }: SignedSignal,
  issuer: string,
  { now, maxLifetimeSeconds }: SignalTimes,
): Signal {
  const { events, sub_id: subId, toe } = claims;
  if (!isObject(events) || Object.keys(events).length === 0 || !Object.values(events).every(isObject))
    throw new SignalFault('invalid_request', 'events_malformed', 'events is missing or malformed.');
  if (toe !== undefined && !isTime(toe)) throw malformed();
  const happened = toe ?? iat;
  const endings: Ending[] = [];
  const { [SESSION_REVOKED]: revoked, [CREDENTIAL_CHANGE]: changed } = events;
  if (isObject(revoked)) {
    const second = secondOf(revoked, happened, now);
    endings.push({ event: 'session-revoked', subject: readSubject(subId, issuer, 'sid'), second });
  }
  if (isObject(changed)) {
    const { credential_type: type, change_type: change } = changed;
    if (typeof type !== 'string' || type === '' || !CHANGE_TYPES.includes(change)) throw malformed();
    const second = secondOf(changed, happened, now);
    endings.push({ event: 'credential-change', subject: readSubject(subId, issuer, 'sub'), second });
  }
  // Past this moment no token is left that it could end.
  const last = Math.max(iat, ...endings.map(({ second }) => second));
  return { jti, jtiUntil: (Math.ceil(last) + maxLifetimeSeconds + LEEWAY_SECONDS) * 1_000, endings };
}

/** When it happened: as the event says, else as the SET does (`toe`, `iat`); never later than now. */
function secondOf({ event_timestamp: timestamp }: Json, happened: number, now: number): number {
  if (timestamp !== undefined && !isTime(timestamp)) throw malformed();
  const second = timestamp ?? happened;
  const present = now / 1_000;
  // Also one in milliseconds: it would end tokens for the next thousand years.
  if (second > present + LEEWAY_SECONDS)
    throw new SignalFault('invalid_request', 'event_in_future', 'The event lies in the future; times are in seconds.');
  return Math.floor(Math.min(second, present));
}

function malformed(): SignalFault {
  return new SignalFault('invalid_request', 'event_malformed', 'The event does not conform to its definition.');
}
