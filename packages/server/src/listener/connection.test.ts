import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2, type Http2ServerResponse } from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { Connection } from '../gateway/index.ts';
import { openHttp1, openHttp2 } from './connection.ts';

const MEGABYTES = Buffer.alloc(8 * 2 ** 20, 'x');
const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

/** A stream over HTTP/1.1 whose client reads nothing until `read` is called. */
async function http1(): Promise<{ connection: Connection; read: () => void }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  open.push(
    () => client.destroy(),
    () => server.close(),
  );
  client.pause().write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const [, res] = (await once(server, 'request')) as [unknown, ServerResponse];
  const connection = openHttp1(res, {}, { writes: 0, bytes: 0 });
  if (!connection) throw new Error('no connection');
  return { connection, read: () => void client.resume() };
}

/** The same over HTTP/2. */
async function http2(): Promise<{ connection: Connection; read: () => void }> {
  const server = createHttp2().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  open.push(
    () => session.destroy(),
    () => server.close(),
  );
  const request = session.request({ ':path': '/' });
  request.pause();
  const [, res] = (await once(server, 'request')) as [unknown, Http2ServerResponse];
  const connection = openHttp2(res, {}, { writes: 0, bytes: 0 });
  if (!connection) throw new Error('no connection');
  return { connection, read: () => void request.resume() };
}

describe.each([
  ['HTTP/1.1', http1],
  ['HTTP/2', http2],
])('a connection over %s', (_, make) => {
  test('tells once when all is sent, although it was asked after the write', async () => {
    const { connection, read } = await make();
    connection.write(MEGABYTES);
    expect(connection.unsentBytes).toBeGreaterThan(0);
    let told = 0;
    const drained = new Promise<void>((resolve) => {
      connection.onDrain(() => {
        told++;
        resolve();
      });
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(told).toBe(0);
    read();
    await drained;
    expect(connection.unsentBytes).toBe(0);
    connection.write(Buffer.from('more'));
    await new Promise<void>((resolve) => connection.onDrain(resolve));
    expect(told).toBe(1);
  });

  test('tells of its close when it is reset, with bytes unsent', async () => {
    const { connection } = await make();
    connection.write(MEGABYTES);
    const closed = new Promise<void>((resolve) => connection.onClose(resolve));
    connection.reset();
    await closed;
    connection.write(Buffer.from('more'));
    connection.end();
  });
});
