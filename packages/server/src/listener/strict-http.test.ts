/** Requests that two servers could understand differently, sent as bytes. */
import { describe, expect, it } from 'vitest';
import { EVENTS, headOf, startListener, text } from './listener.fixture.ts';

const get = (...fields: string[]): string => headOf(`GET ${EVENTS}`, ...fields);

describe('smuggling and malformed heads', () => {
  it.each([
    ['two hosts', `GET ${EVENTS} HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n`, 400],
    ['no host', `GET ${EVENTS} HTTP/1.1\r\n\r\n`, 400],
    ['an absolute target', headOf(`GET http://evil${EVENTS}`), 400],
    ['an authority target', headOf('GET evil:443'), 400],
    ['an asterisk', headOf('OPTIONS *'), 400],
    ['TRACE', headOf(`TRACE ${EVENTS}`), 405],
    ['xchunked', get('Transfer-Encoding: xchunked'), 400],
    ['length and chunked', `${get('Content-Length: 3', 'Transfer-Encoding: chunked')}0\r\n\r\n`, 400],
    ['two lengths', `${get('Content-Length: 0', 'Content-Length: 1')}x`, 400],
    ['chunked, identity', get('Transfer-Encoding: chunked, identity'), 400],
    ['a body on the stream', `${get('Content-Length: 1')}x`, 400],
    ['a chunked body on the stream', `${get('Transfer-Encoding: chunked')}0\r\n\r\n`, 400],
    ['a space before the colon', get('X-A : b'), 400],
    ['a folded field', get('X-A: b', ' c'), 400],
    ['a NUL in a field', get('X-A: b\0c'), 400],
    ['a bare CR', get('X-A: b\rX-B: c'), 400],
    ['an upgrade', get('Connection: Upgrade', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__'), 400],
    ['not HTTP', 'hello\r\n\r\n', 400],
    ['a head over 16 KiB', get(`X-A: ${'a'.repeat(17_000)}`), 431],
    ['an over-long URL', headOf(`GET ${EVENTS}?access_token=${'a'.repeat(13_000)}`), 400],
    ['200 fields', get(...Array.from({ length: 200 }, (_, i) => `X-${i}: 1`)), 400],
  ])('refuses %s with a coded answer, and closes', async (_, bytes, status) => {
    const server = await startListener();
    const text = await server.raw(bytes).text();
    expect(text.slice(0, 12)).toBe(`HTTP/1.1 ${status}`);
    const body = JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4)) as Record<string, unknown>;
    expect(body).toMatchObject({
      code: status === 405 ? 'METHOD_NOT_ALLOWED' : 'BAD_REQUEST',
      recoverable: false,
      requestId: expect.stringMatching(/^req_/),
    });
    expect(text.toLowerCase()).toContain('connection: close');
    expect(text.toLowerCase()).toContain('cache-control: no-store');
    expect(text).not.toContain('evil');
    expect(server.reached).toEqual([]);
  });

  it('runs nothing that stands behind a refused head', async () => {
    const server = await startListener();
    const hidden = headOf(`POST ${EVENTS}`, 'Content-Length: 2');
    const text = await server.raw(`${headOf(`GET http://evil${EVENTS}`)}${hidden}{}`).text();
    expect(text.match(/HTTP\/1\.1 /g)).toHaveLength(1);
    expect(server.reached).toEqual([]);
  });
});

describe('pipelining', () => {
  it('runs no request behind a stream, and ends the connection', async () => {
    const server = await startListener();
    const text = await server.raw(`${get()}${headOf(`POST ${EVENTS}`, 'Content-Length: 2')}{}`).text();
    expect(text.match(/HTTP\/1\.1 /g) ?? []).toHaveLength(0);
    expect(server.reached).toEqual([`GET ${EVENTS}`]);
  });

  it('ends an open stream when a request follows on its connection', async () => {
    const server = await startListener();
    const client = server.raw(get());
    await client.text(': hello');
    client.socket.write(headOf('GET /healthz'));
    const text = await client.text();
    expect(text.match(/HTTP\/1\.1 /g)).toHaveLength(1);
    expect(server.reached).toEqual([`GET ${EVENTS}`]);
  });

  it('refuses a stream behind another request', async () => {
    const server = await startListener();
    const text = await server.raw(`${headOf('GET /.well-known/x')}${get()}`).text('pipelined');
    expect(text).toContain('A stream cannot be pipelined.');
    expect(server.reached).toEqual(['GET /.well-known/x']);
  });

  it('keeps the connection after a stream was refused', async () => {
    const server = await startListener({ handle: () => new Response('no', { status: 401 }) });
    const client = server.raw(get());
    await client.text('no');
    client.socket.write(headOf('GET /healthz'));
    expect(await client.text('"alive"')).toContain('HTTP/1.1 200');
  });
});

describe('time-outs', () => {
  it('ends a head that does not come to its end, with 408', async () => {
    const server = await startListener({ headersTimeoutMs: 50 });
    const text = await server.raw('GET / HTTP/1.1\r\nHost: a\r\n').text();
    expect(text).toMatch(/^HTTP\/1\.1 408 [\s\S]*BAD_REQUEST/);
  });

  it('ends a connection that says nothing', async () => {
    const server = await startListener({ headersTimeoutMs: 50 });
    expect(await server.raw('').text()).toMatch(/^(HTTP\/1\.1 408|$)/);
  });

  it('ends a body that does not come to its end', async () => {
    const server = await startListener({
      bodyTimeoutMs: 50,
      handle: async (request) => new Response(await text(request, 10)),
    });
    const answer = await server.raw(`${headOf(`POST ${EVENTS}`, 'Content-Length: 5')}ab`).text('body took');
    // The fake gateway does not turn refusals into answers; the listener does.
    expect(answer).toContain('HTTP/1.1 400');
  });
});

describe('bodies', () => {
  it('reads one up to the limit, and no more', async () => {
    const server = await startListener({ handle: async (request) => new Response(await text(request, 5)) });
    const exact = await fetch(`${server.url}${EVENTS}`, { method: 'POST', body: '12345' });
    expect(await exact.text()).toBe('12345');
    for (const body of ['123456', new Blob(['123', '456']).stream()]) {
      const answer = await fetch(`${server.url}${EVENTS}`, { method: 'POST', body, duplex: 'half' } as RequestInit);
      expect(answer.status).toBe(413);
      expect(await answer.json()).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    }
  });

  it('lets a client read 413 although it is still sending', async () => {
    const server = await startListener({ handle: async (request) => new Response(await text(request, 5)) });
    const answer = await fetch(`${server.url}${EVENTS}`, { method: 'POST', body: 'x'.repeat(4_000_000) });
    expect(answer.status).toBe(413);
  });
});
