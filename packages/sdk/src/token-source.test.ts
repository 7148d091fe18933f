import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemEnvironment } from './environment.ts';
import { fakeToken, makeClient } from './testing/stream-server.ts';
import { readClaims, samePrincipal } from './token-claims.ts';
import type { CentraliSDKOptions } from './types.ts';

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000_000_000 }));
afterEach(() => void vi.useRealTimers());

const sourceOf = (options: Partial<CentraliSDKOptions>) => makeClient(options, systemEnvironment).source;
const seconds = (): number => Date.now() / 1000;

describe('client credentials', () => {
  function endpoint(answers: (() => Response | Promise<Response>)[]) {
    const requests: [string, RequestInit][] = [];
    const source = sourceOf({
      clientId: 'ci:1',
      clientSecret: 'sk/ü 1',
      fetch: async (url, init) => {
        requests.push([new Request(url).url, init ?? {}]);
        const answer = answers.shift();
        if (!answer) throw new TypeError('fetch failed');
        return answer();
      },
    });
    return { source, requests };
  }
  const granted = (token: string) => () =>
    Response.json({ access_token: token, token_type: 'Bearer', expires_in: 100 });

  test('are sent by client_secret_basic, form-encoded first, without following redirects', async () => {
    const { source, requests } = endpoint([granted('t-1')]);
    expect(await source.acquire()).toBe('t-1');
    const [url, init] = requests[0]!;
    expect(url).toBe('http://127.0.0.1:1/oidc/token');
    expect(init).toMatchObject({ method: 'POST', body: 'grant_type=client_credentials', redirect: 'error' });
    const { authorization } = init.headers as Record<string, string>;
    expect(atob(authorization!.replace('Basic ', ''))).toBe('ci%3A1:sk%2F%C3%BC+1');
  });

  test('the token is kept, and asked for once by all who want it', async () => {
    const { source, requests } = endpoint([granted('t-1')]);
    expect(await Promise.all([source.acquire(), source.acquire()])).toEqual(['t-1', 't-1']);
    expect(await source.acquire()).toBe('t-1');
    expect(source.current()).toBe('t-1');
    expect(requests).toHaveLength(1);
  });

  test('grant always asks, single flight, and sets nothing', async () => {
    const { source, requests } = endpoint([granted('t-1'), granted('t-2')]);
    expect(await Promise.all([source.grant(), source.grant()])).toEqual(['t-1', 't-1']);
    expect(source.current()).toBeNull();
    expect(await source.grant()).toBe('t-2');
    expect(requests).toHaveLength(2);
  });

  test('a dead token is replaced', async () => {
    const { source } = endpoint([granted('t-1'), granted('t-2')]);
    source.bury((await source.acquire())!);
    expect(await source.acquire()).toBe('t-2');
  });

  test.each([
    [401, { error: 'invalid_client' }, 'INVALID_CLIENT'],
    [400, { error: 'unauthorized_client' }, 'INVALID_CLIENT'],
    [400, { error: 'invalid_scope' }, 'BAD_REQUEST'],
    [429, { error: 'slow_down' }, 'RATE_LIMIT_EXCEEDED'],
    [503, { error: 'temporarily_unavailable' }, 'AUTH_ERROR'],
    [503, { code: 'UNAVAILABLE' }, 'UNAVAILABLE'],
    [502, 'Bad Gateway', 'NETWORK_ERROR'],
    [200, { token_type: 'Bearer' }, 'NETWORK_ERROR'],
  ])('%i %j is %s', async (status, body, code) => {
    const { source } = endpoint([() => Response.json(body, { status, headers: { 'retry-after': '7' } })]);
    await expect(source.acquire()).rejects.toMatchObject({ code });
  });

  test('no answer at all is NETWORK_ERROR, and so is none within 30 s', async () => {
    await expect(endpoint([]).source.acquire()).rejects.toMatchObject({ code: 'NETWORK_ERROR' });
    const source = sourceOf({
      clientId: 'ci_1',
      clientSecret: 'sk_1',
      fetch: (_url, init) =>
        new Promise((_resolve, reject) => {
          init?.signal?.addEventListener('abort', () => reject(new Error('aborted')));
        }),
    });
    const answer = expect(source.acquire()).rejects.toMatchObject({ code: 'NETWORK_ERROR' });
    await vi.advanceTimersByTimeAsync(30_000);
    await answer;
  });

  test('without credentials grant rejects with a TypeError', async () => {
    await expect(sourceOf({ token: 't' }).grant()).rejects.toThrow(TypeError);
  });
});

