import { readFileSync } from 'node:fs';
import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2';
import { connect as connectTls } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import type { Connection } from '../gateway/index.ts';
import { EVENTS, headOf, startListener } from './listener.fixture.ts';

const fixture = (name: string): string => readFileSync(new URL(`./fixtures/${name}`, import.meta.url), 'utf8');
// For 100 years, for localhost; its key is public and protects nothing.
const tls = { cert: fixture('localhost-cert.pem'), key: fixture('localhost-key.pem') };

let session: ClientHttp2Session | undefined;
afterEach(() => session?.destroy());

interface Answer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  /** Waits until the body holds `until`, or for its end. */
  text(until?: string): Promise<string>;
  cancel(): void;
  pause(): void;
  resume(): void;
}

function ask(port: number, headers: Record<string, string>, body?: string): Promise<Answer> {
  session ??= connectHttp2(`https://127.0.0.1:${port}`, { ca: tls.cert, servername: 'localhost' });
  const stream = session.request(headers, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  let received = '';
  let ended = false;
  let wake = (): void => {};
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    received += chunk;
    wake();
  });
  stream.on('close', () => {
    ended = true;
    wake();
  });
  return new Promise((resolve, reject) => {
    stream.on('error', reject);
    stream.on('response', (answer) =>
      resolve({
        status: answer[':status'] ?? 0,
        headers: answer,
        async text(until) {
          for (;;) {
            if (ended || (until !== undefined && received.includes(until))) return received;
            await new Promise<void>((woken) => (wake = woken));
          }
        },
        cancel: () => stream.close(constants.NGHTTP2_CANCEL),
        pause: () => void stream.pause(),
        resume: () => void stream.resume(),
      }),
    );
  });
}

async function start(options: Parameters<typeof startListener>[0] = {}) {
  session = undefined;
  return await startListener({ tls, ...options });
}

describe('HTTP/2', () => {
  it('takes cookies in fields of their own, as browsers send them', async () => {
    const server = await start();
    const headers = { ':path': EVENTS, cookie: ['theme=dark', 'lang=en'] } as unknown as Record<string, string>;
    expect((await ask(server.port, headers)).status).toBe(200);
  });

  it('carries streams and publishes beside each other on one connection', async () => {
    const server = await start();
    const first = await ask(server.port, { ':path': EVENTS, origin: 'https://app.example.com' });
    const second = await ask(server.port, { ':path': EVENTS });
    expect(first.status).toBe(200);
    expect(first.headers['access-control-allow-origin']).toBe('https://app.example.com');
    const published = await ask(server.port, { ':path': EVENTS, ':method': 'POST' }, '{}');
    expect(published.status).toBe(202);
    expect(await published.text()).toBe('{}');
    await first.text(': hello');
    await second.text(': hello');
    expect(server.metrics.openStreams).toBe(2);
    for (const connection of server.connections) {
      connection.write(Buffer.from('data: 1\n\n'));
      connection.end();
    }
    expect(await first.text()).toBe(': hello\n\ndata: 1\n\n');
    expect(await second.text()).toBe(': hello\n\ndata: 1\n\n');
    expect(server.metrics.openStreams).toBe(0);
  });

  it('limits streams, not connections', async () => {
    const server = await start({ limits: { connectionsPerAddress: 1, connectsPerSecondPerAddress: 0 } });
    const first = await ask(server.port, { ':path': EVENTS });
    expect((await ask(server.port, { ':path': EVENTS })).status).toBe(429);
    const closed = new Promise<void>((resolve) => server.connections[0]?.onClose(resolve));
    first.cancel();
    await closed;
    expect((await ask(server.port, { ':path': EVENTS })).status).toBe(200);
  });

  it('counts what flow control holds back, tells when it has gone, and resets one stream alone', async () => {
    const server = await start();
    const slow = await ask(server.port, { ':path': EVENTS });
    const other = await ask(server.port, { ':path': EVENTS });
    await slow.text(': hello');
    await other.text(': hello');
    const [connection, neighbour] = server.connections as [Connection, Connection];
    slow.pause();
    const drained = new Promise<void>((resolve) => connection.onDrain(resolve));
    connection.write(Buffer.alloc(1024 * 1024, 'a'));
    expect(connection.unsentBytes).toBeGreaterThan(0);
    slow.resume();
    await drained;
    expect(connection.unsentBytes).toBe(0);
    slow.pause();
    connection.write(Buffer.alloc(1024 * 1024, 'a'));
    const closed = new Promise<void>((resolve) => connection.onClose(resolve));
    connection.reset();
    await closed;
    neighbour.write(Buffer.from('data: still here\n\n'));
    expect(await other.text('still here')).toContain('data: still here');
  });

  it.each([
    ['a body on the stream', { ':path': EVENTS }, '{}', 400],
    ['an authority and another host', { ':path': EVENTS, ':authority': 'localhost', host: 'evil' }, undefined, 400],
    ['TRACE', { ':path': EVENTS, ':method': 'TRACE' }, undefined, 405],
    ['an over-long URL', { ':path': `${EVENTS}?access_token=${'a'.repeat(13_000)}` }, undefined, 400],
  ] as [string, Record<string, string>, string | undefined, number][])(
    'refuses %s',
    async (_, headers, body, status) => {
      const server = await start();
      const answer = await ask(server.port, headers, body);
      expect(answer.status).toBe(status);
      expect(JSON.parse(await answer.text())).toMatchObject({ recoverable: false });
      expect(server.reached).toEqual([]);
    },
  );

  it('gives a stream with an absolute target no answer at all: the protocol forbids it', async () => {
    const server = await start();
    await expect(ask(server.port, { ':path': `http://evil${EVENTS}` })).rejects.toThrow('NGHTTP2_PROTOCOL_ERROR');
    expect(server.reached).toEqual([]);
  });

  it('serves health and IAM', async () => {
    const server = await start();
    expect((await ask(server.port, { ':path': '/healthz' })).status).toBe(200);
    expect((await ask(server.port, { ':path': '/oidc/token', ':method': 'POST' }, 'a=b')).status).toBe(401);
  });
});

