import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import { isVerifiableAlgorithm, readJwkSet } from './jwk-set.ts';
import { makeKey, type TestKey } from './token-kit.fixture.ts';

let rsa: TestKey;
let ec: TestKey;
let ed: TestKey;
let privateJwk: JWK;

beforeAll(async () => {
  [rsa, ec, ed] = await Promise.all([makeKey('rsa'), makeKey('ec', 'ES256'), makeKey('ed', 'EdDSA')]);
  privateJwk = await exportJWK(rsa.privateKey);
});

const ALL = ['RS256', 'PS256', 'ES256', 'EdDSA'];

/** `kid:alg` of the usable keys, beside a good one so that the set is never empty. */
async function usable(jwk: unknown, algorithms: readonly string[] = ALL): Promise<string[]> {
  const keys = await readJwkSet({ keys: [{ ...ec.jwk, kid: 'good' }, jwk] }, [...algorithms, 'ES256']);
  return [...keys.values()].filter(({ kid }) => kid !== 'good').map(({ kid, alg }) => `${kid}:${alg}`);
}

describe('readJwkSet', () => {
  it('reads one key of each kind', async () => {
    const keys = await readJwkSet({ keys: [rsa.jwk, ec.jwk, ed.jwk], extra: 1 }, ALL);
    expect([...keys.values()].map(({ alg }) => alg)).toEqual(['RS256', 'ES256', 'EdDSA']);
  });

  it('lets a key without alg serve one algorithm alone: the first that fits', async () => {
    const { alg: _, ...bare } = rsa.jwk;
    expect(await usable(bare)).toEqual(['rsa:RS256']);
    expect(await usable(bare, ['PS256', 'RS256'])).toEqual(['rsa:PS256']);
  });

  it('leaves out what cannot verify here', async () => {
    const { jwk } = rsa;
    for (const bad of [
      { ...jwk, use: 'enc' },
      { ...jwk, key_ops: ['encrypt'] },
      { ...jwk, key_ops: 'verify' },
      { ...jwk, alg: 'RS384' },
      { ...jwk, alg: 'HS256' },
      { ...jwk, kid: 7 },
      { ...jwk, kid: 'k'.repeat(257) },
      { ...jwk, n: 1 },
      { ...jwk, n: '' },
      { ...jwk, e: undefined },
      { ...privateJwk, kid: 'rsa', alg: 'RS256' },
      { kty: 'oct', kid: 'rsa', alg: 'HS256', k: 'AAAA' },
      { ...ec.jwk, kid: 'rsa', crv: 'P-384' },
      { ...ec.jwk, kid: 'rsa', x: ec.jwk.y },
      null,
      'x',
      [],
    ]) {
      expect(await usable(bad)).toEqual([]);
    }
    expect(await usable({ ...jwk, key_ops: ['verify'] })).toEqual(['rsa:RS256']);
  });

  it('leaves out RSA keys under 2,048 bits, and exponents that make verifying dear', async () => {
    const { publicKey } = await generateKeyPair('RS256', { modulusLength: 2048, extractable: true });
    const strong = await exportJWK(publicKey);
    const n = Buffer.from(strong.n ?? '', 'base64url');
    const short = Buffer.concat([n.subarray(0, 127), Buffer.of(1)]).toString('base64url');
    expect(await usable({ ...strong, kid: 'x', n: short })).toEqual([]);
    expect(await usable({ ...strong, kid: 'x', e: short })).toEqual([]);
    expect(await usable({ ...strong, kid: 'x' })).toEqual(['x:RS256']);
  });

  it.each([
    ['two equal kids', () => ({ keys: [rsa.jwk, { ...ec.jwk, kid: 'rsa' }] }), 'jwks_kid_repeated'],
    [
      '65 keys',
      () => ({ keys: Array.from({ length: 65 }, (_, i) => ({ ...ec.jwk, kid: `k${i}` })) }),
      'jwks_too_many_keys',
    ],
    ['no key', () => ({ keys: [] }), 'jwks_empty'],
    ['no usable key', () => ({ keys: [{ ...rsa.jwk, use: 'enc' }] }), 'jwks_empty'],
    ['keys that are no list', () => ({ keys: {} }), 'jwks_malformed'],
    ['null', () => null, 'jwks_malformed'],
  ])('refuses a set with %s', async (_what, set, reason) => {
    await expect(readJwkSet(set(), ALL)).rejects.toMatchObject({ reason });
  });
});

describe('isVerifiableAlgorithm', () => {
  it('knows asymmetric signatures by their exact names', () => {
    for (const alg of ['RS256', 'PS512', 'ES384', 'EdDSA', 'Ed25519']) expect(isVerifiableAlgorithm(alg)).toBe(true);
    for (const alg of ['none', 'None', 'HS256', 'rs256', 'RSA-OAEP', 'toString', ''])
      expect(isVerifiableAlgorithm(alg)).toBe(false);
  });
});
