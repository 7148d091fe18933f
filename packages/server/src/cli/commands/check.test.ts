import { chmodSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeCertificate } from '../certificate.ts';
import { loadConfig } from '../config/index.ts';
import { findings } from './check.ts';

const NOW = Date.UTC(2026, 10, 24, 12);
const DAY = 86_400_000;
let data = '';
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'centrali-check-'));
});
afterEach(() => rmSync(data, { recursive: true, force: true }));

/** The findings that are not good, as `weak origins`. */
function faults(flags: Record<string, string | string[]> = {}, now = NOW): string[] {
  const { config } = loadConfig({
    flags: { data, publicUrl: 'https://localhost', allowedOrigins: 'https://a.example', ...flags },
    env: {},
  });
  return findings(config, now)
    .filter(({ level, about }) => level !== 'good' && about !== 'tokens.query' && about !== 'open files')
    .map(({ level, about }) => `${level} ${about}`);
}

describe('check', () => {
  it('finds nothing wrong where nothing is', () => {
    expect(faults()).toEqual([]);
  });

  it.each([
    [{ allowedOrigins: '*' }, ['weak origins']],
    [{ allowedOrigins: [] }, ['weak origins']],
    [{ 'limits.connectionsPerAddress': '0', 'limits.connectionsPerWorkspace': '0' }, ['weak limits', 'weak limits']],
    [{ devTokens: 'true' }, ['weak devTokens']],
    [{ 'providers.allowPrivateAddresses': 'true' }, ['weak providers']],
    [{ host: '0.0.0.0', trustedProxies: '10.0.0.1' }, ['wrong URL']],
    [{ 'tls.certFile': '/nowhere/cert.pem', 'tls.keyFile': '/nowhere/key.pem' }, ['wrong TLS']],
  ] as [Record<string, string | string[]>, string[]][])('%j: %j', (flags, expected) =>
    expect(faults(flags)).toEqual(expected),
  );

  it('reads the certificate', () => {
    const cert = join(data, 'cert.pem');
    const key = join(data, 'key.pem');
    const made = makeCertificate(NOW);
    writeFileSync(cert, made.cert);
    writeFileSync(key, made.key);
    const tls = { 'tls.certFile': cert, 'tls.keyFile': key };
    expect(faults(tls)).toEqual([]);
    expect(faults(tls, NOW + 20 * DAY)).toEqual(['weak TLS']);
    expect(faults(tls, NOW + 31 * DAY)).toEqual(['wrong TLS']);
    expect(faults({ ...tls, publicUrl: 'https://realtime.example.com' })).toEqual(['wrong TLS']);
  });

  it('sees a folder that others may enter, and a clock that went back', () => {
    chmodSync(data, 0o755);
    expect(faults()).toEqual(['weak data']);
    chmodSync(data, 0o700);
    const file = join(data, 'state.db');
    writeFileSync(file, '');
    utimesSync(file, NOW / 1000 + 60, NOW / 1000 + 60);
    expect(faults()).toEqual(['wrong clock']);
    expect(faults({}, Date.UTC(2020, 0, 1))).toEqual(['wrong clock']);
  });
});
