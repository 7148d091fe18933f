import { Refusal } from './refusal.ts';
import { parseStrictJson, StrictJsonError } from './strict-json.ts';

/** Most bytes of a token. */
export const MAX_TOKEN_BYTES: number = 8 * 1024;

/** A token whose form is right. Nothing in it is trusted before its signature was verified. */
export interface GatedToken {
  /** The token itself: goes into the signature check and nowhere else. */
  readonly compact: string;
  readonly alg: string;
  readonly kid: string;
  /** Lower case, without `application/` (RFC 7515 section 4.1.9); empty when absent. */
  readonly typ: string;
  /** The payload: exactly the bytes that the signature covers, read by a parser that refuses duplicates. */
  readonly payload: Readonly<Record<string, unknown>>;
}

/**
 * Members of the header that may be there. Beside what we read: thumbprints (Entra) and a category
 * (Clerk), which are names only. Nothing that brings or points at a key (`jwk`, `jku`, `x5c`, `x5u`), that
 * nests (`cty`), packs (`zip`) or changes the meaning of the rest (`crit`, `b64`).
 */
const HEADER_MEMBERS: ReadonlySet<string> = new Set(['alg', 'kid', 'typ', 'x5t', 'x5t#S256', 'cat']);

/** Three parts of the base64url alphabet; the classes exclude the dot, so that matching is linear. */
const COMPACT = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/;

/** RFC 7515 section 2, and canonical: re-encoding gives the same text, so one token has one spelling. */
function decodePart(part: string): Buffer {
  const bytes = Buffer.from(part, 'base64url');
  if (bytes.toString('base64url') !== part) throw new Refusal('INVALID_TOKEN', 'base64url_not_canonical');
  return bytes;
}

function parseObject(bytes: Uint8Array, what: 'header' | 'payload'): Record<string, unknown> {
  let value: unknown;
  try {
    value = parseStrictJson(bytes);
  } catch (error) {
    throw new Refusal('INVALID_TOKEN', `${what}_${error instanceof StrictJsonError ? error.reason : 'json_invalid'}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Refusal('INVALID_TOKEN', `${what}_not_object`);
  }
  return value as Record<string, unknown>;
}

/**
 * The gate before any cryptography: a JWS in compact form (RFC 7515 section 7.1) with three canonical
 * parts, a header of known members, an `alg`, a `kid` of 1 to 256 bytes, and objects that no two parsers
 * read differently. Throws `BAD_REQUEST` for a token over 8 KiB, else `INVALID_TOKEN`.
 */
export function passFormGate(compact: string): GatedToken {
  if (compact.length > MAX_TOKEN_BYTES) throw new Refusal('BAD_REQUEST', 'token_too_long', { message: TOO_LONG });
  const parts = COMPACT.exec(compact);
  if (!parts) throw new Refusal('INVALID_TOKEN', 'token_form');
  const [, first = '', second = '', third = ''] = parts;
  const headerBytes = decodePart(first);
  const payloadBytes = decodePart(second);
  decodePart(third);
  const header = parseObject(headerBytes, 'header');
  for (const member of Object.keys(header)) {
    if (!HEADER_MEMBERS.has(member)) throw new Refusal('INVALID_TOKEN', 'header_member_refused');
    if (typeof header[member] !== 'string') throw new Refusal('INVALID_TOKEN', 'header_member_type');
  }
  const { alg, kid, typ } = header;
  if (typeof alg !== 'string' || alg === '') throw new Refusal('INVALID_TOKEN', 'alg_missing');
  if (typeof kid !== 'string' || kid === '') throw new Refusal('INVALID_TOKEN', 'kid_missing');
  if (Buffer.byteLength(kid) > 256) throw new Refusal('INVALID_TOKEN', 'kid_too_long');
  return {
    compact,
    alg,
    kid,
    typ: typeof typ === 'string' ? typ.toLowerCase().replace(/^application\//, '') : '',
    payload: parseObject(payloadBytes, 'payload'),
  };
}

const TOO_LONG = 'A token is at most 8 KiB.';
