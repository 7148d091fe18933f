import { createHash } from 'node:crypto';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { DPOP_ALGORITHMS, DpopError, ProofMemory, readProof } from './dpop.ts';

const NOW = 1_767_225_600;
const URL = 'https://realtime.example/realtime/workspace/acme/events';
const TOKEN = 'a.b.c';
const ATH = createHash('sha256').update(TOKEN).digest('base64url');

const pair = await generateKeyPair('ES256', { extractable: true });
const jwk = await exportJWK(pair.publicKey);

/** A good proof, changed: a member that is `undefined` is left out. */
async function proofOf(claims: object = {}, header: object = {}, key = pair.privateKey): Promise<string> {
  const payload = JSON.parse(JSON.stringify({ jti: 'j1', htm: 'GET', htu: URL, iat: NOW, ath: ATH, ...claims }));
  const protectedHeader = JSON.parse(JSON.stringify({ typ: 'dpop+jwt', alg: 'ES256', jwk, ...header }));
  return new SignJWT(payload).setProtectedHeader(protectedHeader).sign(key);
}

async function read(headers: readonly string[], request: { token?: string } = { token: TOKEN }): Promise<string> {
  try {
    return (await readProof(headers, { method: 'GET', url: URL, ...request }, NOW * 1000)).jkt;
  } catch (error) {
    if (error instanceof DpopError) return error.reason;
    throw error;
  }
}

describe('readProof', () => {
  it('gives the thumbprint of RFC 7638 of the key that signed', async () => {
    expect(await read([await proofOf()])).toBe(await calculateJwkThumbprint(jwk));
  });

  it.each(DPOP_ALGORITHMS)('takes a key for %s', async (alg) => {
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
    const other = await exportJWK(publicKey);
    const proof = await proofOf({}, { alg, jwk: other }, privateKey);
    expect(await read([proof])).toBe(await calculateJwkThumbprint(other));
  });

  it('compares URLs without query and fragment, in their normal form', async () => {
    for (const htu of [
      `${URL}?a=1#b`,
      URL.replace('realtime.example', 'REALTIME.example:443'),
      URL.replace('events', './events'),
    ])
      expect(await read([await proofOf({ htu })])).toHaveLength(43);
  });

  it.each<[string, object]>([
    ['dpop_jti', { jti: undefined }],
    ['dpop_jti', { jti: '' }],
    ['dpop_jti', { jti: 7 }],
    ['dpop_jti', { jti: 'x'.repeat(257) }],
    ['dpop_htm', { htm: 'POST' }],
    ['dpop_htm', { htm: 'get' }],
    ['dpop_htu', { htu: undefined }],
    ['dpop_htu', { htu: URL.replace('https', 'http') }],
    ['dpop_htu', { htu: URL.replace('acme', 'other') }],
    ['dpop_htu', { htu: `${URL}/` }],
    ['dpop_htu', { htu: URL.replace('realtime.example', 'realtime.example:444') }],
    ['dpop_htu', { htu: URL.replace('//', '//user@') }],
    ['dpop_iat', { iat: NOW - 61 }],
    ['dpop_iat', { iat: NOW + 61 }],
    ['dpop_iat', { iat: `${NOW}` }],
    ['dpop_iat', { iat: undefined }],
    ['dpop_ath', { ath: undefined }],
    ['dpop_ath', { ath: createHash('sha256').update('other').digest('base64url') }],
  ])('refuses with %s: %j', async (reason, claims) => {
    expect(await read([await proofOf(claims)])).toBe(reason);
  });

  it('asks for no hash where there is no token yet', async () => {
    expect(await read([await proofOf({ ath: undefined })], {})).toHaveLength(43);
  });

  it('refuses headers that are none: another type, a key id, a private, foreign or missing key', async () => {
    const privateJwk = await exportJWK(pair.privateKey);
    const { publicKey } = await generateKeyPair('ES256', { extractable: true });
    const rows: [string, object][] = [
      ['dpop_typ', { typ: 'JWT' }],
      ['dpop_typ', { typ: undefined }],
      ['dpop_header', { kid: 'k' }],
      ['dpop_header', { jku: 'https://evil.example' }],
      ['dpop_jwk', { jwk: undefined }],
      ['dpop_jwk', { jwk: { kty: 'EC' } }],
      ['dpop_jwk', { jwk: { kty: 'RSA', n: 'AQ', e: 'AQAB' } }],
      ['dpop_private_key', { jwk: privateJwk }],
      ['dpop_signature', { jwk: await exportJWK(publicKey) }],
    ];
    for (const [reason, header] of rows)
      expect([reason, await read([await proofOf({}, header)])]).toEqual([reason, reason]);
  });

  it('refuses a symmetric algorithm and none', async () => {
    const secret = new TextEncoder().encode('s'.repeat(32));
    const oct: JWK = { kty: 'oct', k: Buffer.from(secret).toString('base64url') };
    const hs = await new SignJWT({}).setProtectedHeader({ typ: 'dpop+jwt', alg: 'HS256', jwk: oct }).sign(secret);
    expect(await read([hs])).toBe('dpop_alg');
    const [, payload = '', signature = ''] = (await proofOf()).split('.');
    const none = Buffer.from(JSON.stringify({ typ: 'dpop+jwt', alg: 'none', jwk })).toString('base64url');
    expect(await read([`${none}.${payload}.${signature}`])).toBe('dpop_alg');
  });

  it('refuses what is no proof, none, two, and one that is too long', async () => {
    const good = await proofOf();
    expect(await read([])).toBe('dpop_missing');
    expect(await read([''])).toBe('dpop_missing');
    expect(await read([good, good])).toBe('dpop_repeated');
    expect(await read([`${good}, ${good}`])).toMatch(/^dpop_/);
    expect(await read(['x'])).toBe('dpop_form');
    expect(await read([`${good}.x`])).toBe('dpop_form');
    expect(await read([good.replace('.', '=.')])).toBe('dpop_form');
    expect(await read([`${good.slice(0, good.lastIndexOf('.'))}.AAAA`])).toBe('dpop_signature');
    expect(await read(['W10.e30.AA'])).toBe('dpop_json');
    expect(await read(['x'.repeat(4097)])).toBe('dpop_too_long');
  });
});

