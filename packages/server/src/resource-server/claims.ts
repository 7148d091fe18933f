import { type AccessTokenClaims, isWorkspaceSlug } from '@centrali-io/protocol';
import { Refusal } from './refusal.ts';

/** What an issuer's tokens must say. */
export interface ClaimRules {
  readonly issuer: string;
  /** One of them must be in `aud`, exactly. */
  readonly audiences: readonly string[];
  /** Claims beyond `iss`, `aud`, `sub`, `iat` and `exp` that must be there: all of RFC 9068 section 2.2 for our own. */
  readonly required: readonly ('jti' | 'client_id')[];
  /** Whether the claim `workspaces` says where the token is for; a provider's may mean something else. */
  readonly namesWorkspaces: boolean;
  /**
   * Whether tokens that are bound to a key by its thumbprint (RFC 9449 section 6.1) pass: the caller then asks for
   * the proof. Bindings of other kinds never do.
   */
  readonly acceptsBound?: boolean;
  /** Longest `exp - iat` that these claims may have, in seconds. */
  maxLifetimeSeconds(claims: AccessTokenClaims): number;
}

/** How far another clock may be ahead, for `nbf` and `iat`. `exp` has none. */
const LEEWAY_SECONDS = 60;
/** Most workspaces in one token. */
const MAX_WORKSPACES = 256;
const MAX_SUB_BYTES = 255;
const CONTROL = /\p{Cc}/u;

function refuse(reason: string): never {
  throw new Refusal('INVALID_TOKEN', reason);
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && Buffer.byteLength(value) <= MAX_SUB_BYTES && !CONTROL.test(value);
}

/** NumericDate of RFC 7519 section 2, whole seconds only: fractions and exponents beyond are nobody's honest times. */
function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/**
 * Judges the claims of a token whose signature was verified (RFC 9068 section 4), in this order: issuer,
 * audience, shapes, times. `TOKEN_EXPIRED` is said last, only of a token that is good otherwise: a new
 * one of its kind will be let in.
 *
 * @param nowMs wall clock, milliseconds since 1970
 */
export function checkClaims(
  payload: Readonly<Record<string, unknown>>,
  rules: ClaimRules,
  nowMs: number,
): AccessTokenClaims {
  const { iss, aud, sub, exp, iat, nbf } = payload;
  if (iss !== rules.issuer) refuse('iss_mismatch');
  checkAudience(aud, rules.audiences);
  if (!isName(sub)) refuse('sub_malformed');
  for (const name of ['jti', 'client_id', 'sid']) {
    const value = payload[name];
    if (value !== undefined && !isName(value)) refuse(`${name}_malformed`);
  }
  for (const name of rules.required) if (payload[name] === undefined) refuse(`${name}_missing`);
  if (payload.scope !== undefined && typeof payload.scope !== 'string') refuse('scope_malformed');
  // A logout token or a security event (RFC 8417 section 2.2): it tells of a user, and lets nobody in, whatever its typ.
  if (payload.events !== undefined) refuse('event_token');
  // A token bound to a key (RFC 9449, RFC 8705) must not pass without the proof of that key.
  if (payload.cnf !== undefined && !(rules.acceptsBound && isThumbprint(payload.cnf))) refuse('bound_token');
  const workspaces = rules.namesWorkspaces ? workspacesOf(payload.workspaces) : undefined;

  if (!isTime(exp)) refuse('exp_malformed');
  if (!isTime(iat)) refuse('iat_malformed');
  if (nbf !== undefined && !isTime(nbf)) refuse('nbf_malformed');
  if (exp <= iat) refuse('exp_before_iat');
  const ahead = (seconds: number): boolean => seconds * 1000 > nowMs + LEEWAY_SECONDS * 1000;
  if (ahead(iat)) refuse('iat_in_future');
  if (nbf !== undefined && ahead(nbf)) refuse('nbf_in_future');

  const claims = { ...payload, ...(workspaces === undefined ? {} : { workspaces }) } as AccessTokenClaims;
  if (exp - iat > rules.maxLifetimeSeconds(claims)) refuse('lifetime_too_long');
  if (nowMs >= exp * 1000) throw new Refusal('TOKEN_EXPIRED', 'token_expired');
  return claims;
}

/** `{jkt}` and nothing else: of a second binding nobody would ask the proof. */
function isThumbprint(cnf: unknown): boolean {
  return (
    typeof cnf === 'object' &&
    cnf !== null &&
    Object.keys(cnf).join() === 'jkt' &&
    'jkt' in cnf &&
    typeof cnf.jkt === 'string' &&
    /^[A-Za-z0-9_-]{43}$/.test(cnf.jkt)
  );
}

/** RFC 7519 section 4.1.3: a string, or an array of strings; compared as a whole. */
function checkAudience(aud: unknown, audiences: readonly string[]): void {
  const named: unknown[] = Array.isArray(aud) ? aud : [aud];
  if (named.length === 0 || !named.every((item) => typeof item === 'string')) refuse('aud_malformed');
  if (!audiences.some((audience) => named.includes(audience))) refuse('aud_mismatch');
}

/** The claim `workspaces`: an array of slugs. One that is none spoils the whole token: no partial acceptance. */
function workspacesOf(value: unknown): readonly string[] | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || !value.every(isWorkspaceSlug)) return refuse('workspaces_malformed');
  if (value.length > MAX_WORKSPACES) refuse('workspaces_too_many');
  return value;
}
