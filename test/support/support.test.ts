// The harness itself: a reader that misreads or a launcher that cannot start would make every other suite lie.
import { createPublicKey, verify } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { startProcess } from './centrali.ts';
import { launchChromium, servePages } from './chromium.ts';
import { openStream, parseBlock } from './event-stream.ts';
import { claimsOf, makeKey, signToken } from './forge.ts';
import { startIssuer } from './issuer.ts';
import { requirePart } from './parts.ts';
import { exchange } from './raw-socket.ts';

describe('the harness', () => {
  it('reads a stream block by block, however it is cut', async () => {
    const server = createServer((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const bytes = Buffer.from('retry: 1\n: hello\n\nid: a-1\nevent: message\ndata: {"x":"é"}\n\n');
      void (async () => {
        for (const byte of bytes) {
          response.write(Uint8Array.of(byte));
          await new Promise((resolve) => setImmediate(resolve));
        }
        response.end();
      })();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const stream = await openStream(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    expect(await stream.next()).toMatchObject({ retry: '1', comments: ['hello'], data: undefined });
    expect(await stream.message()).toEqual({ id: 'a-1', json: { x: 'é' } });
    expect(await stream.end()).toEqual([]);
    await expect(stream.next()).rejects.toThrow('the stream ended');
    server.close();
  });

  it('takes apart a block by the rules of the standard', () => {
    expect(parseBlock('data:1\r\ndata:  2\r\nevent: x\r\nid\r\n\r\n')).toMatchObject({
      data: '1\n 2',
      event: 'x',
      id: '',
    });
  });

  it.each(['RS256', 'ES256', 'EdDSA'] as const)('signs tokens that verify (%s)', (alg) => {
    const key = makeKey(alg);
    const token = signToken(key, { sub: 'é' });
    const [head, payload, sig] = token.split('.');
    const publicKey = createPublicKey({ key: key.publicJwk as any, format: 'jwk' });
    const options = alg === 'ES256' ? { key: publicKey, dsaEncoding: 'ieee-p1363' as const } : publicKey;
    const hash = alg === 'EdDSA' ? null : 'sha256';
    expect(verify(hash, Buffer.from(`${head}.${payload}`), options, Buffer.from(sig!, 'base64url'))).toBe(true);
    expect(claimsOf(token)).toEqual({ sub: 'é' });
  });

  it('has a provider that fails in every way, and counts', async () => {
    const issuer = await startIssuer();
    expect(await (await fetch(issuer.jwksUri)).json()).toEqual({ keys: [issuer.key.publicJwk] });
    issuer.mode = 'error';
    expect((await fetch(issuer.jwksUri)).status).toBe(500);
    issuer.mode = 'hang';
    await expect(fetch(issuer.jwksUri, { signal: AbortSignal.timeout(50) })).rejects.toThrow();
    expect(issuer.fetches()).toBe(3);
    await issuer.close();
  });

  it('speaks raw HTTP', async () => {
    const server = createServer((_, response) => response.end('ok'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    expect(await exchange(port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n')).toMatchObject({ status: 200 });
    expect(await exchange(port, 'nonsense\r\n\r\n')).toMatchObject({ status: 400, closed: true });
    server.close();
    server.closeAllConnections();
  });

  it('starts processes and sees them end', async () => {
    const child = startProcess(process.execPath, [
      '-e',
      'console.log("one");console.log("two");setInterval(()=>{},1000)',
    ]);
    expect(await child.line((line) => (line === 'two' ? line : undefined))).toBe('two');
    await child.kill();
    expect(await child.exited).toEqual({ code: null, signal: 'SIGKILL' });
    const failing = startProcess(process.execPath, ['-e', 'process.exit(3)']);
    await expect(failing.line(() => undefined)).rejects.toThrow('the process ended');
  });

  it.skipIf(!requirePart('chromium'))('drives Chromium', async () => {
    const pages = await servePages({ '/': '<title>hello</title>' });
    const browser = await launchChromium();
    const page = await browser.newPage();
    await page.goto(pages.origin);
    expect(await page.title()).toBe('hello');
    await browser.close();
    await pages.close();
  });
});
