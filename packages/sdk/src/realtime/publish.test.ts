import { expect, test } from 'vitest';
import { makeClient, startServer } from '../testing/stream-server.ts';

const event = { event: 'order_paid', data: { total: 3 } };

test('publishes one event, or many, with the token in the header', async () => {
  const server = await startServer();
  const { realtime } = makeClient({ baseUrl: server.url, token: 't-1' });
  for (const [input, idempotencyKey] of [
    [event, undefined],
    [[event, event], 'k-1'],
  ] as const) {
    const result = realtime.publish(input, { idempotencyKey });
    const request = await server.next();
    expect(`${request.method} ${request.path}`).toBe('POST /realtime/workspace/demo/events');
    expect(request.headers).toMatchObject({ authorization: 'Bearer t-1', 'content-type': 'application/json' });
    expect(request.headers['idempotency-key']).toBe(idempotencyKey);
    expect(JSON.parse(request.body)).toEqual(input);
    request.json(202, { ids: ['e-1'] });
    expect(await result).toEqual({ ids: ['e-1'] });
  }
});

test('rejects with the code; nothing is repeated', async () => {
  const server = await startServer();
  const { realtime } = makeClient({ baseUrl: server.url, token: 't-1' });
  const result = realtime.publish(event);
  (await server.next()).refuse(503, 'UNAVAILABLE', 2);
  await expect(result).rejects.toMatchObject({ code: 'UNAVAILABLE', retryAfterMs: 2_000, requestId: 'req_test' });
  expect(server.count).toBe(1);
});

test('an expired token is replaced once', async () => {
  const server = await startServer();
  let count = 0;
  const { realtime } = makeClient({ baseUrl: server.url, getToken: () => `t-${++count}` });
  const result = realtime.publish(event);
  (await server.next()).refuse(401, 'TOKEN_EXPIRED');
  const again = await server.next();
  expect(again.token).toBe('t-2');
  again.refuse(401, 'TOKEN_EXPIRED');
  await expect(result).rejects.toMatchObject({ code: 'TOKEN_EXPIRED' });
});

test('a token that only the application can replace is told, and not sent again', async () => {
  const server = await startServer();
  const { realtime } = makeClient({ baseUrl: server.url, token: 't-1' });
  const result = realtime.publish(event);
  (await server.next()).refuse(401, 'TOKEN_EXPIRED');
  await expect(result).rejects.toMatchObject({ code: 'TOKEN_EXPIRED', status: 401 });
  await expect(realtime.publish(event)).rejects.toMatchObject({ code: 'TOKEN_EXPIRED' });
  expect(server.count).toBe(1);
});

test('without a token it rejects with MISSING_TOKEN and makes no request', async () => {
  await expect(makeClient({}).realtime.publish(event)).rejects.toMatchObject({ code: 'MISSING_TOKEN' });
});

test('an answer without ids is not ours', async () => {
  const { realtime } = makeClient({ token: 't-1', fetch: async () => Response.json({}) });
  await expect(realtime.publish(event)).rejects.toMatchObject({ code: 'NETWORK_ERROR' });
});