describe('getToken', () => {
  test('is asked before each use, once for all at the same time', async () => {
    const getToken = vi.fn(async () => 't-1');
    const source = sourceOf({ getToken });
    expect(await Promise.all([source.acquire(), source.acquire()])).toEqual(['t-1', 't-1']);
    await source.acquire();
    expect(getToken).toHaveBeenCalledTimes(2);
  });

  test('what the application has set goes first, also while getToken is busy', async () => {
    let resolve: (token: string) => void = () => {};
    const source = sourceOf({
      getToken: () =>
        new Promise((done) => {
          resolve = done;
        }),
    });
    const answer = source.acquire();
    source.set('mine');
    resolve('late');
    expect(await answer).toBe('mine');
    expect(await source.acquire()).toBe('mine');
  });

  test.each([null, undefined, ''])('%j means that there is none', async (none) => {
    expect(await sourceOf({ getToken: () => none }).acquire()).toBeNull();
  });

  test('a failure is AUTH_ERROR, unless the present token still lives', async () => {
    let broken = false;
    const source = sourceOf({
      getToken() {
        if (broken) throw new Error('mine');
        return 't-1';
      },
    });
    await source.acquire();
    broken = true;
    expect(await source.acquire()).toBe('t-1');
    await expect(source.acquire(true)).rejects.toMatchObject({ code: 'AUTH_ERROR', cause: new Error('mine') });
    source.bury('t-1');
    await expect(source.acquire()).rejects.toMatchObject({ code: 'AUTH_ERROR' });
  });

  test('with manual it is asked for the first token only', async () => {
    const getToken = vi.fn(() => 't-1');
    const source = sourceOf({ getToken, tokenRefresh: 'manual' });
    source.bury((await source.acquire())!);
    expect(await source.acquire(true)).toBe('t-1');
    expect(getToken).toHaveBeenCalledOnce();
  });
});

test('listeners are told of each new token, and of the same one never', () => {
  const source = sourceOf({ token: 'a' });
  const told: (string | null)[] = [];
  const end = source.onChange((token) => told.push(token));
  source.set('a');
  source.set('b');
  source.set(null);
  source.set(null);
  end();
  source.set('c');
  expect(told).toEqual(['b', null]);
});

test('dead tokens are remembered, 64 at most', () => {
  const source = sourceOf({});
  for (let n = 0; n < 65; n++) source.bury(`t-${n}`);
  expect([source.isDead('t-0'), source.isDead('t-1'), source.isDead('t-64'), source.isDead(null)]).toEqual([
    false,
    true,
    true,
    false,
  ]);
});

describe('when to renew', () => {
  const within = (ms: number | undefined, from: number, to: number): void => {
    expect(ms).toBeGreaterThanOrEqual(from);
    expect(ms).toBeLessThanOrEqual(to);
  };

  test('some minutes ahead of exp; for short lives a fifth to a third', () => {
    within(
      sourceOf({ token: fakeToken({ iat: seconds(), exp: seconds() + 3_600 }) }).renewInMs(),
      3_300_000,
      3_480_000,
    );
    within(sourceOf({ token: fakeToken({ iat: seconds(), exp: seconds() + 5 }) }).renewInMs(), 2_500, 3_250);
  });

  test('time goes by', () => {
    const source = sourceOf({ token: fakeToken({ iat: seconds(), exp: seconds() + 5 }) });
    vi.advanceTimersByTime(4_100);
    expect(source.renewInMs()).toBe(0);
  });

  test('a clock that is ahead does no harm: the length of life counts', () => {
    const ahead = sourceOf({ token: fakeToken({ iat: seconds() - 7_200, exp: seconds() - 3_600 }) });
    within(ahead.renewInMs(), 3_300_000, 3_480_000);
  });

  test('of an opaque token nothing is known', () => {
    expect(sourceOf({ token: 'opaque' }).renewInMs()).toBeUndefined();
    expect(sourceOf({}).renewInMs()).toBeUndefined();
  });
});

test('claims are read from any JWT, and from nothing else', () => {
  expect(readClaims(fakeToken({ iss: 'ü', sub: '>?~', iat: 1, exp: 2 }))).toEqual({
    principal: '["ü",">?~"]',
    issuedAt: 1_000,
    expiresAt: 2_000,
  });
  for (const text of ['', 'a.b.c', 'a', '..', 'a.bnVsbA.c', 'a.W10.c']) {
    expect(readClaims(text)).toEqual({ principal: undefined, issuedAt: undefined, expiresAt: undefined });
  }
});

test('two tokens are of one principal only when both say so', () => {
  expect(samePrincipal(fakeToken({ jti: '1' }), fakeToken({ jti: '2' }))).toBe(true);
  expect(samePrincipal(fakeToken(), fakeToken({ sub: 'bob' }))).toBe(false);
  expect(samePrincipal(fakeToken(), fakeToken({ iss: 'https://other' }))).toBe(false);
  expect(samePrincipal('opaque', 'other')).toBe(false);
  expect(samePrincipal('opaque', 'opaque')).toBe(true);
});
