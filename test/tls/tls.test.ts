// TLS with HTTP/2 and HTTP/1.1 on one port: `dev --tls` with a certificate that it makes for itself.
import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventsUrl, order, publish, serviceToken } from '../support/api.ts';
import { type Dev, startDev } from '../support/centrali.ts';
import { launchChromium, type PageServer, servePages } from '../support/chromium.ts';
import { parseBlock } from '../support/event-stream.ts';
import { requirePart } from '../support/parts.ts';
import { until } from '../support/wait.ts';

let dev: Dev;
let token: string;

beforeAll(async () => {
  // Node must not judge a certificate that the server has just made for itself.
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
  dev = await startDev({ args: ['--tls'] });
  token = await serviceToken(dev);
});
afterAll(async () => {
  await dev?.stop();
  delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
});

const PATH = '/realtime/workspace/demo/events';

/** Opens a TLS connection that offers some protocols. */
function handshake(options: Record<string, unknown>): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const port = Number(new URL(dev.baseUrl).port);
    const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options }, () =>
      resolve(socket),
    );
    socket.once('error', reject);
  });
}

/** A stream over HTTP/2: its head, and everything that came so far. */
function openHttp2(
  session: ClientHttp2Session,
  headers: Record<string, string>,
): Promise<{ head: Record<string, any>; text(): string; close(): void }> {
  return new Promise((resolve, reject) => {
    const request = session.request({ ':path': PATH, ...headers });
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    request.once('error', reject);
    request.once('response', (head) =>
      resolve({ head, text: () => text, close: () => request.close(constants.NGHTTP2_CANCEL) }),
    );
  });
}

describe('the port', () => {
  it('speaks HTTP/2 and HTTP/1.1, as the client prefers', async () => {
    for (const [offered, chosen] of [
      [['h2', 'http/1.1'], 'h2'],
      [['http/1.1'], 'http/1.1'],
      [['h2'], 'h2'],
    ] as const) {
      const socket = await handshake({ ALPNProtocols: [...offered] });
      expect(socket.alpnProtocol).toBe(chosen);
      socket.destroy();
    }
  });

  it('speaks TLS 1.2 and 1.3, and nothing older', async () => {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const socket = await handshake({ minVersion: version, maxVersion: version });
      expect(socket.getProtocol()).toBe(version);
      socket.destroy();
    }
    await expect(
      handshake({ minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }),
    ).rejects.toThrow();
  });

  it('is https in everything that it says about itself', async () => {
    expect(dev.baseUrl).toMatch(/^https:/);
    const metadata = (await (await fetch(`${dev.baseUrl}/.well-known/openid-configuration`)).json()) as {
      issuer: string;
    };
    expect(metadata.issuer).toBe(dev.baseUrl);
    const { keys } = (await (await fetch(`${dev.baseUrl}/oidc/jwks`)).json()) as { keys: unknown[] };
    expect(keys.length).toBeGreaterThan(0);
  });
});

