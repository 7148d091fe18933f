import { RealtimeError, type ServerErrorCode } from '@centrali-io/protocol';
import { expect, test, vi } from 'vitest';
import { collector, fakeToken, hastyEnvironment, makeClient, startServer } from '../testing/stream-server.ts';
import type { SubscribeOptions } from '../types.ts';

/** Handlers that note everything they are called with. */
function noting() {
  const events = collector<string>();
  const told = collector<string>();
  const handlers = {
    onEvent: (_event: unknown, { id }: { id: string }) => events.push(id),
    onError: (error: RealtimeError) => told.push(error.code),
    onConnected: ({ connectionId, resumed }: { connectionId: string; resumed: boolean }) =>
      told.push(`connected ${connectionId}${resumed ? ' resumed' : ''}`),
    onDisconnected: (reason: string) => told.push(`disconnected ${reason}`),
    onGap: ({ reason, id }: { reason: string; id: string }) => events.push(`gap ${reason} ${id}`),
  } satisfies SubscribeOptions;
  return { events, told, handlers };
}

test('the token travels in the query by default, with the selection and no header of our own', async () => {
  const server = await startServer();
  const { realtime } = makeClient({ baseUrl: server.url, token: 't-1' });
  const { events, told, handlers } = noting();
  const subscription = realtime.subscribe({
    ...handlers,
    structures: ['order', 'invoice'],
    events: ['record_created'],
    filter: 'data.status:pending',
    lastEventId: 'e-9',
  });
  expect(subscription).toMatchObject({ state: 'idle', connectionId: null, lastEventId: 'e-9' });
  const request = await server.next();
  expect(request.method).toBe('GET');
  expect(request.path).toBe('/realtime/workspace/demo/events');
  expect(Object.fromEntries(request.query)).toEqual({
    structures: 'order,invoice',
    events: 'record_created',
    filter: 'data.status:pending',
    last_event_id: 'e-9',
    access_token: 't-1',
  });
  expect(request.headers.authorization).toBeUndefined();
  request.open('c-1', { id: 'e-9', resumed: true });
  request.event('e-10');
  expect(await events.next()).toBe('e-10');
  expect(await told.next()).toBe('connected c-1 resumed');
  await Promise.resolve();
  expect(subscription).toMatchObject({ state: 'open', connectionId: 'c-1', lastEventId: 'e-10' });
  subscription.unsubscribe();
  expect(subscription).toMatchObject({ state: 'closed', connectionId: null, lastEventId: 'e-10' });
  expect(await told.next()).toBe('disconnected unsubscribed');
  await request.gone;
});

test('a block of a name that is not known moves the cursor, and the stream goes on', async () => {
  const event = JSON.stringify({ event: 'made', data: {} });
  const connected = JSON.stringify({ type: 'connected', connectionId: 'c-1', resumed: false });
  const blocks = `event: system\ndata: ${connected}\n\nid: e-1\nevent: later\ndata: 1\n\nid: e-2\ndata: ${event}\n\n`;
  const fetch = async () => new Response(blocks, { headers: { 'content-type': 'text/event-stream' } });
  const { realtime } = makeClient({ baseUrl: 'http://127.0.0.1:1', token: 't-1', fetch });
  const { events, handlers } = noting();
  const subscription = realtime.subscribe(handlers);
  expect(await events.next()).toBe('e-2');
  subscription.unsubscribe();
});

test('delivery by header', async () => {
  const server = await startServer();
  const { realtime } = makeClient({ baseUrl: server.url, token: 't-1', tokenDelivery: 'header' });
  realtime.subscribe(noting().handlers);
  const request = await server.next();
  expect(request.headers.authorization).toBe('Bearer t-1');
  expect(request.query.has('access_token')).toBe(false);
});