describe('TLS', () => {
  it('speaks HTTP/1.1 on the same port, with the same strictness', async () => {
    const server = await start();
    const talk = (bytes: string, until: string): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connectTls({
          port: server.port,
          host: '127.0.0.1',
          ca: tls.cert,
          servername: 'localhost',
          ALPNProtocols: ['http/1.1'],
        });
        let text = '';
        socket.on('error', reject);
        socket.on('close', () => resolve(text));
        socket.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
          if (text.includes(until)) socket.destroy();
        });
        socket.write(bytes);
      });
    expect(await talk(headOf(`GET ${EVENTS}`), ': hello')).toContain('HTTP/1.1 200');
    expect(await talk(headOf(`GET http://evil${EVENTS}`), 'requestId')).toContain('HTTP/1.1 400');
    expect(await talk(`GET ${EVENTS} HTTP/1.1\r\n\r\n`, 'requestId')).toContain('HTTP/1.1 400');
  });

  it('resets a stream of HTTP/1.1, too', async () => {
    const server = await start();
    const socket = connectTls({
      port: server.port,
      host: '127.0.0.1',
      ca: tls.cert,
      servername: 'localhost',
      ALPNProtocols: ['http/1.1'],
    });
    socket.on('error', () => {});
    socket.write(headOf(`GET ${EVENTS}`));
    await new Promise((resolve) => socket.once('data', resolve));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    server.connections[0]?.reset();
    await closed;
    expect(server.metrics.openStreams).toBe(0);
  });

  it('takes a renewed certificate for new connections, and refuses one that is none', async () => {
    const server = await start();
    const serial = (): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connectTls({
          port: server.port,
          host: '127.0.0.1',
          rejectUnauthorized: false,
          ALPNProtocols: ['h2'],
        });
        socket.once('error', reject);
        socket.once('secureConnect', () => {
          resolve(`${socket.alpnProtocol} ${socket.getPeerCertificate().serialNumber}`);
          socket.destroy();
        });
      });
    const before = await serial();
    server.renew({ cert: fixture('renewed-cert.pem'), key: tls.key });
    const after = await serial();
    expect(after).toMatch(/^h2 /);
    expect(after).not.toBe(before);
    expect(() => server.renew({ cert: 'nonsense', key: tls.key })).toThrow();
    expect(await serial()).toBe(after);
  });

  it('refuses TLS 1.1', async () => {
    const server = await start();
    const failed = await new Promise((resolve) => {
      const socket = connectTls({
        port: server.port,
        host: '127.0.0.1',
        ca: tls.cert,
        servername: 'localhost',
        minVersion: 'TLSv1.1',
        maxVersion: 'TLSv1.1',
      });
      socket.once('error', resolve);
      socket.once('secureConnect', () => resolve(undefined));
    });
    expect(failed).toBeInstanceOf(Error);
  });
});
