import { expect, test } from 'vitest';
import { errorBody, parseErrorBody } from './error-body.ts';
import { RealtimeError } from './realtime-error.ts';

test('a body becomes the error it says', () => {
  const error = RealtimeError.fromBody(errorBody('RATE_LIMIT_EXCEEDED', 'req_1', undefined, 7), { status: 429 });
  expect(error).toMatchObject({
    code: 'RATE_LIMIT_EXCEEDED',
    recoverable: true,
    status: 429,
    retryAfterMs: 7000,
    requestId: 'req_1',
  });
  expect(error).toBeInstanceOf(Error);
});

test.each([{}, null, 'x', { code: 'toString' }, { code: 'NETWORK_ERROR' }, { code: ['FORBIDDEN'] }])(
  '%j is no body of ours',
  (body) => {
    expect(RealtimeError.fromBody(body)).toBeUndefined();
  },
);

test('a body round trips', () => {
  const body = errorBody('FORBIDDEN', 'req_2');
  expect(parseErrorBody(JSON.parse(JSON.stringify(body)))).toEqual(body);
});

test('is told by its brand, not by its class', () => {
  expect(RealtimeError.is(new RealtimeError('FORBIDDEN'))).toBe(true);
  expect(RealtimeError.is(new Error('FORBIDDEN'))).toBe(false);
  expect(RealtimeError.is({ [Symbol.for('centrali.RealtimeError')]: true })).toBe(true);
});