test('delivery by ticket: a new one for each connect', async () => {
  const server = await startServer();
  const { realtime } = makeClient({ baseUrl: server.url, token: 't-1', tokenDelivery: 'ticket' });
  const { told, handlers } = noting();
  realtime.subscribe(handlers);
  for (const ticket of ['one', 'two']) {
    const order = await server.next();
    expect(`${order.method} ${order.path} ${order.headers.authorization}`).toBe(
      'POST /realtime/workspace/demo/tickets Bearer t-1',
    );
    order.json(201, { ticket, expiresIn: 60 });
    const request = await server.next();
    expect(Object.fromEntries(request.query)).toMatchObject({ ticket });
    expect(request.query.has('access_token')).toBe(false);
    request.open(ticket);
    expect(await told.next()).toBe(`connected ${ticket}`);
    request.system({ type: 'closing', reason: 'lifetime' });
    expect(await told.next()).toBe('disconnected lifetime');
  }
});

test('a refused ticket is what the stream is refused with', async () => {
  const server = await startServer();
  const { realtime } = makeClient({ baseUrl: server.url, token: 't-1', tokenDelivery: 'ticket' });
  const { told, handlers } = noting();
  realtime.subscribe(handlers);
  (await server.next()).refuse(403, 'FORBIDDEN');
  expect(await told.next()).toBe('FORBIDDEN');
});

test('subscribe and unsubscribe in one tick make no request and call nobody', async () => {
  const server = await startServer();
  const { realtime } = makeClient({ baseUrl: server.url, token: 't-1' });
  const { told, handlers } = noting();
  realtime.subscribe(handlers).unsubscribe();
  const second = realtime.subscribe(handlers);
  await server.next();
  expect(server.count).toBe(1);
  expect(told.all).toEqual([]);
  second.unsubscribe();
  second.unsubscribe();
});

test.each<[number, ServerErrorCode]>([
  [401, 'MISSING_TOKEN'],
  [401, 'INVALID_TOKEN'],
  [403, 'WORKSPACE_MISMATCH'],
  [403, 'FORBIDDEN'],
  [400, 'INVALID_FILTER'],
  [404, 'NOT_FOUND'],
])('%i %s stops, and a different token starts again', async (status, code) => {
  const server = await startServer();
  const { realtime, source } = makeClient({ baseUrl: server.url, token: 't-1' });
  const { told, handlers } = noting();
  const subscription = realtime.subscribe(handlers);
  (await server.next()).refuse(status, code);
  expect(await told.next()).toBe(code);
  expect(subscription.state).toBe('stopped');
  source.set('t-1');
  expect(subscription.state).toBe('stopped');
  source.set('t-2');
  const request = await server.next();
  expect(request.token).toBe('t-2');
  request.open('c-2');
  expect(await told.next()).toBe('connected c-2');
});

test.each<[number, ServerErrorCode]>([
  [503, 'AUTH_ERROR'],
  [503, 'UNAVAILABLE'],
  [429, 'RATE_LIMIT_EXCEEDED'],
  [500, 'INTERNAL_ERROR'],
])('%i %s is told, then tried again, not before Retry-After', async (status, code) => {
  const server = await startServer();
  const env = hastyEnvironment();
  const { realtime } = makeClient({ baseUrl: server.url, token: 't-1' }, env);
  const errors = collector<RealtimeError>();
  const { handlers } = noting();
  realtime.subscribe({ ...handlers, onError: (error) => errors.push(error) });
  (await server.next()).refuse(status, code, 3);
  const error = await errors.next();
  expect(error).toMatchObject({ code, status, recoverable: true, requestId: 'req_test', retryAfterMs: 3_000 });
  (await server.next()).json(503, {}, { 'retry-after': '2' });
  expect(await errors.next()).toMatchObject({ code: 'NETWORK_ERROR', status: 503, retryAfterMs: 2_000 });
  (await server.next()).open('c-3');
  expect(env.waits).toEqual(expect.arrayContaining([3_000 + 500, 2_000 + 1_000]));
});

