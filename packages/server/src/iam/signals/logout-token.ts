/** Logout tokens (OpenID Connect Back-Channel Logout 1.0). */
import type { ProviderRecord } from '@centrali-io/protocol';
import { isSub } from '../admin/fields.ts';
import { type Signal, SignalFault } from './signal.ts';
import type { SignedSignal } from './signed-by-provider.ts';

const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout';

/** Lifetime of a logout token that names none, in seconds: what section 2.4 recommends at most. */
const DEFAULT_LIFETIME_SECONDS = 120;

/**
 * The `typ` of a provider's logout tokens: `logout+jwt`, or plain `JWT` where its access tokens may be that too, since
 * many providers write it on everything. What else a logout token must be keeps other tokens out then.
 */
export function logoutTyp({ typ }: ProviderRecord): readonly string[] {
  return ['logout+jwt', ...typ.filter((name) => name === 'jwt')];
}

/**
 * Reads a verified logout token (section 2.6): the logout event, no `nonce`, a user, a session, or both, which
 * means that session of that user.
 *
 * @throws SignalFault
 */
export function readLogoutToken({ claims, jti, iat }: SignedSignal, maxLifetimeSeconds: number, now: number): Signal {
  const {
    events,
    nonce,
    sub,
    sid,
    exp = iat + DEFAULT_LIFETIME_SECONDS,
  } = claims as {
    readonly events?: unknown;
    readonly nonce?: unknown;
    readonly sub?: unknown;
    readonly sid?: unknown;
    readonly exp?: number;
  };
  const event = isObject(events) ? events[LOGOUT_EVENT] : undefined;
  if (!isObject(event)) throw fault('events_malformed', 'It does not name the logout event.');
  // An ID token has one: the two can never be taken for one another.
  if (nonce !== undefined) throw fault('nonce_present', 'A logout token has no nonce.');
  if (sub === undefined && sid === undefined) throw fault('subject_missing', 'It names neither sub nor sid.');
  if ((sub !== undefined && !isSub(sub)) || (sid !== undefined && !isSub(sid)))
    throw fault('subject_malformed', 'sub or sid is malformed.');
  if (now >= exp * 1_000) throw fault('expired', 'It has expired.');
  if (exp - iat > maxLifetimeSeconds) throw fault('lifetime_too_long', 'It lives too long.');
  const subject = { ...(sub === undefined ? {} : { sub }), ...(sid === undefined ? {} : { sid }) };
  const second = Math.floor(Math.min(iat, now / 1_000));
  return { jti, jtiUntil: Math.ceil(exp) * 1_000, endings: [{ event: 'backchannel-logout', subject, second }] };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function fault(reason: string, message: string): SignalFault {
  return new SignalFault('invalid_request', reason, message);
}
