import { type CryptoKey, importJWK, type JWK } from 'jose';

/** A key that verifies signatures: one algorithm, one kid (RFC 8725 section 3.1). */
export interface VerificationKey {
  readonly kid: string;
  readonly alg: string;
  readonly key: CryptoKey;
  /** Its public members as text: two keys are the same when this is. */
  readonly material: string;
}

/** Why a whole set was refused. */
export type JwkSetReason = 'jwks_malformed' | 'jwks_too_many_keys' | 'jwks_kid_repeated' | 'jwks_empty';

/** A set that is refused as a whole; the caller keeps the one it has. */
export class JwkSetError extends Error {
  override readonly name = 'JwkSetError';
  readonly reason: JwkSetReason;

  constructor(reason: JwkSetReason) {
    super(reason);
    this.reason = reason;
  }
}

/** Most keys of a set. */
export const MAX_SET_KEYS = 64;

/** Which keys an algorithm takes, and their public members (RFC 7518 section 6, RFC 8037 section 2). */
const SHAPES: Readonly<
  Record<string, { readonly kty: string; readonly crv?: string; readonly members: readonly string[] }>
> = {
  RS256: { kty: 'RSA', members: ['n', 'e'] },
  RS384: { kty: 'RSA', members: ['n', 'e'] },
  RS512: { kty: 'RSA', members: ['n', 'e'] },
  PS256: { kty: 'RSA', members: ['n', 'e'] },
  PS384: { kty: 'RSA', members: ['n', 'e'] },
  PS512: { kty: 'RSA', members: ['n', 'e'] },
  ES256: { kty: 'EC', crv: 'P-256', members: ['crv', 'x', 'y'] },
  ES384: { kty: 'EC', crv: 'P-384', members: ['crv', 'x', 'y'] },
  ES512: { kty: 'EC', crv: 'P-521', members: ['crv', 'x', 'y'] },
  EdDSA: { kty: 'OKP', crv: 'Ed25519', members: ['crv', 'x'] },
  Ed25519: { kty: 'OKP', crv: 'Ed25519', members: ['crv', 'x'] },
};

/** Whether `alg` is a signature algorithm that this service can verify: asymmetric ones only, named exactly. */
export function isVerifiableAlgorithm(alg: string): boolean {
  return Object.hasOwn(SHAPES, alg);
}

/**
 * Reads a JWK set (RFC 7517 section 5) for an issuer that signs with `algorithms`. Keys that cannot
 * verify here are left out: without kid, for encryption (`use`, `key_ops`), symmetric or private, of
 * another algorithm, RSA under 2,048 bits. A key without `alg` serves the first of `algorithms` that fits.
 * Throws `JwkSetError` when two keys have one kid, when there are more than 64, or when none is left.
 */
export async function readJwkSet(set: unknown, algorithms: readonly string[]): Promise<Map<string, VerificationKey>> {
  const keys = isObject(set) ? set.keys : undefined;
  if (!Array.isArray(keys)) throw new JwkSetError('jwks_malformed');
  if (keys.length > MAX_SET_KEYS) throw new JwkSetError('jwks_too_many_keys');
  const jwks = keys.filter(isNamed);
  if (new Set(jwks.map(({ kid }) => kid)).size !== jwks.length) throw new JwkSetError('jwks_kid_repeated');
  const usable = await Promise.all(jwks.map((jwk) => importKey(jwk, algorithms)));
  const found = new Map(usable.filter((key) => key !== undefined).map((key) => [key.kid, key]));
  if (found.size === 0) throw new JwkSetError('jwks_empty');
  return found;
}

type Jwk = Record<string, unknown> & { readonly kid: string };

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isNamed(value: unknown): value is Jwk {
  return isObject(value) && typeof value.kid === 'string' && value.kid !== '' && Buffer.byteLength(value.kid) <= 256;
}

/** The one algorithm that a key serves here, or `undefined` (RFC 7517 sections 4.1 to 4.4). */
function algorithmOf(jwk: Jwk, algorithms: readonly string[]): string | undefined {
  if ('d' in jwk || 'k' in jwk) return undefined;
  if (jwk.use !== undefined && jwk.use !== 'sig') return undefined;
  if (jwk.key_ops !== undefined && !(Array.isArray(jwk.key_ops) && jwk.key_ops.includes('verify'))) return undefined;
  return algorithms.find((alg) => {
    const shape = Object.hasOwn(SHAPES, alg) ? SHAPES[alg] : undefined;
    const fits = shape !== undefined && shape.kty === jwk.kty && (shape.crv === undefined || shape.crv === jwk.crv);
    return fits && (jwk.alg === undefined || jwk.alg === alg);
  });
}

async function importKey(jwk: Jwk, algorithms: readonly string[]): Promise<VerificationKey | undefined> {
  const alg = algorithmOf(jwk, algorithms);
  if (alg === undefined) return undefined;
  const imported = await importPublicKey(jwk, alg);
  return imported && { kid: jwk.kid, alg, key: imported.key, material: JSON.stringify(imported.jwk) };
}

/** A public key for one algorithm, with the members that it was made from and no others; `undefined`: it is none, or weak. */
export async function importPublicKey(
  jwk: Readonly<Record<string, unknown>>,
  alg: string,
): Promise<{ readonly key: CryptoKey; readonly jwk: JWK } | undefined> {
  const shape = Object.hasOwn(SHAPES, alg) ? SHAPES[alg] : undefined;
  if (shape?.kty !== jwk.kty || (shape?.crv !== undefined && shape.crv !== jwk.crv)) return undefined;
  // Only the public members, so that nothing else of a foreign set reaches the key's import.
  const members = (SHAPES[alg]?.members ?? []).map((name) => [name, jwk[name]] as const);
  if (!members.every(([, value]) => typeof value === 'string')) return undefined;
  const bare = { kty: jwk.kty, ...Object.fromEntries(members) } as JWK;
  try {
    const key = await importJWK(bare, alg);
    if (key instanceof Uint8Array || !isStrong(key)) return undefined;
    return { key, jwk: bare };
  } catch {
    return undefined;
  }
}

/** RFC 7518 section 3.3. Above 8,192 bits, or with a long exponent, one signature would cost too much to verify. */
function isStrong({ algorithm }: CryptoKey): boolean {
  if (!('modulusLength' in algorithm)) return true;
  const { modulusLength, publicExponent } = algorithm as CryptoKey['algorithm'] & {
    readonly modulusLength: number;
    readonly publicExponent: Uint8Array;
  };
  return modulusLength >= 2048 && modulusLength <= 8192 && publicExponent.byteLength <= 4;
}