test('TOKEN_EXPIRED: onError first, once, awaited; then the different token; the dead one never again', async () => {
  const server = await startServer();
  const { realtime, source } = makeClient({ baseUrl: server.url, token: 't-1' });
  const { told, handlers } = noting();
  let release: () => void = () => {};
  const subscription = realtime.subscribe({
    ...handlers,
    async onError(error) {
      told.push(error.code);
      await new Promise<void>((resolve) => {
        release = resolve;
      });
    },
  });
  (await server.next()).refuse(401, 'TOKEN_EXPIRED');
  expect(await told.next()).toBe('TOKEN_EXPIRED');
  expect(subscription.state).toBe('waiting_for_token');
  release();
  await vi.waitFor(() => expect(subscription.state).toBe('waiting_for_token'));
  expect(server.count).toBe(1);
  source.set('t-2');
  const request = await server.next();
  expect(request.token).toBe('t-2');
  // A second subscription with a token that is known to be dead is told so without a request.
  source.set('t-1');
  const other = noting();
  realtime.subscribe(other.handlers);
  expect(await other.told.next()).toBe('TOKEN_EXPIRED');
  expect(server.count).toBe(2);
});

test('a handler that does not return its promise works as well', async () => {
  const server = await startServer();
  const { realtime, source } = makeClient({ baseUrl: server.url, token: 't-1' });
  const refreshToken = async (): Promise<string> => 't-2';
  const refresh = async (): Promise<void> => source.set(await refreshToken());
  realtime.subscribe({
    ...noting().handlers,
    onError(error) {
      if (error.code === 'TOKEN_EXPIRED') void refresh();
    },
  });
  (await server.next()).refuse(401, 'TOKEN_EXPIRED');
  expect((await server.next()).token).toBe('t-2');
});

test('TOKEN_EXPIRED on the open stream: the cursor is kept', async () => {
  const server = await startServer();
  const one = fakeToken({ jti: '1' });
  const two = fakeToken({ jti: '2' });
  const { realtime, source } = makeClient({ baseUrl: server.url, token: one });
  const { events, told, handlers } = noting();
  realtime.subscribe({
    ...handlers,
    onError(error) {
      told.push(error.code);
      source.set(two);
    },
  });
  const request = await server.next();
  request.open('c-1');
  request.event('e-1');
  request.system({ type: 'error', code: 'TOKEN_EXPIRED', message: 'x', requestId: 'req_1' });
  expect([await told.next(), await told.next(), await told.next()]).toEqual([
    'connected c-1',
    'disconnected expired',
    'TOKEN_EXPIRED',
  ]);
  const again = await server.next();
  expect(again.token).toBe(two);
  expect(again.query.get('last_event_id')).toBe('e-1');
  expect(events.all).toEqual(['e-1']);
});

test('a cut in the middle of a chunk: nothing is lost, nothing comes twice', async () => {
  const server = await startServer();
  const { realtime } = makeClient({ baseUrl: server.url, token: 't-1' });
  const { events, told, handlers } = noting();
  realtime.subscribe(handlers);
  const request = await server.next();
  request.open('c-1');
  request.event('e-1');
  request.response.write('id: e-2\nevent: message\ndata: {"event":"ma');
  expect(await events.next()).toBe('e-1');
  request.response.destroy();
  expect([await told.next(), await told.next()]).toEqual(['connected c-1', 'disconnected network']);
  const again = await server.next();
  expect(again.query.get('last_event_id')).toBe('e-1');
  again.open('c-2', { id: 'e-1', resumed: true });
  again.event('e-2');
  again.event('e-3');
  expect([await events.next(), await events.next()]).toEqual(['e-2', 'e-3']);
  expect(events.all).toEqual(['e-1', 'e-2', 'e-3']);
});

test('position and gap move the cursor; a gap is told in order', async () => {
  const server = await startServer();
  const { realtime } = makeClient({ baseUrl: server.url, token: 't-1' });
  const { events, handlers } = noting();
  const subscription = realtime.subscribe(handlers);
  const request = await server.next();
  request.open('c-1', { id: 'e-5' });
  request.event('e-6');
  request.system({ type: 'gap', reason: 'behind' }, 'e-8');
  request.event('e-9');
  request.system({ type: 'position' }, 'e-20');
  expect([await events.next(), await events.next(), await events.next()]).toEqual(['e-6', 'gap behind e-8', 'e-9']);
  await vi.waitFor(() => expect(subscription.lastEventId).toBe('e-20'));
  request.response.end();
  expect((await server.next()).query.get('last_event_id')).toBe('e-20');
});

