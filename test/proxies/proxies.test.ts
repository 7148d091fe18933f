/**
 * The configurations of `deploy/`, run by the real proxies: streams pass as they come, and neither token nor
 * ticket is in anything that a proxy logs, however the request spells them and however it ends.
 */
import { connect as connectHttp2 } from 'node:http2';
import { request } from 'node:https';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { devToken, order, publish, serviceToken } from '../support/api.ts';
import { startDev } from '../support/centrali.ts';
import { requirePart } from '../support/parts.ts';
import { until } from '../support/wait.ts';
import { selfSigned } from './certificate.ts';
import { type Proxy, type ProxyName, startProxy } from './proxy.ts';
import { type SteppedServer, startSteppedServer } from './stepped-server.ts';

const EVENTS = '/realtime/workspace/demo/events';
/** What must never be in a log, also percent-encoded in part. */
const SECRET = 'eyJDANARY';
const SPELLINGS = [
  `?access_token=${SECRET}`,
  `?access%5Ftoken=${SECRET}`,
  `?access%5ftoken=${SECRET}`,
  `?%61ccess_token=${SECRET}`,
  `?structures=order&access_token=${SECRET}&events=record_created`,
  `?structures=order;access_token=${SECRET}`,
  `?ticket=${SECRET}`,
  `?t%69cket=${SECRET}`,
  `?&&ticket=%65yJDANARY`,
  `?a=b?access_token=${SECRET}`,
  `?%`,
  `?%zz&access_token=${SECRET}`,
];

const pair = selfSigned();

/** One event stream over HTTP/1.1 or HTTP/2: its text so far, and how to leave it. */
interface Stream {
  readonly status: number;
  text(): string;
  leave(): void;
  readonly ended: Promise<void>;
}

function overHttp1(port: number, path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Stream> {
  return new Promise((resolve, reject) => {
    const sent = request({
      port,
      host: '127.0.0.1',
      servername: 'localhost',
      rejectUnauthorized: false,
      path,
      headers: { host: `localhost:${port}`, ...headers },
      method,
    });
    sent.once('error', reject);
    sent.once('response', (response) => {
      let text = '';
      const ended = new Promise<void>((done) => response.once('close', done));
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.once('error', () => {});
      resolve({ status: response.statusCode ?? 0, text: () => text, leave: () => sent.destroy(), ended });
    });
    sent.end(method === 'POST' ? '{}' : undefined);
  });
}

function overHttp2(port: number, path: string): Promise<Stream> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2(`https://localhost:${port}`, { host: '127.0.0.1', rejectUnauthorized: false });
    session.once('error', reject);
    const stream = session.request({ ':path': path });
    stream.once('error', reject);
    stream.once('response', (headers) => {
      let text = '';
      const ended = new Promise<void>((done) => stream.once('close', done));
      stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      resolve({ status: headers[':status'] ?? 0, text: () => text, leave: () => session.destroy(), ended });
    });
    stream.end();
  });
}

/** Sends bytes as they are over TLS; resolves when the other side has closed or answered. */
function raw(port: number, bytes: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', rejectUnauthorized: false }, () =>
      socket.write(bytes, 'latin1'),
    );
    socket.once('data', () => socket.destroy());
    socket.once('error', () => {});
    socket.once('close', () => resolve());
  });
}

