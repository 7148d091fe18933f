import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { CentraliSDK } from './index.ts';
import { collector, fakeToken } from './testing/stream-server.ts';

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000_000_000 }));
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** A stream that says `connected` and then what the test writes. */
function stream(): { response: Response; write(text: string): void } {
  let controller: ReadableStreamDefaultController<Uint8Array>;
  const body = new ReadableStream<Uint8Array>({
    start(given) {
      controller = given;
    },
  });
  const write = (text: string): void => controller.enqueue(new TextEncoder().encode(text));
  write('id: e-0\nevent: system\ndata: {"type":"connected","connectionId":"c","resumed":false}\n\n');
  return { response: new Response(body, { headers: { 'content-type': 'text/event-stream' } }), write };
}

/** A client on a fetch whose answers the test gives. */
function setUp(options: object = { token: 't-1' }) {
  const requests: URL[] = [];
  let open = stream();
  const fetch = vi.fn(async (url: string, init?: RequestInit) => {
    requests.push(new URL(url));
    if (init?.method === 'POST') return new Response(null, { status: 204 });
    open = stream();
    return open.response;
  });
  const centrali = new CentraliSDK({
    baseUrl: 'https://example.com',
    workspaceId: 'demo',
    fetch: fetch as never,
    ...options,
  });
  const told: string[] = [];
  const subscription = centrali.realtime.subscribe({
    onEvent() {},
    onError: ({ code }) => told.push(code),
    onConnected: () => told.push('connected'),
    onDisconnected: (reason) => told.push(reason),
  });
  return { centrali, subscription, requests, told, fetch, write: (text: string) => open.write(text) };
}

const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

test('making a client makes no request and starts no timer', () => {
  const options = { baseUrl: 'https://example.com', workspaceId: 'demo', clientId: 'ci_1', clientSecret: 'sk_1' };
  expect(new CentraliSDK(options).getToken()).toBeNull();
  expect(vi.getTimerCount()).toBe(0);
});

test('setToken, getToken: null, undefined and the empty string sign out', () => {
  const { centrali } = setUp();
  expect(centrali.getToken()).toBe('t-1');
  centrali.setToken('t-2');
  expect(centrali.getToken()).toBe('t-2');
  for (const none of [null, undefined, '']) {
    centrali.setToken('t-3');
    centrali.setToken(none);
    expect(centrali.getToken()).toBeNull();
  }
  expect(() => centrali.setToken(7 as never)).toThrow(TypeError);
});

test('fetchServiceAccountToken without credentials rejects with a TypeError', async () => {
  await expect(setUp().centrali.fetchServiceAccountToken()).rejects.toThrow(TypeError);
});

test('onEvent is required', () => {
  const { centrali } = setUp();
  expect(() => centrali.realtime.subscribe({} as never)).toThrow(TypeError);
  expect(() => centrali.realtime.subscribe(undefined as never)).toThrow(TypeError);
});

test('45 s without a byte, and the connection is dead; each byte counts', async () => {
  const { requests, told, write } = setUp();
  await pass(0);
  for (let turn = 0; turn < 5; turn++) {
    await pass(40_000);
    write(': ping\n\n');
    await pass(0);
  }
  expect(told).toEqual(['connected']);
  await pass(50_000);
  await pass(1_000);
  expect(told).toEqual(['connected', 'network', 'connected']);
  expect(requests[1]!.searchParams.get('last_event_id')).toBe('e-0');
});

test('after sleep the stream is back at once, with a token that is not near its end', async () => {
  let count = 0;
  const { requests, told } = setUp({
    getToken: () => fakeToken({ jti: ++count, iat: Date.now() / 1000, exp: Date.now() / 1000 + 900 }),
  });
  await pass(0);
  expect(told).toEqual(['connected']);
  // The machine sleeps: the clock goes on, the timers do not.
  vi.setSystemTime(Date.now() + 3_600_000);
  await pass(5_000);
  await pass(1_000);
  expect(told).toEqual(['connected', 'network', 'connected']);
  expect(
    requests.map(({ searchParams }) => JSON.parse(atob(searchParams.get('access_token')!.split('.')[1]!)).jti),
  ).toEqual([1, 2]);
});

test('a token is renewed in place ahead of its end', async () => {
  let count = 0;
  const { requests, told } = setUp({
    getToken: () => fakeToken({ jti: ++count, iat: Date.now() / 1000, exp: Date.now() / 1000 + 5 }),
  });
  await pass(0);
  await pass(4_000);
  expect(requests.map(({ pathname }) => pathname.replace('/realtime/workspace/demo', ''))).toEqual([
    '/events',
    '/connections/c/token',
  ]);
  await pass(4_000);
  expect(requests).toHaveLength(3);
  expect(told).toEqual(['connected']);
});

test('offline ends the stream, online brings it back; the timer left over is none', async () => {
  const target = new EventTarget();
  vi.stubGlobal('addEventListener', target.addEventListener.bind(target));
  const { subscription, requests, told } = setUp();
  await pass(0);
  target.dispatchEvent(new Event('offline'));
  expect(subscription.state).toBe('offline');
  await pass(20_000);
  expect(requests).toHaveLength(1);
  target.dispatchEvent(new Event('online'));
  await pass(0);
  expect(told).toEqual(['connected', 'offline', 'connected']);
  // Who says offline and never online is not believed for ever.
  target.dispatchEvent(new Event('offline'));
  await pass(30_000);
  expect(told).toEqual(['connected', 'offline', 'connected', 'offline', 'connected']);
  subscription.unsubscribe();
  target.dispatchEvent(new Event('online'));
  await pass(0);
  expect(requests).toHaveLength(3);
  expect(vi.getTimerCount()).toBe(0);
});

test('a service on this machine needs no network', async () => {
  const target = new EventTarget();
  vi.stubGlobal('addEventListener', target.addEventListener.bind(target));
  const { subscription } = setUp({ token: 't-1', baseUrl: 'http://localhost:8080' });
  await pass(0);
  target.dispatchEvent(new Event('offline'));
  expect(subscription.state).toBe('open');
});

test('no head within 30 s is NETWORK_ERROR; then it backs off with full jitter', async () => {
  const { told, fetch } = setUp();
  fetch.mockImplementation(
    (_url, init) =>
      new Promise((_resolve, reject) => {
        init?.signal?.addEventListener('abort', () => reject(new Error('aborted')));
      }),
  );
  await pass(29_000);
  expect(told).toEqual([]);
  await pass(1_000);
  expect(told).toEqual(['NETWORK_ERROR']);
  await pass(1_000);
  expect(fetch).toHaveBeenCalledTimes(2);
});

test('what is unsubscribed while it connects is aborted', async () => {
  const { subscription, fetch } = setUp();
  const signals = collector<AbortSignal>();
  fetch.mockImplementation((_url, init) => {
    signals.push(init!.signal!);
    return new Promise(() => {});
  });
  await pass(0);
  const signal = await signals.next();
  subscription.unsubscribe();
  expect(signal.aborted).toBe(true);
});