test.each(['lifetime', 'drain', 'slow_consumer', 'replaced', 'closed'])(
  'closing %s is followed by a reconnect',
  async (reason) => {
    const server = await startServer();
    const { realtime } = makeClient({ baseUrl: server.url, token: 't-1' });
    const { told, handlers } = noting();
    realtime.subscribe(handlers);
    const request = await server.next();
    request.open('c-1', { id: 'e-7' });
    request.system({ type: 'closing', reason });
    expect([await told.next(), await told.next()]).toEqual(['connected c-1', `disconnected ${reason}`]);
    expect((await server.next()).query.get('last_event_id')).toBe('e-7');
  },
);

test.each([
  ['another server', (url: string) => fetch(url)],
  ['a 200 that is no stream', async () => new Response('<html>')],
  [
    'a stream that is not ours',
    async () => new Response('data: 1\n\n', { headers: { 'content-type': 'text/event-stream' } }),
  ],
  ['an error that is not ours', async () => new Response('Bad Gateway', { status: 502 })],
])('no answer of ours is NETWORK_ERROR, which names the URL and not the token: %s', async (_name, answer) => {
  const { realtime } = makeClient({ token: 'secret-token', fetch: (url) => answer(new Request(url).url) });
  const errors = collector<RealtimeError>();
  const subscription = realtime.subscribe({ onEvent() {}, onError: (error) => errors.push(error) });
  const error = await errors.next();
  subscription.unsubscribe();
  expect(error.code).toBe('NETWORK_ERROR');
  expect(error.message).toContain('http://127.0.0.1:1/realtime/workspace/demo/events');
  expect(error.message).not.toContain('secret');
});

test('no redirect is followed', async () => {
  const server = await startServer();
  const { realtime } = makeClient({ baseUrl: server.url, token: 't-1' });
  const { told, handlers } = noting();
  realtime.subscribe(handlers);
  const request = await server.next();
  request.response.writeHead(307, { location: `${server.url}/elsewhere?${request.query}` });
  request.response.end();
  expect(await told.next()).toBe('NETWORK_ERROR');
  expect((await server.next()).path).toBe('/realtime/workspace/demo/events');
});

test('handlers are called one after the other; what they throw is HANDLER_ERROR and the stream goes on', async () => {
  const server = await startServer();
  const { realtime } = makeClient({ baseUrl: server.url, token: 't-1' });
  const log = collector<string>();
  const subscription = realtime.subscribe({
    async onEvent(_event, { id }) {
      log.push(`begin ${id} after ${subscription.lastEventId}`);
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      log.push(`end ${id}`);
      if (id === 'e-1') throw new Error('mine');
    },
    onError: ({ code, cause }) => log.push(`${code} ${(cause as Error).message}`),
  });
  const request = await server.next();
  request.open('c-1');
  request.event('e-1');
  request.event('e-2');
  const expected = ['begin e-1 after e-0', 'end e-1', 'HANDLER_ERROR mine', 'begin e-2 after e-1', 'end e-2'];
  for (const line of expected) expect(await log.next()).toBe(line);
});

test('a slow handler slows the reading down, and the queue stays bounded', async () => {
  let sent = 0;
  const stream = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        controller.enqueue(
          new TextEncoder().encode('event: system\ndata: {"type":"connected","connectionId":"c"}\n\n'),
        );
      },
      pull(controller) {
        controller.enqueue(new TextEncoder().encode(`id: e-${++sent}\ndata: {"event":"made"}\n\n`));
      },
    },
    { highWaterMark: 1 },
  );
  const answer = new Response(stream, { headers: { 'content-type': 'text/event-stream' } });
  const { realtime } = makeClient({ token: 't-1', fetch: async () => answer });
  const events = collector<string>();
  let release: () => void = () => {};
  const subscription = realtime.subscribe({
    onEvent(_event, { id }) {
      events.push(id);
      return (
        id === 'e-1' &&
        new Promise<void>((resolve) => {
          release = resolve;
        })
      );
    },
  });
  expect(await events.next()).toBe('e-1');
  await vi.waitFor(() => expect(sent).toBeGreaterThan(100));
  const before = sent;
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(sent).toBe(before);
  expect(sent).toBeLessThan(200);
  release();
  while ((await events.next()) !== `e-${before + 10}`);
  subscription.unsubscribe();
  expect(events.all).toEqual(events.all.map((_id, index) => `e-${index + 1}`));
});

