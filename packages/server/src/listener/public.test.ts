import { describe, expect, it } from 'vitest';
import type { Connection } from '../gateway/index.ts';
import { EVENTS, headOf, startListener, streamReply } from './listener.fixture.ts';

const origin = 'https://app.example.com';

describe('routing', () => {
  it('says that it lives and that it is ready', async () => {
    const { url } = await startListener();
    expect(await (await fetch(`${url}/healthz`)).json()).toEqual({ status: 'alive' });
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    expect((await fetch(`${url}/healthz`, { method: 'POST' })).status).toBe(405);
  });

  it('gives what is not realtime to IAM', async () => {
    const { url, reached } = await startListener();
    expect((await fetch(`${url}/oidc/token`, { method: 'POST', body: 'a=b' })).status).toBe(401);
    expect((await fetch(`${url}/nothing`)).status).toBe(404);
    expect(reached).toEqual(['POST /oidc/token', 'GET /nothing']);
  });

  it.each(['my-workspace%2F..%2Fother', '..', 'Demo', 'a;v=1', '%00', '<script>'])(
    'refuses the workspace %s, and does not repeat it',
    async (slug) => {
      const server = await startListener();
      const text = await server.raw(headOf(`GET /realtime/workspace/${slug}/events`)).text('requestId');
      expect(text).toContain('HTTP/1.1 400');
      expect(text.slice(text.indexOf('\r\n\r\n'))).not.toContain(slug);
      expect(server.reached).toEqual([]);
    },
  );

  it('serves files, and nothing beside them', async () => {
    const { url } = await startListener({
      file: (path) => (path === '/-/a.js' ? { type: 'text/javascript', bytes: Buffer.from('1') } : undefined),
    });
    const answer = await fetch(`${url}/-/a.js`, { headers: { origin } });
    expect(await answer.text()).toBe('1');
    expect(answer.headers.get('access-control-allow-origin')).toBe(origin);
    expect((await fetch(`${url}/-/../a.js`)).status).toBe(404);
    expect((await fetch(`${url}/-/a.js`, { method: 'DELETE' })).status).toBe(405);
  });

  it('turns a fault into INTERNAL_ERROR, without its text', async () => {
    const { url } = await startListener({
      handle: () => {
        throw new Error('the secret text');
      },
    });
    const answer = await fetch(`${url}${EVENTS}`);
    expect(answer.status).toBe(500);
    expect(await answer.text()).not.toContain('secret');
  });
});

describe('CORS', () => {
  it('answers preflights without asking anyone', async () => {
    const { url, reached } = await startListener();
    const preflight = (from: string): Promise<Response> =>
      fetch(`${url}${EVENTS}`, {
        method: 'OPTIONS',
        headers: { origin: from, 'access-control-request-method': 'GET' },
      });
    const good = await preflight(origin);
    expect(good.status).toBe(204);
    expect(good.headers.get('access-control-max-age')).toBe('86400');
    expect((await preflight('https://evil.example')).headers.has('access-control-allow-origin')).toBe(false);
    expect(reached).toEqual([]);
  });

  it.each([EVENTS, '/oidc/token', '/readyz', '/realtime/workspace/NO/events'])(
    'is on every answer of %s',
    async (path) => {
      const { url } = await startListener({ handle: () => new Response('{}', { status: 401 }) });
      const answer = await fetch(`${url}${path}`, { headers: { origin } });
      expect(answer.headers.get('access-control-allow-origin')).toBe(origin);
      expect(answer.headers.get('access-control-expose-headers')).toBe('WWW-Authenticate, Retry-After');
      expect(answer.headers.get('vary')).toBe('Origin');
      await answer.body?.cancel();
    },
  );

  it('grants nothing when the origin is repeated', async () => {
    const server = await startListener();
    const text = await server.raw(headOf(`GET ${EVENTS}`, `Origin: ${origin}`, `Origin: ${origin}`)).text('requestId');
    expect(text).toContain('HTTP/1.1 400');
    expect(text).not.toContain('access-control-allow-origin');
  });
});

describe('limits per address', () => {
  it('refuses connects over the rate before the gateway sees them, with Retry-After', async () => {
    const { url, reached } = await startListener({
      limits: { connectionsPerAddress: 0, connectsPerSecondPerAddress: 1 },
      monotonic: () => 0,
      handle: () => new Response('{}'),
    });
    const statuses: number[] = [];
    for (let i = 0; i < 4; i += 1) {
      const answer = await fetch(`${url}${EVENTS}`);
      statuses.push(answer.status);
      if (answer.status === 429) {
        expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
        expect(await answer.json()).toMatchObject({ code: 'RATE_LIMIT_EXCEEDED', recoverable: true });
      }
    }
    expect(statuses).toEqual([200, 200, 429, 429]);
    expect(reached).toHaveLength(2);
  });

  it('counts refused tokens and secrets, of any route', async () => {
    const { url, reached } = await startListener({
      limits: { connectionsPerAddress: 0, connectsPerSecondPerAddress: 1 },
      monotonic: () => 0,
    });
    const statuses: number[] = [];
    for (let i = 0; i < 4; i += 1) statuses.push((await fetch(`${url}/oidc/token`, { method: 'POST' })).status);
    expect(statuses).toEqual([401, 401, 429, 429]);
    expect(reached).toHaveLength(2);
  });

  it('holds a slot while a stream is open', async () => {
    const server = await startListener({ limits: { connectionsPerAddress: 1, connectsPerSecondPerAddress: 0 } });
    const first = server.raw(headOf(`GET ${EVENTS}`));
    await first.text(': hello');
    expect((await fetch(`${server.url}${EVENTS}`)).status).toBe(429);
    const closed = new Promise<void>((resolve) => server.connections[0]?.onClose(resolve));
    first.socket.destroy();
    await closed;
    const again = server.raw(headOf(`GET ${EVENTS}`));
    expect(await again.text(': hello')).toContain('HTTP/1.1 200');
  });

  it('gives the slot back when the stream was refused', async () => {
    const { url } = await startListener({
      limits: { connectionsPerAddress: 1, connectsPerSecondPerAddress: 0 },
      handle: () => new Response('{}', { status: 403 }),
    });
    for (let i = 0; i < 3; i += 1) expect((await fetch(`${url}${EVENTS}`)).status).toBe(403);
  });
});

