import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OPERATOR } from '../audit/actor.ts';
import type { Store } from '../store/port.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import { type KeyRing, type KeyRingOptions, openKeyRing } from './key-ring.ts';
import { PUBLISH_LEAD_SECONDS } from './schedule.ts';

const LONGEST_SECONDS = 3_600;

let store: Store;
let keys: KeyRing;
let clock: number;
const rings: KeyRing[] = [];

const open = async (
  algorithm: 'ES256' | 'EdDSA' | 'RS256' = 'ES256',
  more: Partial<KeyRingOptions> = {},
): Promise<KeyRing> => {
  const ring = await openKeyRing({
    store,
    algorithm,
    longestLifetimeSeconds: LONGEST_SECONDS,
    now: () => clock,
    ...more,
  });
  rings.push(ring);
  return ring;
};
const published = (ring = keys): unknown[] => ring.jwks().keys.map(({ kid }) => kid);

beforeEach(async () => {
  clock = 1_000_000;
  store = await openSqliteStore({ file: ':memory:', randomBytes });
  keys = await open();
});
afterEach(async () => {
  for (const ring of rings.splice(0)) ring.close();
  await store.close();
});

describe('the signing keys', () => {
  it('begin with one that signs at once, and come back after a restart', async () => {
    const { kid, alg } = await keys.signer();
    expect(alg).toBe('ES256');
    expect(published()).toEqual([kid]);
    expect((await (await open()).signer()).kid).toBe(kid);
    expect(published(await open())).toEqual([kid]);
  });

  it.each(['RS256', 'ES256', 'EdDSA'] as const)('never show a private member of %s', async (algorithm) => {
    const ring = await open(algorithm);
    for (const key of ring.jwks().keys) {
      expect(key).toMatchObject({ kid: expect.any(String), alg: expect.any(String), use: 'sig' });
      for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) expect(key).not.toHaveProperty(member);
    }
    expect(JSON.stringify(ring.list())).not.toContain('privateJwk');
  });

  it('publish the next one before it signs, for longer than a cache may keep the set', async () => {
    const first = (await keys.signer()).kid;
    const { kid, signFrom } = await keys.rotate(OPERATOR);
    expect(signFrom - clock).toBe(360_000);
    expect(keys.maxAgeSeconds).toBe(300);
    expect(new Set(published())).toEqual(new Set([first, kid]));
    clock = signFrom - 1;
    expect((await keys.signer()).kid).toBe(first);
    clock = signFrom;
    expect((await keys.signer()).kid).toBe(kid);
  });

  it('keep the last one published until its last token is dead, then forget it', async () => {
    const first = (await keys.signer()).kid;
    const { kid, signFrom } = await keys.rotate(OPERATOR);
    clock = signFrom + LONGEST_SECONDS * 1_000;
    expect(published()).toContain(first);
    await keys.prune();
    expect(keys.list().map((key) => key.kid)).toContain(first);
    clock += 60_000;
    expect(published()).toEqual([kid]);
    await keys.prune();
    expect(keys.list().map((key) => key.kid)).toEqual([kid]);
  });

  it('withdraw one at once, and let another sign from that moment on', async () => {
    const first = (await keys.signer()).kid;
    const { revision } = (await keys.withdraw(first, OPERATOR)) ?? {};
    const second = (await keys.signer()).kid;
    expect(second).not.toBe(first);
    expect(published()).toEqual([second]);
    const rows = await store.read((view) => view.feed.after((revision ?? 0) - 1, 1));
    expect(rows).toEqual([{ revision, change: { kind: 'key', kid: first, withdrawn: true } }]);
    // Remembered for as long as a token of it could live.
    clock += LONGEST_SECONDS * 1_000;
    await keys.prune();
    expect(keys.list().map(({ kid }) => kid)).toContain(first);
    clock += 60_000;
    await keys.prune();
    expect(keys.list().map(({ kid }) => kid)).toEqual([second]);
  });

  it('are bounded in number', async () => {
    for (let i = 1; i < 32; i++) await keys.rotate(OPERATOR);
    await expect(keys.rotate(OPERATOR)).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(published()).toHaveLength(32);
  });

  it.each([
    [1, 0],
    [60, 0],
    [90, 30],
    [3_600, 300],
  ])('with a lead of %i s sign after it, and let caches keep the set for %i s', async (publishLeadSeconds, maxAge) => {
    const ring = await open('ES256', { publishLeadSeconds });
    const { kid, signFrom } = await ring.rotate(OPERATOR);
    expect(signFrom - clock).toBe(publishLeadSeconds * 1_000);
    expect(ring.maxAgeSeconds).toBe(maxAge);
    clock = signFrom;
    expect((await ring.signer()).kid).toBe(kid);
  });

  it('can be turned round every other second for a minute, and each signs in its turn', async () => {
    const ring = await open('ES256', { publishLeadSeconds: 1 });
    for (let round = 0; round < 30; round++) {
      const { kid } = await ring.rotate(OPERATOR);
      clock += 2_000;
      expect((await ring.signer()).kid).toBe(kid);
    }
    expect(published(ring)).toHaveLength(31);
  });

  it('are as many as the operator lets them be', async () => {
    const ring = await open('ES256', { maxPublished: 2 });
    await ring.rotate(OPERATOR);
    await expect(ring.rotate(OPERATOR)).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  it('say when there is none to withdraw', async () => {
    expect(await keys.withdraw('none', OPERATOR)).toBeUndefined();
  });

  it('of another algorithm than configured are rotated out, not thrown away', async () => {
    const first = (await keys.signer()).kid;
    const ring = await open('EdDSA');
    expect((await ring.signer()).kid).toBe(first);
    expect(published(ring)).toHaveLength(2);
    clock += PUBLISH_LEAD_SECONDS * 1_000;
    expect((await ring.signer()).alg).toBe('EdDSA');
    // A second start finds what it needs.
    expect(published(await open('EdDSA'))).toHaveLength(2);
  });

  it('that another process made are seen without a restart', async () => {
    const other = await open();
    const { kid } = await keys.rotate(OPERATOR);
    await expect.poll(() => published(other)).toContain(kid);
  });
});
