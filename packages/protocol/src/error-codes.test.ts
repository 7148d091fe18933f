import { expect, test } from 'vitest';
import { ERROR_CODES } from './error-codes.ts';
import { type ErrorCode, isAuthErrorCode, isServerErrorCode } from './error-handling.ts';

// The rows that applications rely on, written out once more: a change here is a change of the contract.
const EXPECTED: [ErrorCode, number, string, boolean, boolean][] = [
  ['MISSING_TOKEN', 401, 'bare', false, false],
  ['TOKEN_EXPIRED', 401, 'invalid_token', true, false],
  ['INVALID_TOKEN', 401, 'invalid_token', false, false],
  ['WORKSPACE_MISMATCH', 403, 'insufficient_scope', false, false],
  ['FORBIDDEN', 403, 'insufficient_scope', false, false],
  ['AUTH_ERROR', 503, 'none', true, true],
  ['RATE_LIMIT_EXCEEDED', 429, 'none', true, true],
  ['UNAVAILABLE', 503, 'none', true, true],
  ['BAD_REQUEST', 400, 'none', false, false],
  ['INVALID_FILTER', 400, 'none', false, false],
  ['NOT_FOUND', 404, 'none', false, false],
  ['METHOD_NOT_ALLOWED', 405, 'none', false, false],
  ['CONFLICT', 409, 'none', false, false],
  ['PAYLOAD_TOO_LARGE', 413, 'none', false, false],
  ['INTERNAL_ERROR', 500, 'none', true, false],
];

test.each(EXPECTED)('%s', (code, status, challenge, recoverable, retryAfter) => {
  expect(ERROR_CODES[code]).toMatchObject({ status, challenge, recoverable, retryAfter });
});

test('every code that has a status can be sent, and no other can', () => {
  const sendable = Object.keys(ERROR_CODES).filter(isServerErrorCode);
  expect(sendable.toSorted()).toEqual(EXPECTED.map(([code]) => code).toSorted());
});

test.each(['constructor', '__proto__', 'toString', '', 'missing_token', 'NETWORK_ERROR', undefined, 7])(
  '%s is no code of the server',
  (code) => {
    expect(isServerErrorCode(code)).toBe(false);
  },
);

test('the six of the authentication guide are the auth codes', () => {
  expect(Object.keys(ERROR_CODES).filter(isAuthErrorCode)).toEqual(EXPECTED.slice(0, 6).map(([code]) => code));
});

test('what is said stays within the characters of an error_description (RFC 6750 section 3)', () => {
  for (const { message, remedy } of Object.values(ERROR_CODES)) {
    expect(message).toMatch(/^[\x20-\x21\x23-\x5B\x5D-\x7E]+$/);
    expect(remedy).toMatch(/^[\x20-\x21\x23-\x5B\x5D-\x7E]+$/);
  }
});

test('a recoverable code is retried or waits for a token; a final one stops', () => {
  for (const { recoverable, action } of Object.values(ERROR_CODES)) {
    expect(action === 'stop').toBe(!recoverable);
  }
});
