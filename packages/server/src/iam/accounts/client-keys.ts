import { calculateJwkThumbprint, importJWK, type JWK } from 'jose';
import { Refusal } from '../../resource-server/index.ts';
import type { Jwk } from '../store/port.ts';

/** Most keys of one account. */
export const MAX_CLIENT_KEYS = 4;

/** Members that only a private or symmetric key has (RFC 7518 section 6). */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'];

/** The algorithms of each kind of key, the default first. */
const ALGORITHMS: Readonly<Record<string, readonly string[]>> = {
  RSA: ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  'EC P-256': ['ES256'],
  'EC P-384': ['ES384'],
  'EC P-521': ['ES512'],
  'OKP Ed25519': ['EdDSA', 'Ed25519'],
};

/** A key of a client for private_key_jwt, as it is kept: public members only, with `kid` and `alg`. */
export type ClientKey = Jwk & { readonly kid: string; readonly alg: string; readonly thumbprint: string };

/**
 * Reads the keys that an administrator gives an account. Throws `BAD_REQUEST` naming the fault: more than
 * four, private or symmetric members, a kind or size that is too weak, an `alg` that does not fit, `use`
 * other than `sig`, equal `kid`s. A key without `kid` is named by its thumbprint (RFC 7638).
 */
export async function readClientKeys(keys: readonly Jwk[]): Promise<readonly ClientKey[]> {
  if (keys.length > MAX_CLIENT_KEYS) throw unfit(`jwks: at most ${MAX_CLIENT_KEYS} keys.`);
  const read: ClientKey[] = [];
  for (const [index, key] of keys.entries()) {
    const name = `jwks.keys[${index}]`;
    const next = await readClientKey(key, name);
    if (read.some(({ kid }) => kid === next.kid)) throw unfit(`${name}: another key has this kid.`);
    read.push(next);
  }
  return read;
}

async function readClientKey(key: Jwk, name: string): Promise<ClientKey> {
  if (PRIVATE_MEMBERS.some((member) => key[member] !== undefined))
    throw unfit(`${name}: only the public key belongs here; treat this one as leaked.`);
  const algorithms = ALGORITHMS[key.kty === 'RSA' ? 'RSA' : `${String(key.kty)} ${String(key.crv)}`];
  if (!algorithms) throw unfit(`${name}: the key must be RSA, P-256, P-384, P-521 or Ed25519.`);
  if (key.use !== undefined && key.use !== 'sig') throw unfit(`${name}: use must be sig.`);
  const alg = key.alg ?? algorithms[0];
  if (typeof alg !== 'string' || !algorithms.includes(alg)) throw unfit(`${name}: alg does not fit the key.`);
  if (key.kid !== undefined && (typeof key.kid !== 'string' || key.kid === '' || key.kid.length > 256))
    throw unfit(`${name}: kid must be 1 to 256 characters.`);
  const members = { kty: key.kty, crv: key.crv, x: key.x, y: key.y, n: key.n, e: key.e };
  const jwk = Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
  try {
    // Importing proves that the point is on its curve and the numbers are numbers.
    const imported = await importJWK(jwk as JWK, alg);
    const details = imported instanceof Uint8Array ? undefined : imported.algorithm;
    if (details && 'modulusLength' in details && Number(details.modulusLength) < 2_048) throw new Error('short');
    const thumbprint = await calculateJwkThumbprint(jwk);
    return { ...jwk, kid: key.kid ?? thumbprint, alg, thumbprint };
  } catch (cause) {
    throw unfit(`${name}: is not a key; RSA needs at least 2,048 bits.`, cause);
  }
}

function unfit(message: string, cause?: unknown): Refusal {
  return new Refusal('BAD_REQUEST', 'client_key_unfit', cause === undefined ? { message } : { message, cause });
}
