import { ERROR_CODES, isServerErrorCode, type ServerErrorCode } from '@centrali-io/protocol';
import { describe, expect, it } from 'vitest';
import { refusalResponse } from './challenge.ts';
import { Refusal, type RefusalInit } from './refusal.ts';

const answer = (code: ServerErrorCode, init?: RefusalInit): Response =>
  refusalResponse(new Refusal(code, 'reason', init), {
    requestId: 'req_1',
    baseUrl: 'https://realtime.example',
    random: () => 0.5,
  });

const METADATA = 'resource_metadata="https://realtime.example/.well-known/oauth-protected-resource"';

describe('refusalResponse', () => {
  it.each(Object.keys(ERROR_CODES).filter(isServerErrorCode))('answers %s as the table says', async (code) => {
    const row = ERROR_CODES[code];
    const response = answer(code);
    expect(response.status).toBe(row.status);
    expect(await response.json()).toEqual({
      error: row.error,
      code,
      message: row.message,
      recoverable: row.recoverable,
      requestId: 'req_1',
      ...(row.retryAfter ? { retryAfter: 3 } : {}),
    });
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
    });
    expect(response.headers.get('retry-after')).toBe(row.retryAfter ? '3' : null);
    expect(response.headers.has('www-authenticate')).toBe(row.challenge !== 'none');
  });

  it('challenges barely when there was no token (RFC 6750 section 3.1)', () => {
    expect(answer('MISSING_TOKEN').headers.get('www-authenticate')).toBe(`Bearer realm="centrali", ${METADATA}`);
  });

  it('names the error, a fixed sentence and the missing scope', () => {
    expect(answer('FORBIDDEN', { scope: 'realtime:subscribe' }).headers.get('www-authenticate')).toBe(
      `Bearer realm="centrali", error="insufficient_scope", error_description="The permission that this needs is missing", scope="realtime:subscribe", ${METADATA}`,
    );
    expect(answer('INVALID_TOKEN').headers.get('www-authenticate')).toContain('error="invalid_token"');
  });

  it('challenges two tokens as an invalid request', () => {
    expect(answer('BAD_REQUEST', { challenge: 'invalid_request' }).headers.get('www-authenticate')).toContain(
      'error="invalid_request"',
    );
    expect(answer('BAD_REQUEST').headers.get('www-authenticate')).toBeNull();
  });

  it('waits whole seconds, at least one', () => {
    expect(answer('RATE_LIMIT_EXCEEDED', { retryAfter: 0.2 }).headers.get('retry-after')).toBe('1');
    expect(answer('RATE_LIMIT_EXCEEDED', { retryAfter: 10.1 }).headers.get('retry-after')).toBe('11');
  });

  it('never says the inner reason', async () => {
    const response = answer('INVALID_TOKEN');
    expect(JSON.stringify([await response.text(), [...response.headers]])).not.toContain('"reason"');
  });
});
