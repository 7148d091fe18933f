/**
 * Makes JSON web tokens by hand, well-formed and ill-formed ones alike: no library is in the way, so that a
 * test can send any header, any payload bytes and any signature.
 */
import {
  constants,
  createHmac,
  createPrivateKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  randomUUID,
  sign as signBytes,
} from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** A key to sign with. */
export interface SigningKey {
  readonly kid: string;
  readonly alg: 'RS256' | 'ES256' | 'EdDSA';
  readonly privateKey: KeyObject;
  /** What a key set publishes. */
  readonly publicJwk: Readonly<Record<string, unknown>>;
}

/** Makes a key. */
export function makeKey(alg: SigningKey['alg'] = 'RS256', kid: string = `key-${randomUUID()}`): SigningKey {
  const { privateKey, publicKey } =
    alg === 'RS256'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : alg === 'ES256'
        ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
        : generateKeyPairSync('ed25519');
  return { kid, alg, privateKey, publicJwk: { ...publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' } };
}

/** base64url without padding. */
export function base64url(value: string | Uint8Array): string {
  return Buffer.from(value as Uint8Array).toString('base64url');
}

/** The signature over `input` by an algorithm and a key, as JWS wants it (RFC 7518 section 3). */
export function signature(alg: string, key: KeyObject | string | Buffer, input: string): Buffer {
  const data = Buffer.from(input, 'latin1');
  const hash = `sha${alg.slice(2)}`;
  if (alg.startsWith('HS')) return createHmac(hash, key).update(data).digest();
  const privateKey = key as KeyObject;
  if (alg === 'EdDSA') return signBytes(null, data, privateKey);
  if (alg.startsWith('ES')) return signBytes(hash, data, { key: privateKey, dsaEncoding: 'ieee-p1363' });
  if (alg.startsWith('PS')) {
    return signBytes(hash, data, {
      key: privateKey,
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
    });
  }
  return signBytes(hash, data, privateKey);
}

/** Claims or a header: JSON, or the very text. */
export type Part = Readonly<Record<string, unknown>> | string | Buffer;

function bytes(part: Part): string | Buffer {
  return typeof part === 'string' || Buffer.isBuffer(part) ? part : JSON.stringify(part);
}

/** Signs any header and payload, whatever they say. `alg` is how it is signed, not what the header says. */
export function forge(header: Part, payload: Part, key: KeyObject | string | Buffer, alg: string): string {
  const input = `${base64url(bytes(header))}.${base64url(bytes(payload))}`;
  return `${input}.${base64url(signature(alg, key, input))}`;
}

/** The header of a good access token under a key. */
export function header(key: SigningKey, extra: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return { alg: key.alg, typ: 'at+jwt', kid: key.kid, ...extra };
}

/** Signs claims with a key under a good header, or one with `extra` members. */
export function signToken(key: SigningKey, claims: Part, extra: Readonly<Record<string, unknown>> = {}): string {
  return forge(header(key, extra), claims, key.privateKey, key.alg);
}

/** Seconds since 1970. */
export function now(): number {
  return Math.floor(Date.now() / 1000);
}

/** Good claims for a workspace; `extra` overrides, and `undefined` in it leaves a claim out. */
export function goodClaims(
  of: { readonly issuer: string; readonly audience: string; readonly workspace: string; readonly sub: string },
  extra: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const iat = now();
  const claims: Record<string, unknown> = {
    iss: of.issuer,
    aud: of.audience,
    sub: of.sub,
    client_id: 'black-box',
    iat,
    exp: iat + 600,
    jti: randomUUID(),
    workspaces: [of.workspace],
    ...extra,
  };
  for (const [name, value] of Object.entries(claims)) if (value === undefined) delete claims[name];
  return claims;
}

/** The claims of a token, unverified. */
export function claimsOf(token: string): any {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
}

function privateJwks(value: unknown): JsonWebKey[] {
  if (typeof value !== 'object' || value === null) return [];
  const jwk = value as JsonWebKey;
  if (typeof jwk.kty === 'string' && typeof jwk.d === 'string') return [jwk];
  return Object.values(value).flatMap(privateJwks);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function readKey(cell: string): KeyObject | undefined {
  const [jwk] = privateJwks(parsed(cell));
  try {
    if (jwk) return createPrivateKey({ key: jwk, format: 'jwk' });
    return cell.includes('PRIVATE KEY') ? createPrivateKey(cell) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The service's own signing key, taken from the data folder as someone with access to the host could: only so
 * can a test know what the service does with a token that is signed well and says something wrong. It looks for
 * any private key in any table, and matches it with the published key set.
 */
export async function ownSigningKey(data: string, baseUrl: string): Promise<SigningKey> {
  const { keys } = (await (await fetch(`${baseUrl}/oidc/jwks`)).json()) as { keys: JsonWebKey[] };
  for (const name of readdirSync(data).filter((file) => file.endsWith('.db'))) {
    const db = new DatabaseSync(join(data, name), { readOnly: true });
    try {
      for (const { name: table } of db.prepare("select name from sqlite_master where type = 'table'").all()) {
        for (const row of db.prepare(`select * from "${String(table)}"`).all()) {
          for (const cell of Object.values(row)) {
            const text =
              typeof cell === 'string' ? cell : cell instanceof Uint8Array ? Buffer.from(cell).toString() : '';
            const privateKey = readKey(text);
            if (!privateKey) continue;
            const { n, x } = privateKey.export({ format: 'jwk' });
            const found = keys.find((key) => (n !== undefined && key.n === n) || (x !== undefined && key.x === x));
            if (found) {
              const { kid, alg } = found as { kid: string; alg: SigningKey['alg'] };
              return { kid, alg, privateKey, publicJwk: { ...found } };
            }
          }
        }
      }
    } finally {
      db.close();
    }
  }
  throw new Error('no table holds the private half of a published key');
}
