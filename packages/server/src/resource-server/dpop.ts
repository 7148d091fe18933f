import { createHash } from 'node:crypto';
import { calculateJwkThumbprint, compactVerify } from 'jose';
import { importPublicKey } from './jwk-set.ts';
import { parseStrictJson } from './strict-json.ts';

/** Algorithms of proofs: asymmetric, and the ones that keys in browsers and servers have. */
export const DPOP_ALGORITHMS: readonly string[] = ['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'RS256', 'PS256'];

/** How far the time of a proof may be from ours, either way, in seconds. */
const WINDOW_SECONDS = 60;
/** Most bytes of a proof; one with an RSA key of 4,096 bits has about 2 KiB. */
const MAX_PROOF_BYTES = 4096;
/** Most proofs of one window that are remembered. */
const MAX_REMEMBERED = 100_000;

/** A proof that proves nothing (RFC 9449 section 4.3). `reason`: for log and audit. */
export class DpopError extends Error {
  override readonly name = 'DpopError';
  readonly reason: string;

  constructor(reason: string) {
    super(reason);
    this.reason = reason;
  }
}

/** The request that a proof is for. */
export interface ProvenRequest {
  readonly method: string;
  /** As the client sees it: the public URL. Its query does not count. */
  readonly url: string;
  /** The access token that comes with it; absent at the token endpoint. */
  readonly token?: string;
}

/** A proof whose signature and claims are good. */
export interface Proof {
  /** SHA-256 thumbprint of its key (RFC 7638), as `cnf.jkt` has it. */
  readonly jkt: string;
  readonly jti: string;
}

/**
 * Reads the `DPoP` header of a request and checks it (RFC 9449 section 4.3): one proof, its type, an asymmetric
 * algorithm, a public key, its signature; then method, URL, time, and the hash of the token. That it comes once
 * only is for `ProofMemory` to see, when all else is known.
 *
 * @param nowMs wall clock, milliseconds since 1970
 * @throws DpopError
 */
export async function readProof(headers: readonly string[], request: ProvenRequest, nowMs: number): Promise<Proof> {
  const [compact = '', ...more] = headers;
  if (compact === '') throw new DpopError('dpop_missing');
  if (more.length > 0) throw new DpopError('dpop_repeated');
  if (compact.length > MAX_PROOF_BYTES) throw new DpopError('dpop_too_long');
  const { header, payload } = partsOf(compact);
  const jkt = await verify(compact, header);
  return { jkt, jti: checkPayload(payload, request, nowMs) };
}

type Json = Readonly<Record<string, unknown>>;

function partsOf(compact: string): { readonly header: Json; readonly payload: Json } {
  const [first = '', second = '', third = '', ...more] = compact.split('.');
  if (third === '' || more.length > 0) throw new DpopError('dpop_form');
  return { header: objectOf(first), payload: objectOf(second) };
}

function objectOf(part: string): Json {
  const bytes = Buffer.from(part, 'base64url');
  if (bytes.toString('base64url') !== part) throw new DpopError('dpop_form');
  let value: unknown;
  try {
    value = parseStrictJson(bytes);
  } catch {
    throw new DpopError('dpop_json');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new DpopError('dpop_json');
  return value as Json;
}

/** Members of a private or symmetric key (RFC 7518 section 6). */
const SECRET_MEMBERS: readonly string[] = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

/** Type, algorithm, key and signature; gives the key's thumbprint. */
async function verify(compact: string, header: Json): Promise<string> {
  const { typ, alg, jwk } = header;
  if (!Object.keys(header).every((name) => ['typ', 'alg', 'jwk'].includes(name))) throw new DpopError('dpop_header');
  if (typ !== 'dpop+jwt') throw new DpopError('dpop_typ');
  if (typeof alg !== 'string' || !DPOP_ALGORITHMS.includes(alg)) throw new DpopError('dpop_alg');
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk)) throw new DpopError('dpop_jwk');
  if (SECRET_MEMBERS.some((name) => name in jwk)) throw new DpopError('dpop_private_key');
  const imported = await importPublicKey(jwk as Record<string, unknown>, alg);
  if (!imported) throw new DpopError('dpop_jwk');
  try {
    await compactVerify(compact, imported.key, { algorithms: [alg] });
  } catch {
    throw new DpopError('dpop_signature');
  }
  return calculateJwkThumbprint(imported.jwk, 'sha256');
}

/** What the proof says of the request; gives its `jti`. */
function checkPayload({ jti, htm, htu, iat, ath }: Json, { method, url, token }: ProvenRequest, nowMs: number): string {
  if (typeof jti !== 'string' || jti === '' || jti.length > 256) throw new DpopError('dpop_jti');
  if (htm !== method) throw new DpopError('dpop_htm');
  if (typeof htu !== 'string' || bareUrl(htu) !== bareUrl(url)) throw new DpopError('dpop_htu');
  if (!Number.isSafeInteger(iat) || Math.abs((iat as number) * 1000 - nowMs) > WINDOW_SECONDS * 1000)
    throw new DpopError('dpop_iat');
  if (token !== undefined && ath !== createHash('sha256').update(token).digest('base64url'))
    throw new DpopError('dpop_ath');
  return jti;
}

/** A URL without query and fragment, in the normal form of RFC 3986 section 6.2; `undefined` when it is none. */
function bareUrl(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const { protocol, username, password, host, pathname } = new URL(text);
  return username || password ? undefined : `${protocol}//${host}${pathname}`;
}

/**
 * The proofs that were used within the window in which they could be used again. Two generations, so that
 * forgetting costs nothing; bounded, and when full nothing more is taken.
 */
export class ProofMemory {
  readonly #monotonic: () => number;
  readonly #max: number;
  #present = new Set<string>();
  #past = new Set<string>();
  #since: number;

  /** `monotonic`: ms. */
  constructor(monotonic: () => number, max: number = MAX_REMEMBERED) {
    this.#monotonic = monotonic;
    this.#max = max;
    this.#since = monotonic();
  }

  /** `taken`: it is new, and is remembered. `replayed`: it was used before. `full`: it cannot be remembered. */
  take({ jkt, jti }: Proof): 'taken' | 'replayed' | 'full' {
    // A proof is good from a window before its time to a window after it.
    const span = 2 * WINDOW_SECONDS * 1000;
    const passed = this.#monotonic() - this.#since;
    if (passed > span) {
      this.#past = passed > 2 * span ? new Set() : this.#present;
      this.#present = new Set();
      this.#since += passed > 2 * span ? passed : span;
    }
    // Of one length, whatever a client chooses for its jti.
    const key = createHash('sha256').update(`${jkt} ${jti}`).digest('base64url');
    if (this.#present.has(key) || this.#past.has(key)) return 'replayed';
    if (this.#present.size >= this.#max) return 'full';
    this.#present.add(key);
    return 'taken';
  }
}
