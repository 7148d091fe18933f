import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { devCertificate, makeCertificate } from './certificate.ts';

const DAY = 86_400_000;
let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'centrali-certificate-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('makeCertificate', () => {
  it('makes a certificate of this machine alone, which OpenSSL reads and its own key has signed', () => {
    const now = Date.UTC(2026, 10, 24, 12);
    const certificate = new X509Certificate(makeCertificate(now).cert);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(certificate.ca).toBe(false);
    expect(certificate.checkHost('localhost')).toBe('localhost');
    expect(certificate.checkHost('example.com')).toBeUndefined();
    expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1');
    expect(certificate.checkIP('::1')).toBe('::1');
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
    expect(Date.parse(certificate.validFrom)).toBe(now - DAY);
    expect(Date.parse(certificate.validTo)).toBe(now + 30 * DAY);
  });

  it('serves a client that trusts it', async () => {
    const tls = makeCertificate(Date.now());
    const server = createServer(tls);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const authorized = await new Promise<boolean>((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: tls.cert }, () => {
        resolve(socket.authorized);
        socket.destroy();
      });
      socket.once('error', reject);
    });
    await new Promise((resolve) => server.close(resolve));
    expect(authorized).toBe(true);
  });
});

describe('devCertificate', () => {
  it('keeps the certificate until its last day, readable by its owner alone', () => {
    const now = Date.now();
    const first = devCertificate(folder, now);
    expect(readFileSync(first.path, 'utf8')).toBe(first.cert);
    expect(statSync(join(folder, 'dev-key.pem')).mode & 0o777).toBe(0o600);
    expect(devCertificate(folder, now + 28 * DAY)).toEqual(first);
    expect(devCertificate(folder, now + 29.5 * DAY).cert).not.toBe(first.cert);
  });
});
