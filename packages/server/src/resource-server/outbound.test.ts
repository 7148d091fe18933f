import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createOutboundGet, type OutboundError } from './outbound.ts';
import { isPublicAddress } from './public-address.ts';

const servers: Server[] = [];

/** A server on loopback that answers with `listener`; its URL, and how often it was asked. */
async function serve(listener: RequestListener): Promise<{ url: string; port: number; hits: () => number }> {
  let hits = 0;
  const server = createServer((request, response) => {
    hits += 1;
    listener(request, response);
  });
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/keys`, port, hits: () => hits };
}

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

const reasonOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'answered',
    (error: OutboundError) => error.reason,
  );

describe('isPublicAddress', () => {
  it.each([
    '127.0.0.1',
    '10.1.2.3',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
    '::1',
    '::',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8',
    'fe80::1',
    'fd00::1',
    'ff02::1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    '2001:db8::1',
    'example.com',
    '',
    '127.1',
  ])('refuses %s', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  it.each(['8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '2a00:1450:4001::200e'])(
    'knows %s as public',
    (address) => {
      expect(isPublicAddress(address)).toBe(true);
    },
  );
});

describe('createOutboundGet', () => {
  it('answers with status, Cache-Control and body', async () => {
    const { url } = await serve((_, response) =>
      response.writeHead(200, { 'cache-control': 'max-age=60' }).end('{"keys":[]}'),
    );
    const answer = await createOutboundGet({ allowPrivateAddresses: true })(url);
    expect(answer.status).toBe(200);
    expect(answer.cacheControl).toBe('max-age=60');
    expect(new TextDecoder().decode(answer.body)).toBe('{"keys":[]}');
  });

  it.each([
    ['http://example.com/', 'scheme_refused'],
    ['file:///etc/passwd', 'scheme_refused'],
    ['https://127.0.0.1/', 'address_refused'],
    ['https://2130706433/', 'address_refused'],
    ['https://0x7f.1/', 'address_refused'],
    ['https://[::1]/', 'address_refused'],
    ['https://[::ffff:10.0.0.1]/', 'address_refused'],
    ['https://169.254.169.254/latest/meta-data', 'address_refused'],
    ['https://user:pass@example.com/', 'url_invalid'],
    ['nonsense', 'url_invalid'],
  ])('refuses %s without a connection', async (url, reason) => {
    const get = createOutboundGet({ resolve: () => Promise.reject(new Error('must not be asked')) });
    expect(await reasonOf(get(url))).toBe(reason);
  });

  it('judges the address at the moment of connecting, all of them', async () => {
    const get = createOutboundGet({
      resolve: async () => [
        { address: '8.8.8.8', family: 4 },
        { address: '127.0.0.1', family: 4 },
      ],
    });
    expect(await reasonOf(get('https://rebind.example/'))).toBe('address_refused');
  });

  it('tells a name without address from a refusal', async () => {
    const get = createOutboundGet({ resolve: () => Promise.reject(new Error('ENOTFOUND')) });
    expect(await reasonOf(get('https://nowhere.example/'))).toBe('dns_failed');
  });

  it('follows no redirect', async () => {
    const target = await serve((_, response) => response.end('secret'));
    const { url } = await serve((_, response) => response.writeHead(302, { location: target.url }).end());
    expect(await reasonOf(createOutboundGet({ allowPrivateAddresses: true })(url))).toBe('redirect_refused');
    expect(target.hits()).toBe(0);
  });

  it('stops reading at the cap, whatever Content-Length says', async () => {
    const { url } = await serve((_, response) => {
      response.writeHead(200);
      const more = (): void => {
        while (response.write('x'.repeat(1024)));
        response.once('drain', more);
      };
      more();
    });
    expect(await reasonOf(createOutboundGet({ allowPrivateAddresses: true, maxBytes: 10_000 })(url))).toBe('too_large');
  });

  it('refuses a compressed body', async () => {
    const { url } = await serve((_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('x'));
    expect(await reasonOf(createOutboundGet({ allowPrivateAddresses: true })(url))).toBe('encoding_refused');
  });

  it('gives up on a server that says nothing, or half an answer', async () => {
    const silent = await serve(() => {});
    const half = await serve((_, response) => response.writeHead(200, { 'content-length': '10' }).write('x'));
    const get = createOutboundGet({ allowPrivateAddresses: true, timeoutMs: 50 });
    expect(await reasonOf(get(silent.url))).toBe('timeout');
    expect(await reasonOf(get(half.url))).toBe('timeout');
  });

  it('tells an abort of the caller', async () => {
    const { url } = await serve(() => {});
    expect(await reasonOf(createOutboundGet({ allowPrivateAddresses: true })(url, AbortSignal.abort()))).toBe(
      'aborted',
    );
  });

  it('tells a refused connection', async () => {
    const { url } = await serve(() => {});
    for (const server of servers.splice(0)) await new Promise((done) => server.close(done));
    expect(await reasonOf(createOutboundGet({ allowPrivateAddresses: true })(url))).toBe('connect_failed');
  });
});
