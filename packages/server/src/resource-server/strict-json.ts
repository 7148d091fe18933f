/** Reads JSON where two readers must not be able to disagree: tokens (RFC 7515 section 10.12, RFC 7519 section 4). */

/** Why a text was refused. */
export type StrictJsonReason =
  | 'utf8_invalid'
  | 'json_invalid'
  | 'json_duplicate'
  | 'json_too_deep'
  | 'json_member_refused';

/** A text that `parseStrictJson` refuses. The message holds nothing of it. */
export class StrictJsonError extends Error {
  override readonly name = 'StrictJsonError';
  readonly reason: StrictJsonReason;

  constructor(reason: StrictJsonReason) {
    super(reason);
    this.reason = reason;
  }
}

/** Names that mean something to JavaScript objects: no honest issuer uses them, so nobody may. */
const REFUSED_MEMBERS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/** `ignoreBOM` keeps a byte order mark in the text, where JSON has no place for it. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Decodes UTF-8; what is not UTF-8 throws `StrictJsonError`. A byte order mark stays. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new StrictJsonError('utf8_invalid');
  }
}

/**
 * Parses JSON bytes. Throws `StrictJsonError` for invalid UTF-8, a byte order mark, bytes around the
 * value, nesting deeper than `maxDepth` (16 by default), and an object that names a member twice, also
 * when one of the two names is escaped.
 */
export function parseStrictJson(bytes: Uint8Array, maxDepth = 16): unknown {
  const text = decodeUtf8(bytes);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new StrictJsonError('json_invalid');
  }
  scan(text, maxDepth);
  return value;
}

/** A string, as a whole, or one of the characters that structure. The text is known to be JSON. */
const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g;

/** Walks a text that is JSON: one level per open bracket, a set of names for objects, null for arrays. */
function scan(text: string, maxDepth: number): void {
  const levels: (Set<string> | null)[] = [];
  let name = false;
  for (const [token] of text.matchAll(TOKENS)) {
    switch (token) {
      case '{':
      case '[':
        if (levels.length === maxDepth) throw new StrictJsonError('json_too_deep');
        levels.push(token === '{' ? new Set() : null);
        name = token === '{';
        break;
      case '}':
      case ']':
        levels.pop();
        name = false;
        break;
      case ',':
        name = levels.at(-1) instanceof Set;
        break;
      case ':':
        name = false;
        break;
      default: {
        const names = levels.at(-1);
        if (!name || !names) break;
        const member = JSON.parse(token) as string;
        if (REFUSED_MEMBERS.has(member)) throw new StrictJsonError('json_member_refused');
        if (names.has(member)) throw new StrictJsonError('json_duplicate');
        names.add(member);
      }
    }
  }
}