test('a new token of the same principal renews the open stream in place', async () => {
  const server = await startServer();
  const { realtime, source } = makeClient({ baseUrl: server.url, token: fakeToken({ jti: '1' }) });
  const { events, told, handlers } = noting();
  realtime.subscribe(handlers);
  const request = await server.next();
  request.open('c 1');
  expect(await told.next()).toBe('connected c 1');
  const two = fakeToken({ jti: '2' });
  source.set(two);
  const renewal = await server.next();
  expect(`${renewal.method} ${renewal.path}`).toBe('POST /realtime/workspace/demo/connections/c%201/token');
  expect(renewal.headers.authorization).toBe(`Bearer ${two}`);
  renewal.response.writeHead(204).end();
  request.event('e-1');
  expect(await events.next()).toBe('e-1');
  expect(server.count).toBe(2);
  // At the next reconnect it is the one that is used.
  request.response.end();
  expect((await server.next()).token).toBe(two);
});

test('a token of another principal closes the stream at once, drops what is queued and forgets the cursor', async () => {
  const server = await startServer();
  const { realtime, source } = makeClient({ baseUrl: server.url, token: fakeToken() });
  const { events, told, handlers } = noting();
  let release: () => void = () => {};
  const subscription = realtime.subscribe({
    ...handlers,
    onEvent(_event, { id }) {
      events.push(id);
      if (id === 'e-1') {
        return new Promise<void>((resolve) => {
          release = resolve;
        });
      }
      return undefined;
    },
  });
  const request = await server.next();
  request.open('c-1');
  request.event('e-1');
  request.event('e-2');
  expect(await events.next()).toBe('e-1');
  source.set(fakeToken({ sub: 'bob' }));
  expect(subscription.lastEventId).toBeNull();
  release();
  expect([await told.next(), await told.next()]).toEqual(['connected c-1', 'disconnected closed']);
  const again = await server.next();
  expect(again.query.has('last_event_id')).toBe(false);
  again.open('c-2', { id: 'e-7' });
  again.event('e-8');
  expect(await events.next()).toBe('e-8');
  expect(events.all).toEqual(['e-1', 'e-8']);
});

test('null closes the stream with MISSING_TOKEN; the same principal later goes on without loss', async () => {
  const server = await startServer();
  const token = fakeToken();
  const { realtime, source } = makeClient({ baseUrl: server.url, token });
  const { told, handlers } = noting();
  realtime.subscribe(handlers);
  const request = await server.next();
  request.open('c-1', { id: 'e-3' });
  await told.next();
  source.set(null);
  expect([await told.next(), await told.next()]).toEqual(['disconnected error', 'MISSING_TOKEN']);
  await request.gone;
  source.set(token);
  expect((await server.next()).query.get('last_event_id')).toBe('e-3');
});

test('beforeExpiry: renewal in place, and the new stream before the old one where that is not possible', async () => {
  const server = await startServer();
  let count = 0;
  const { realtime } = makeClient({
    baseUrl: server.url,
    getToken: async () => fakeToken({ jti: String(++count), exp: Math.floor(Date.now() / 1000) + 3_600 }),
  });
  const { events, told, handlers } = noting();
  realtime.subscribe(handlers);
  const first = await server.next();
  first.open('c-1');
  first.event('e-1');
  expect(await events.next()).toBe('e-1');
  first.system({ type: 'expiring', at: '' });
  const renewal = await server.next();
  expect(renewal.path).toBe('/realtime/workspace/demo/connections/c-1/token');
  renewal.refuse(404, 'NOT_FOUND');
  const second = await server.next();
  expect(second.token).toBe(renewal.token);
  expect(second.query.get('last_event_id')).toBe('e-1');
  // The old one still delivers, and the new one repeats it from its cursor on.
  first.event('e-2');
  expect(await events.next()).toBe('e-2');
  second.open('c-2', { id: 'e-1', resumed: true });
  for (const id of ['e-2', 'e-3']) second.event(id);
  await first.gone;
  expect(await events.next()).toBe('e-3');
  expect(events.all).toEqual(['e-1', 'e-2', 'e-3']);
  expect(told.all).toEqual(['connected c-1', 'connected c-2 resumed']);
});