describe('HTTP/2', () => {
  let session: ClientHttp2Session;
  beforeAll(() => {
    session = connectHttp2(dev.baseUrl, { rejectUnauthorized: false });
  });
  afterAll(() => session?.destroy());

  it('carries many streams on one connection, each with every event', async () => {
    const streams = await Promise.all(
      Array.from({ length: 20 }, () => openHttp2(session, { authorization: `Bearer ${token}` })),
    );
    for (const { head } of streams) {
      expect(head[':status']).toBe(200);
      expect(head['content-type']).toBe('text/event-stream');
      expect(head.connection).toBeUndefined();
    }
    await until('all connected', () => streams.every(({ text }) => text().includes('"connected"')));
    const ids = await publish(
      dev,
      token,
      Array.from({ length: 5 }, (_, i) => order(String(i))),
    );
    await until('every event on every stream', () => streams.every(({ text }) => text().includes(`id: ${ids[4]}\n`)));
    for (const { text, close } of streams) {
      const got = text()
        .split('\n\n')
        .map(parseBlock)
        .filter(({ event, data }) => event === 'message' && data)
        .map(({ id }) => id);
      expect(got).toEqual(ids);
      close();
    }
  });

  it('refuses one stream without touching the others', async () => {
    const good = await openHttp2(session, { authorization: `Bearer ${token}` });
    const bad = await openHttp2(session, { authorization: 'Bearer nonsense' });
    expect(bad.head[':status']).toBe(401);
    expect(bad.head['www-authenticate']).toContain('error="invalid_token"');
    await until('the body', () => bad.text().includes('"INVALID_TOKEN"'));
    const twice = await openHttp2(session, {
      authorization: `Bearer ${token}`,
      ':path': `${PATH}?access_token=${token}`,
    });
    expect(twice.head[':status']).toBe(400);
    const [id] = await publish(dev, token, order('still-there'));
    await until('the event', () => good.text().includes(`id: ${id}\n`));
    good.close();
  });

  it('lives on after a rapid reset and a flood of CONTINUATION frames', async () => {
    const attacker = connectHttp2(dev.baseUrl, { rejectUnauthorized: false });
    attacker.on('error', () => {});
    for (let i = 0; i < 3000 && !attacker.destroyed; i++) {
      const request = attacker.request({ ':path': PATH, authorization: `Bearer ${token}` });
      request.on('error', () => {});
      request.close(constants.NGHTTP2_CANCEL);
    }
    await new Promise<void>((resolve) => (attacker.destroyed ? resolve() : attacker.close(() => resolve())));
    attacker.destroy();

    // A head that never ends: HEADERS without END_HEADERS, then CONTINUATION without end.
    const socket = await handshake({ ALPNProtocols: ['h2'] });
    const frame = (type: number, flags: number, payload: Buffer): Buffer => {
      const head = Buffer.alloc(9);
      head.writeUIntBE(payload.length, 0, 3);
      head[3] = type;
      head[4] = flags;
      head.writeUInt32BE(1, 5);
      return Buffer.concat([head, payload]);
    };
    const settings = frame(4, 0, Buffer.alloc(0));
    settings.writeUInt32BE(0, 5);
    const over = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.on('error', () => {});
    socket.resume();
    socket.write(
      Buffer.concat([
        Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
        settings,
        frame(1, 0, Buffer.from([0x82, 0x87])),
      ]),
    );
    // Literal fields without indexing, 16 KiB each.
    const field = Buffer.concat([Buffer.from([0x00, 0x01, 0x78, 0x7f, 0x81, 0x7e]), Buffer.alloc(16_000, 0x79)]);
    for (let i = 0; i < 200 && socket.writable; i++) socket.write(frame(9, 0, field));
    await over;

    // The service is well.
    const stream = await openHttp2(session, { authorization: `Bearer ${token}` });
    expect(stream.head[':status']).toBe(200);
    await until('connected', () => stream.text().includes('"connected"'));
    stream.close();
    await until('no stream is left over', async () => {
      const metrics = await (await fetch(`${dev.internalUrl}/metrics`)).text();
      return /^centrali_open_streams 0$/m.test(metrics);
    });
  });
});

describe.skipIf(!requirePart('chromium'))('Chromium over HTTP/2', () => {
  let browser: Browser;
  let pages: PageServer;
  afterAll(async () => {
    await browser?.close();
    await pages?.close();
  });

  it('opens twelve EventSources to one origin, where HTTP/1.1 gives it six connections', async () => {
    pages = await servePages({ '/': '<!doctype html>' });
    browser = await launchChromium(['--ignore-certificate-errors']);
    const page = await browser.newPage({ ignoreHTTPSErrors: true });
    await page.goto(pages.origin);
    await page.evaluate(
      (url) => {
        const shared = globalThis as any;
        shared.opened = 0;
        for (let i = 0; i < 12; i++) {
          const source = new EventSource(`${url}&structures=page${i}`);
          source.addEventListener('system', () => shared.opened++, { once: true });
        }
      },
      eventsUrl(dev, { access_token: token }),
    );
    await until('twelve are open', async () => (await page.evaluate(() => (globalThis as any).opened)) === 12);
  });
});
