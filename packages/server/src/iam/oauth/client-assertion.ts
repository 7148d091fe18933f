import { compactVerify, decodeProtectedHeader, importJWK, type JWK } from 'jose';
import { parseStrictJson } from '../../resource-server/index.ts';
import { MAX_CLIENT_KEYS } from '../accounts/client-keys.ts';
import type { CredentialRecord, Jwk } from '../store/port.ts';
import { decoyKey } from './decoy-key.ts';
import { OAuthError } from './oauth-error.ts';

/** Longest assertion, in characters. */
const MAX_ASSERTION = 8 * 1_024;

/** An assertion lives at most so long, in seconds: its `jti` is kept until then. */
export const MAX_ASSERTION_SECONDS = 600;

/** Tolerated difference of clocks for `nbf` and `iat`, in seconds; none for `exp`. */
const LEEWAY_SECONDS = 60;

/** What a client says of itself, before anything of it is believed. */
export interface UnverifiedAssertion {
  readonly compact: string;
  readonly alg: string;
  readonly kid: string | undefined;
  readonly claims: Readonly<Record<string, unknown>>;
  /** `sub`, whose keys verify it. */
  readonly clientId: string;
}

/** What remains of an assertion that was verified: what makes it usable once. */
export interface VerifiedAssertion {
  readonly credential: CredentialRecord;
  readonly jti: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/** Reads the form of a client assertion (RFC 7523 section 3): a JWS whose `iss` and `sub` are the client. */
export function readAssertion(compact: string, clientId: string | undefined): UnverifiedAssertion {
  if (compact.length > MAX_ASSERTION) throw unfit('assertion_size');
  try {
    const { alg, kid, ...header } = decodeProtectedHeader(compact);
    const claims = parseStrictJson(Buffer.from(compact.split('.')[1] ?? '', 'base64url'));
    if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) throw unfit('assertion_form');
    const { iss, sub } = claims as Record<string, unknown>;
    // Nothing that brings a key or changes the meaning of the rest.
    if (Object.keys(header).some((member) => member !== 'typ')) throw unfit('assertion_header');
    if (typeof alg !== 'string' || typeof sub !== 'string' || iss !== sub) throw unfit('assertion_client');
    if (clientId !== undefined && clientId !== sub)
      throw new OAuthError('invalid_request', 'two_clients', 'The request names two clients.');
    return { compact, alg, kid, claims: claims as Record<string, unknown>, clientId: sub };
  } catch (error) {
    if (error instanceof OAuthError) throw error;
    throw unfit('assertion_form');
  }
}

/**
 * Verifies an assertion with the client's own keys, then its claims: `aud` is our issuer and nothing else
 * (an array or the endpoint's address would let another server pass assertions on), `exp` near, `jti` there.
 */
export async function verifyAssertion(
  assertion: UnverifiedAssertion,
  credentials: readonly CredentialRecord[],
  issuer: string,
  now: number,
  check: SignatureCheck = checkSignature,
): Promise<VerifiedAssertion> {
  const { claims } = assertion;
  const credential = await signerOf(assertion, credentials, check);
  if (!credential) throw unfit('assertion_signature');
  const { aud, exp, nbf, iat, jti } = claims;
  const seconds = now / 1_000;
  if (aud !== issuer) throw unfit('assertion_aud');
  if (!isTime(exp) || exp <= seconds) throw unfit('assertion_expired');
  if (exp > seconds + MAX_ASSERTION_SECONDS + LEEWAY_SECONDS) throw unfit('assertion_lifetime');
  for (const time of [nbf, iat])
    if (time !== undefined && (!isTime(time) || time > seconds + LEEWAY_SECONDS)) throw unfit('assertion_early');
  if (typeof jti !== 'string' || jti === '' || jti.length > 256) throw unfit('assertion_jti');
  return { credential, jti, expiresAt: Math.ceil(exp * 1_000) };
}

/** Whether a key has signed a JWS with an algorithm. */
export type SignatureCheck = (compact: string, jwk: Jwk, alg: string) => Promise<boolean>;

/** The check itself. */
export const checkSignature: SignatureCheck = async (compact, jwk, alg) => {
  try {
    await compactVerify(compact, await importJWK(jwk as JWK, alg), { algorithms: [alg] });
    return true;
  } catch {
    return false;
  }
};

/**
 * The credential whose key signed it. A key serves the one algorithm that it is registered with. Without a kid
 * the client leaves the search to us, among at most four keys. A search that fails always makes the same
 * number of checks, so that its time does not tell whether the client exists or which keys it has.
 */
async function signerOf(
  { compact, alg, kid }: UnverifiedAssertion,
  credentials: readonly CredentialRecord[],
  check: SignatureCheck,
): Promise<CredentialRecord | undefined> {
  const fitting = credentials.filter(
    (credential) =>
      credential.kind === 'key' && credential.jwk.alg === alg && (kid === undefined || credential.jwk.kid === kid),
  );
  const decoy = decoyKey(alg);
  if (!decoy) return undefined;
  for (let at = 0; at < (kid === undefined ? MAX_CLIENT_KEYS : 1); at++) {
    const credential = fitting[at];
    const isSigned = await check(compact, credential?.kind === 'key' ? credential.jwk : decoy, alg);
    if (isSigned && credential) return credential;
  }
  return undefined;
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function unfit(reason: string): OAuthError {
  return new OAuthError('invalid_client', reason, 'The client is unknown or its credentials are wrong.');
}
