/** Answers that the listener gives by itself. */
import { randomBytes } from 'node:crypto';
import { ERROR_CODES, errorBody } from '@centrali-io/protocol';
import { ERROR_HEADERS } from '../resource-server/index.ts';

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
