/** Answers that the listener gives by itself. */
import { randomBytes } from 'node:crypto';
import { ERROR_CODES, errorBody } from '@centrali-io/protocol';
import { ERROR_HEADERS, Refusal } from '../resource-server/index.ts';

/** A file that is served as it is. */
export interface ServedFile {
  readonly type: string;
  readonly bytes: Uint8Array;
}

/** A new request id: `req_` and 96 random bits. */
export function newRequestId(): string {
  return `req_${randomBytes(12).toString('hex')}`;
}

/** An answer in JSON that nobody keeps. */
export function jsonResponse(status: number, body: unknown): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { ...ERROR_HEADERS, 'content-type': 'application/json' },
  });
}

/**
 * The bytes of an answer to a request that the parser could not read: there is no response object then.
 * The error's text is not repeated.
 */
export function rawAnswer(error: NodeJS.ErrnoException, requestId: string): string {
  const [status, phrase, message] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? [431, 'Request Header Fields Too Large', 'The head of the request is larger than 16 KiB.']
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? [408, 'Request Timeout', 'The request took too long.']
        : [400, ERROR_CODES.BAD_REQUEST.error, ERROR_CODES.BAD_REQUEST.message];
  const body = JSON.stringify({ ...errorBody('BAD_REQUEST', requestId, message), error: phrase });
  const headers = Object.entries({
    ...ERROR_HEADERS,
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  });
  return `HTTP/1.1 ${status} ${phrase}\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`;
}

/** Plain http beyond this machine. Never a redirect, which would carry the query on. */
export function insecure(): Refusal {
  return new Refusal('BAD_REQUEST', 'insecure', {
    message: 'Use https: a token must not travel over plain http beyond this machine.',
  });
}

/** A limit of the client's address. */
export function tooMany(reason: string): Refusal {
  return new Refusal('RATE_LIMIT_EXCEEDED', reason, { retryAfter: 1 + Math.random() * 4 });
}

/** A file that any page may load. */
export function fileResponse(file: ServedFile): Response {
  return new Response(file.bytes as Uint8Array<ArrayBuffer>, {
    headers: {
      'content-type': file.type,
      'cache-control': 'no-cache',
      'x-content-type-options': 'nosniff',
      'cross-origin-resource-policy': 'cross-origin',
    },
  });
}