describe('ProofMemory', () => {
  it('lets a proof through once, for as long as it could come again', () => {
    let clock = 0;
    const memory = new ProofMemory(() => clock);
    expect(memory.take({ jkt: 'k', jti: 'a' })).toBe('taken');
    expect(memory.take({ jkt: 'k', jti: 'a' })).toBe('replayed');
    expect(memory.take({ jkt: 'other', jti: 'a' })).toBe('taken');
    for (clock of [119_000, 121_000, 200_000]) expect(memory.take({ jkt: 'k', jti: 'a' })).toBe('replayed');
    clock = 500_000;
    expect(memory.take({ jkt: 'k', jti: 'a' })).toBe('taken');
  });

  it('never forgets within two windows, wherever a generation begins', () => {
    for (let at = 0; at <= 600_000; at += 7000) {
      let clock = 0;
      const memory = new ProofMemory(() => clock);
      for (clock = 0; clock < at; clock += 50_000) memory.take({ jkt: 'k', jti: `at ${clock}` });
      clock = at;
      expect(memory.take({ jkt: 'k', jti: 'a' })).toBe('taken');
      clock = at + 120_000;
      expect(memory.take({ jkt: 'k', jti: 'a' })).toBe('replayed');
    }
  });

  it('takes no more than it can remember', () => {
    let clock = 0;
    const memory = new ProofMemory(() => clock, 2);
    expect(['a', 'b', 'c'].map((jti) => memory.take({ jkt: 'k', jti }))).toEqual(['taken', 'taken', 'full']);
    clock = 121_000;
    expect(memory.take({ jkt: 'k', jti: 'c' })).toBe('taken');
  });
});