describe('plain http', () => {
  it('is refused beyond loopback: through a proxy that does not say https', async () => {
    const { url, reached } = await startListener({ trustedProxies: ['loopback'] });
    const status = async (headers: Record<string, string>): Promise<number> =>
      (await fetch(`${url}/x`, { headers })).status;
    expect(await status({ 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'http' })).toBe(400);
    expect(await status({ 'x-forwarded-for': '203.0.113.9' })).toBe(400);
    expect(reached).toEqual([]);
    expect(await status({ 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'https' })).toBe(404);
    expect(await status({})).toBe(404);
  });

  it('never answers with a redirect', async () => {
    const { url } = await startListener({ trustedProxies: ['loopback'] });
    const answer = await fetch(`${url}${EVENTS}?access_token=secret`, {
      headers: { 'x-forwarded-proto': 'http' },
      redirect: 'manual',
    });
    expect(answer.status).toBe(400);
    expect(answer.headers.has('location')).toBe(false);
    expect(await answer.text()).not.toContain('secret');
  });
});

describe('streams', () => {
  it('sends the bytes as they are, without chunk headers, and closes after them', async () => {
    const server = await startListener();
    const client = server.raw(headOf(`GET ${EVENTS}`));
    await client.text(': hello');
    expect(server.metrics.openStreams).toBe(1);
    const [connection] = server.connections as [Connection];
    connection.write(Buffer.from('data: 1\n\n'));
    connection.end();
    connection.write(Buffer.from('data: late\n\n'));
    const text = await client.text();
    expect(text.slice(text.indexOf('\r\n\r\n') + 4)).toBe(': hello\n\ndata: 1\n\n');
    expect(text.toLowerCase()).toContain('connection: close');
    expect(text.toLowerCase()).not.toContain('transfer-encoding');
    expect(server.metrics.openStreams).toBe(0);
  });

  it('reads as a stream for fetch, to its end', async () => {
    const server = await startListener();
    const answer = await fetch(`${server.url}${EVENTS}`);
    const text = answer.text();
    server.connections[0]?.end();
    expect(await text).toBe(': hello\n\n');
  });

  it('counts what the client does not take, tells when it has gone, and drops it on reset', async () => {
    const server = await startListener();
    const client = server.raw(headOf(`GET ${EVENTS}`));
    await client.text(': hello');
    const [connection] = server.connections as [Connection];
    client.socket.pause();
    const block = Buffer.alloc(1024 * 1024, 'a');
    const drained = new Promise<void>((resolve) => connection.onDrain(resolve));
    while (connection.unsentBytes === 0) connection.write(block);
    client.socket.resume();
    await drained;
    expect(connection.unsentBytes).toBe(0);
    client.socket.pause();
    while (connection.unsentBytes < 4 * block.length) connection.write(block);
    const closed = new Promise<void>((resolve) => connection.onClose(resolve));
    connection.reset();
    await closed;
    client.socket.resume();
    await client.text();
    expect(server.metrics.openStreams).toBe(0);
  });

  it('ends a stream that nobody could attach', async () => {
    const server = await startListener({
      limits: { connectionsPerAddress: 1, connectsPerSecondPerAddress: 0 },
      handle: (_, connections) => ({
        ...streamReply(connections),
        attach() {
          throw new Error('a fault');
        },
      }),
    });
    for (let i = 0; i < 3; i += 1) {
      expect(await server.raw(headOf(`GET ${EVENTS}`)).text()).not.toContain('data');
    }
    expect(server.metrics.openStreams).toBe(0);
    expect(server.reached).toHaveLength(3);
  });

  it('is over when the client goes', async () => {
    const server = await startListener();
    const client = server.raw(headOf(`GET ${EVENTS}`));
    await client.text(': hello');
    const closed = new Promise<void>((resolve) => server.connections[0]?.onClose(resolve));
    client.socket.end();
    await closed;
    expect(server.metrics.openStreams).toBe(0);
  });

  it('abandons a stream whose client has gone meanwhile', async () => {
    let abandoned = (): void => {};
    const gone = new Promise<void>((resolve) => (abandoned = resolve));
    let asked = (): void => {};
    const arrived = new Promise<void>((resolve) => (asked = resolve));
    const server = await startListener({
      limits: { connectionsPerAddress: 1, connectsPerSecondPerAddress: 0 },
      async handle(request, connections) {
        asked();
        while (!request.aborted) await new Promise((resolve) => setImmediate(resolve));
        return { ...streamReply(connections), abandon: () => abandoned() };
      },
    });
    const client = server.raw(headOf(`GET ${EVENTS}`));
    await arrived;
    client.socket.resetAndDestroy();
    await gone;
    expect(server.metrics.openStreams).toBe(0);
    expect(server.connections).toEqual([]);
  });
});
