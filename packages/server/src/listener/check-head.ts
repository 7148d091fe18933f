import { Refusal } from '../resource-server/index.ts';

/** Longest request target: a token of 8 KiB in the query, and as much again as filters need. */
export const MAX_TARGET = 12 * 1024;
/** Most header fields of one request. */
export const MAX_FIELDS = 128;

/** The head of a request, as the transport saw it. */
export interface Head {
  readonly httpVersion: string;
  readonly method: string;
  /** The request target, unchanged (RFC 9112 section 3.2). */
  readonly target: string;
  /** Values of a field, in order; name in lower case. */
  all(name: string): readonly string[];
  readonly fieldCount: number;
  /** `:authority` of HTTP/2 (RFC 9113 section 8.3.1). */
  readonly authority?: string | undefined;
  /** Whether a body follows; known in HTTP/2 from the END_STREAM flag. */
  readonly hasBody: boolean;
}

const METHODS = 'GET, HEAD, POST, PUT, DELETE, OPTIONS';
const ALLOWED: ReadonlySet<string> = new Set(METHODS.split(', '));
/** Fields that must not stand twice: a proxy in front may have read the other one. */
const SINGLE = ['origin', 'content-type', 'content-length', 'content-encoding', 'idempotency-key', 'cookie'] as const;
/** Visible ASCII but `#`: a fragment is never sent (RFC 9112 section 3.2.1), and what else stands there is an attack. */
const TARGET = /^\/[\x21-\x22\x24-\x7e]*$/;
const HOST = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;

/**
 * Refuses a head that two servers could understand differently (RFC 9112 sections 3 and 6), before
 * anything looks at it. Returns nothing when the head is clean.
 */
export function checkHead(head: Head): void {
  checkTarget(head);
  checkHost(head);
  checkMethod(head.method);
  checkBody(head);
  if (head.fieldCount > MAX_FIELDS) throw bad('header_fields', `At most ${MAX_FIELDS} header fields are allowed.`);
  for (const name of SINGLE) {
    // HTTP/2 clients may send each cookie in a field of its own, and browsers do (RFC 9113 section 8.2.3).
    if (name === 'cookie' && head.httpVersion === '2.0') continue;
    if (head.all(name).length > 1) throw bad('header_repeated', `The header ${name} must not be repeated.`);
  }
}

function checkTarget({ target }: Head): void {
  if (target.length > MAX_TARGET) throw bad('target_too_long', `The URL is longer than ${MAX_TARGET} bytes.`);
  if (!TARGET.test(target)) throw bad('target_form', 'The request target must be a path with an optional query.');
}

function checkHost(head: Head): void {
  const hosts = head.all('host');
  const named = head.authority === undefined ? hosts : [head.authority, ...hosts.filter((h) => h !== head.authority)];
  if (named.length !== 1) throw bad('host_count', 'The request must name exactly one host.');
  if (!HOST.test(named[0] ?? '')) throw bad('host_form', 'The host is not well-formed.');
}

function checkMethod(method: string): void {
  if (!ALLOWED.has(method)) throw new Refusal('METHOD_NOT_ALLOWED', 'method', { headers: { allow: METHODS } });
}

function checkBody(head: Head): void {
  const codings = head.all('transfer-encoding');
  const chunked = codings.length === 1 && codings[0]?.trim().toLowerCase() === 'chunked';
  if (codings.length > 0 && (!chunked || head.httpVersion === '1.0')) {
    throw bad('transfer_encoding', 'The only transfer coding that is understood is chunked.');
  }
  if (head.all('upgrade').length > 0 && head.httpVersion !== '2.0' && head.all('connection').some(namesUpgrade)) {
    throw bad('upgrade', 'Protocol upgrades are not supported.');
  }
  if (head.hasBody && (head.method === 'GET' || head.method === 'HEAD')) {
    throw bad('body_on_get', 'A GET request must not have a body.');
  }
}

function namesUpgrade(value: string): boolean {
  return value.split(',').some((option) => option.trim().toLowerCase() === 'upgrade');
}

function bad(reason: string, message: string): Refusal {
  return new Refusal('BAD_REQUEST', reason, { message });
}
