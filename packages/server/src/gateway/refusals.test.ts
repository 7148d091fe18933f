import { afterEach, describe, expect, it } from 'vitest';
import { gatewayOf, lineOf, NOW, tokenOf } from './gateway.fixture.ts';

type World = Awaited<ReturnType<typeof gatewayOf>>;
let world: World;
afterEach(() => world.close());

const bearer = async (): Promise<Record<string, string>> => ({ Authorization: `Bearer ${await tokenOf()}` });

describe('errors=stream', () => {
  const textOf = async (query: string): Promise<string> => {
    const reply = (await world.send({ query })) as Response;
    expect([reply.status, reply.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
    expect(reply.headers.get('cache-control')).toBe('no-store, no-transform');
    return reply.text();
  };

  it('answers a refusal as one system event that keeps a browser from hammering', async () => {
    world = await gatewayOf();
    expect(await textOf('errors=stream')).toBe(
      'retry: 86400000\n\nevent: system\ndata: {"type":"error","error":"Unauthorized","code":"MISSING_TOKEN","message":"No token was provided.","recoverable":false,"requestId":"req_1"}\n\n',
    );
    expect(await textOf(`errors=stream&access_token=${await tokenOf({ exp: NOW })}`)).toMatch(
      /^retry: 86400000\n\n.*"TOKEN_EXPIRED"/s,
    );
    expect(await textOf('errors=stream&unknown=1&access_token=x')).toContain('"BAD_REQUEST"');
  });

  it('lets a browser come back after Retry-After when that can help', async () => {
    world = await gatewayOf();
    world.behind.check = () => Promise.reject(new Error('down'));
    expect(await textOf(`errors=stream&access_token=${await tokenOf()}`)).toMatch(
      /^retry: 3000\n\n.*"AUTH_ERROR".*"retryAfter":3/s,
    );
  });

  it('is not for other methods, nor when it is not said properly', async () => {
    world = await gatewayOf();
    expect((await world.send({ method: 'POST', query: 'errors=stream', headers: await bearer() })).status).toBe(400);
    expect((await world.send({ query: 'errors=stream&errors=stream', headers: await bearer() })).status).toBe(400);
  });
});

describe('routes', () => {
  it('answer 404 and 405 with the methods there are, without a token', async () => {
    world = await gatewayOf();
    for (const rest of ['', 'event', 'events/', 'events/x.css', 'events;access_token=x', 'events%2f']) {
      expect(await lineOf(await world.send({}, rest))).toBe('404 NOT_FOUND');
    }
    const reply = (await world.send({ method: 'PUT' })) as Response;
    expect([reply.status, reply.headers.get('allow')]).toEqual([405, 'GET, POST, OPTIONS']);
  });

  it('answer UNAVAILABLE while draining', async () => {
    world = await gatewayOf();
    await world.gateway.drain(0);
    expect(world.gateway.status()).toMatchObject({ ready: false, draining: true });
    expect(await lineOf(await world.send({ headers: await bearer() }))).toBe('503 UNAVAILABLE');
  });
});
