/** For tests: an issuer with keys of its own, and tokens that are good until a test makes them bad. */
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';

/** A key pair and its public JWK. */
export interface TestKey {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly jwk: JWK & { readonly kid: string };
}

/** 2026-01-01T00:00:00Z in seconds: where the clock of most tests stands. */
export const NOW = 1_767_225_600;

/** The public base URL of the tests. */
export const BASE_URL = 'https://realtime.example';

/** Makes a key pair. */
export async function makeKey(kid: string, alg = 'RS256'): Promise<TestKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

/** Claims of a good token of our own, for workspace `acme`. */
export const GOOD_CLAIMS: Readonly<Record<string, unknown>> = {
  iss: BASE_URL,
  aud: BASE_URL,
  sub: 'ci_0123456789abcdef01234567',
  client_id: 'ci_0123456789abcdef01234567',
  iat: NOW - 10,
  exp: NOW + 600,
  jti: 'jti-1',
  scope: 'realtime:subscribe',
  workspaces: ['acme'],
};

/** Signs claims; a claim that is `undefined` is left out. */
export function sign(
  key: TestKey,
  changes: Readonly<Record<string, unknown>> = {},
  header: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const claims = JSON.parse(JSON.stringify({ ...GOOD_CLAIMS, ...changes })) as Record<string, unknown>;
  const protectedHeader = JSON.parse(JSON.stringify({ alg: key.alg, kid: key.kid, typ: 'at+jwt', ...header }));
  return new SignJWT(claims).setProtectedHeader(protectedHeader).sign(key.privateKey);
}

/** Encodes a part of a token. */
export function part(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
}