describe.each<ProxyName>(['nginx', 'caddy', 'haproxy'])('%s', (name) => {
  describe.skipIf(!requirePart(name))('as deploy/ configures it', () => {
    let backend: SteppedServer;
    let proxy: Proxy;

    beforeAll(async () => {
      backend = await startSteppedServer();
      proxy = await startProxy(name, backend.port, pair);
    });
    afterAll(async () => {
      await backend.close();
      await proxy.stop();
    });

    test.each([
      ['HTTP/1.1', overHttp1],
      ['HTTP/2', overHttp2],
    ] as const)(
      'each event passes before the next is written, and the end reaches the server, over %s',
      async (_, open) => {
        const stream = await open(proxy.port, `${EVENTS}?access_token=${SECRET}`);
        expect(stream.status).toBe(200);
        for (const event of ['one', 'two', 'three']) {
          backend.step(event);
          await until(`the event ${event}`, () => stream.text().includes(`data: ${event}\n\n`));
        }
        const before = backend.open();
        stream.leave();
        // HAProxy notices over HTTP/1.1 when it next writes.
        await until('the server to see that the client has left', () => {
          backend.step('nobody');
          return backend.open() === before - 1;
        });
      },
    );

    test('the server learns scheme and address, and nothing that the client claims about them', async () => {
      const forged = { 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'gopher', 'x-real-host': 'evil' };
      const stream = await overHttp1(proxy.port, `${EVENTS}?access_token=${SECRET}`, forged);
      stream.leave();
      const { headers } = backend.heads.at(-1)!;
      expect(headers['x-forwarded-proto']).toBe('https');
      expect(headers['x-forwarded-for']).toBe('127.0.0.1');
    });

    test('a token of 8 KiB passes, in the query and in the header', async () => {
      const token = 'x'.repeat(8192);
      const inQuery = await overHttp1(proxy.port, `${EVENTS}?access_token=${token}`);
      inQuery.leave();
      const inHeader = await overHttp1(proxy.port, `${EVENTS}?`, { authorization: `Bearer ${token}` });
      inHeader.leave();
      expect([inQuery.status, inHeader.status]).toEqual([200, 200]);
      expect(backend.heads.at(-2)!.url).toContain(token);
    });
  });

  test.skipIf(!requirePart(name))('nothing that it logs holds a token or a ticket', async () => {
    const backend = await startSteppedServer();
    const proxy = await startProxy(name, backend.port, pair);
    const open = async (path: string): Promise<void> => {
      const stream = await overHttp1(proxy.port, path);
      stream.leave();
      await stream.ended;
    };
    // Streams that the client leaves, and paths and methods that are refused.
    for (const spelling of SPELLINGS) {
      await open(`${EVENTS}${spelling}`);
      await open(`/elsewhere${spelling}`);
      await overHttp1(proxy.port, `${EVENTS}${spelling}`, {}, 'POST').then(({ ended }) => ended);
    }
    const two = await overHttp2(proxy.port, `${EVENTS}?access%5Ftoken=${SECRET}`);
    two.leave();
    await open(`${EVENTS}%3Faccess_token=${SECRET}`);
    await open(`${EVENTS}%3faccess_token=${SECRET}`);
    const headers = {
      authorization: `Bearer ${SECRET}`,
      cookie: `__Host-centrali-token=${SECRET}`,
      referer: `https://x/?t=${SECRET}`,
    };
    const withHeaders = await overHttp1(proxy.port, `${EVENTS}?`, headers);
    withHeaders.leave();
    // Requests that are none, and one that is too long.
    await raw(proxy.port, `GET ${EVENTS}?access_token=${SECRET} HTTP/9.9\r\nhost: localhost\r\n\r\n`);
    await raw(proxy.port, `GET ${EVENTS}?access_token=${SECRET}\x01 HTTP/1.1\r\nhost: localhost\r\n\r\n`);
    await raw(proxy.port, `G(T ${EVENTS}?access_token=${SECRET} HTTP/1.1\r\nhost: localhost\r\n\r\n`);
    await raw(
      proxy.port,
      `GET ${EVENTS}?access_token=${SECRET}${'x'.repeat(70_000)} HTTP/1.1\r\nhost: localhost\r\n\r\n`,
    );
    // A stream that the server cuts in the middle.
    const cut = await overHttp1(proxy.port, `${EVENTS}?access_token=${SECRET}`);
    backend.cut();
    await cut.ended;
    // The server is away.
    await backend.close();
    for (const spelling of SPELLINGS) {
      const refused = await overHttp1(proxy.port, `${EVENTS}${spelling}`);
      expect(refused.status).toBeGreaterThanOrEqual(502);
    }
    const log = await proxy.stop();
    // The log is there: it holds the path of each request.
    expect(log.split(EVENTS).length).toBeGreaterThan(3 * SPELLINGS.length);
    expect(log).not.toContain('DANARY');
    expect(log).not.toMatch(/access_?(%5f)?token|ticket|t%69cket/i);
  });

  test.skipIf(!requirePart(name))('the service itself streams through it, and no log holds its tokens', async () => {
    const dev = await startDev({ args: ['--trusted-proxies', 'loopback'] });
    const proxy = await startProxy(name, Number(new URL(dev.baseUrl).port), pair);
    const token = await devToken(dev, { sub: 'alice', role: 'viewer' });
    const path = `/realtime/workspace/${dev.workspace}/events`;
    for (const open of [overHttp1, overHttp2]) {
      const stream = await open(proxy.port, `${path}?access_token=${token}`);
      await until('the stream to be open', () => stream.text().includes('"type":"connected"'));
      const [id] = await publish(dev, await serviceToken(dev), order('o1'));
      await until('the event', () => stream.text().includes(`id: ${id}\nevent: message\n`));
      stream.leave();
    }
    const refused = await overHttp1(proxy.port, `${path}?access%5Ftoken=${token}x`);
    await refused.ended;
    expect([refused.status, JSON.parse(refused.text()).code]).toEqual([401, 'INVALID_TOKEN']);
    await dev.stop();
    const log = `${await proxy.stop()}${dev.stderr()}`;
    expect(log).toContain(path);
    // Neither the whole token nor its payload or signature.
    for (const part of token.split('.').slice(1)) expect(log).not.toContain(part.slice(0, 24));
  });
});
