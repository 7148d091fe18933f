/** Clients that open much and read nothing. */

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { expect, it } from 'vitest';
import type { Log } from '../resource-server/index.ts';
import { EVENTS, headOf, startListener } from './listener.fixture.ts';

const pem = (name: string): string => readFileSync(new URL(`./fixtures/${name}`, import.meta.url), 'utf8');

/** A log that tells of answers that are over. */
function watched(): { readonly log: Log; over(route: string): Promise<void> } {
  const waiting = new Map<string, () => void>();
  const info = (fields: object, message: string): void => {
    if (message === 'Answered' && 'route' in fields) waiting.get(String(fields.route))?.();
  };
  return {
    log: { info, warn() {}, error() {} },
    over: (route) => new Promise((resolve) => waiting.set(route, resolve)),
  };
}

it('ends an answer that is not read, and no stream', async () => {
  const { log, over } = watched();
  const bytes = Buffer.alloc(64 * 1024 * 1024);
  const server = await startListener({ log, idleTimeoutMs: 50, file: () => ({ type: 'text/plain', bytes }) });
  const stream = server.raw(headOf(`GET ${EVENTS}`));
  await stream.text(': hello');
  const ended = over('/-/{file}');
  const socket = connect(server.port, '127.0.0.1').on('error', () => {});
  socket.write(headOf('GET /-/large'));
  await ended;
  socket.destroy();
  server.connections[0]?.write(Buffer.from('data: still here\n\n'));
  expect(await stream.text('still here')).toContain('data: still here');
});

it('ends an answer of HTTP/2 for which there is no window, and no stream', async () => {
  const { log, over } = watched();
  const tls = { cert: pem('localhost-cert.pem'), key: pem('localhost-key.pem') };
  const server = await startListener({ log, tls, idleTimeoutMs: 50 });
  const trust = { ca: tls.cert, servername: 'localhost' };
  const reader = connectHttp2(`https://127.0.0.1:${server.port}`, trust);
  const stream = reader.request({ ':path': EVENTS });
  await once(stream, 'data');
  const ended = over('/healthz');
  const session = connectHttp2(`https://127.0.0.1:${server.port}`, { ...trust, settings: { initialWindowSize: 0 } });
  session.request({ ':path': '/healthz' }).on('error', () => {});
  await ended;
  const more = once(stream, 'data');
  server.connections[0]?.write(Buffer.from('data: still here\n\n'));
  expect(String(await more)).toContain('still here');
  session.destroy();
  reader.destroy();
});

it('closes the sockets that one address opens beyond its share, until it gives others back', async () => {
  const limits = { connectionsPerAddress: 1, connectsPerSecondPerAddress: 0 };
  const server = await startListener({ limits });
  const sockets = Array.from({ length: 258 }, () => connect(server.port, '127.0.0.1').on('error', () => {}));
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  const status = async (): Promise<number> =>
    await fetch(`${server.url}/healthz`).then(
      (answer) => answer.status,
      () => 0,
    );
  expect(await status()).toBe(0);
  expect((await server.metrics.text()).body).toContain('reason="sockets_per_address"');
  for (const socket of sockets) socket.destroy();
  await expect.poll(status).toBe(200);

  const proxied = await startListener({ limits, trustedProxies: ['loopback'] });
  const many = Array.from({ length: 260 }, () => connect(proxied.port, '127.0.0.1').on('error', () => {}));
  await Promise.all(many.map((socket) => once(socket, 'connect')));
  expect((await fetch(`${proxied.url}/healthz`)).status).toBe(200);
  for (const socket of many) socket.destroy();
});