test('onExpiry: the SDK gets a token itself, after onError', async () => {
  const server = await startServer();
  const { realtime } = makeClient({ baseUrl: server.url, clientId: 'ci_1', clientSecret: 'sk_1' });
  const { told, handlers } = noting();
  realtime.subscribe(handlers);
  (await server.next()).json(200, { access_token: 't-1', token_type: 'Bearer', expires_in: 60 });
  (await server.next()).refuse(401, 'TOKEN_EXPIRED');
  expect(await told.next()).toBe('TOKEN_EXPIRED');
  const order = await server.next();
  expect(order.path).toBe('/oidc/token');
  order.json(200, { access_token: 't-2', token_type: 'Bearer', expires_in: 60 });
  expect((await server.next()).token).toBe('t-2');
});

test('refused client credentials stop with INVALID_CLIENT', async () => {
  const server = await startServer();
  const { realtime } = makeClient({ baseUrl: server.url, clientId: 'ci_1', clientSecret: 'sk_1' });
  const { told, handlers } = noting();
  const subscription = realtime.subscribe(handlers);
  (await server.next()).json(401, { error: 'invalid_client' });
  expect(await told.next()).toBe('INVALID_CLIENT');
  expect(subscription.state).toBe('stopped');
});

test('without onError, final errors and the first of an outage are printed, with the remedy and without tokens', async () => {
  const server = await startServer();
  const lines: string[] = [];
  const print = vi.spyOn(console, 'error').mockImplementation((line: string) => void lines.push(line));
  const token = fakeToken();
  const { realtime } = makeClient({ baseUrl: server.url, token });
  realtime.subscribe({
    onEvent() {
      throw new Error(`thrown with ${token}`);
    },
  });
  (await server.next()).refuse(503, 'UNAVAILABLE');
  (await server.next()).refuse(503, 'UNAVAILABLE');
  const request = await server.next();
  request.open('c-1');
  request.event('e-1');
  request.system({ type: 'error', code: 'FORBIDDEN', message: 'No.', requestId: 'req_9' });
  await request.gone;
  await vi.waitFor(() => expect(lines).toHaveLength(3));
  print.mockRestore();
  expect(lines[0]).toMatch(/^\[centrali\] UNAVAILABLE: .*Wait; the SDK retries\./);
  expect(lines.join()).toContain('[centrali] FORBIDDEN: No. Ask an administrator');
  expect(lines.join()).toContain('thrown with [token]');
  expect(lines.join()).not.toContain(token);
});

test('a handler that unsubscribes hears nothing more', async () => {
  const server = await startServer();
  const { realtime } = makeClient({ baseUrl: server.url, token: 't-1' });
  const { events, told, handlers } = noting();
  const subscription = realtime.subscribe({
    ...handlers,
    onEvent(event, context) {
      handlers.onEvent(event, context);
      subscription.unsubscribe();
    },
  });
  const request = await server.next();
  request.open('c-1');
  request.event('e-1');
  request.event('e-2');
  await request.gone;
  expect(events.all).toEqual(['e-1']);
  expect(told.all).toEqual(['connected c-1', 'disconnected unsubscribed']);
  expect(subscription.lastEventId).toBe('e-1');
});

test("what a handler throws after unsubscribe is nobody's business any more", async () => {
  const server = await startServer();
  const { realtime } = makeClient({ baseUrl: server.url, token: 't-1' });
  const { events, told, handlers } = noting();
  let fail: (cause: Error) => void = () => {};
  const subscription = realtime.subscribe({
    ...handlers,
    onEvent: (event, context) => {
      handlers.onEvent(event, context);
      return new Promise((_resolve, reject) => {
        fail = reject;
      });
    },
  });
  const request = await server.next();
  request.open('c-1');
  request.event('e-1');
  await events.next();
  subscription.unsubscribe();
  fail(new Error('mine'));
  await request.gone;
  expect(told.all).toEqual(['connected c-1', 'disconnected unsubscribed']);
});
