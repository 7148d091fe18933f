import { beforeAll, describe, expect, it } from 'vitest';
import { KeySet, type KeySetOptions } from './key-set.ts';
import { Refusal } from './refusal.ts';
import { makeKey, type TestKey } from './token-kit.fixture.ts';

let k1: TestKey;
let k2: TestKey;
let other1: TestKey;

beforeAll(async () => {
  [k1, k2, other1] = await Promise.all([makeKey('k1'), makeKey('k2'), makeKey('k1')]);
});

type Mode = 'ok' | 'fail' | 'hang' | 'empty' | 'same-kid' | 'huge' | 'not-a-set';

/** A key set over an issuer that a test can bend, and a clock that a test moves. */
function world(options: Partial<KeySetOptions> = {}) {
  const state = { mode: 'ok' as Mode, keys: [k1], clock: 0, fetches: 0, failures: [] as string[] };
  const answers: Record<Mode, () => Promise<unknown>> = {
    ok: async () => ({ keys: state.keys.map(({ jwk }) => jwk) }),
    fail: () => Promise.reject(new Error('500')),
    hang: () => new Promise(() => {}),
    empty: async () => ({ keys: [] }),
    'same-kid': async () => ({ keys: [k1.jwk, other1.jwk] }),
    huge: async () => ({ keys: Array.from({ length: 65 }, (_, i) => ({ ...k1.jwk, kid: `k${i}` })) }),
    'not-a-set': async () => '<html>',
  };
  const set = new KeySet({
    load: () => {
      state.fetches += 1;
      return answers[state.mode]();
    },
    algorithms: ['RS256'],
    monotonic: () => state.clock,
    timeoutMs: 20,
    onFailure: (reason) => state.failures.push(reason),
    ...options,
  });
  const find = async (kid: string): Promise<string> => {
    try {
      return (await set.key(kid)).kid;
    } catch (error) {
      if (error instanceof Refusal) return error.message;
      throw error;
    }
  };
  return { state, set, find };
}

const MINUTE = 60_000;
const UNKNOWN = 'INVALID_TOKEN (kid_unknown)';
const OUT_OF_REACH = 'AUTH_ERROR (jwks_unreachable)';

describe('KeySet', () => {
  it('loads once for all who wait, and not again while fresh', async () => {
    const { state, find } = world();
    expect(await Promise.all(Array.from({ length: 50 }, () => find('k1')))).toEqual(Array(50).fill('k1'));
    state.clock = 2 * MINUTE;
    expect(await find('k1')).toBe('k1');
    expect(state.fetches).toBe(1);
  });

  it('finds a key that the issuer has just begun to use', async () => {
    const { state, find } = world();
    await find('k1');
    state.keys = [k1, k2];
    expect(await Promise.all([find('k2'), find('k2'), find('k1')])).toEqual(['k2', 'k2', 'k1']);
    expect(state.fetches).toBe(2);
  });

  it('loads at most once per cooldown, however many unknown kids come', async () => {
    const { state, find } = world();
    await find('k1');
    for (let second = 0; second < 600; second++) {
      state.clock = second * 1000;
      expect(await find(`random-${second}`)).toBe(UNKNOWN);
    }
    // 20 cooldowns in ten minutes, the first load, and the ordinary ones of the age.
    expect(state.fetches).toBeLessThanOrEqual(1 + 20 + 4);
    expect(state.fetches).toBeGreaterThan(15);
  });

  it('counts failed loads in the cooldown, and never says invalid when it cannot know', async () => {
    const { state, find } = world();
    await find('k1');
    state.mode = 'fail';
    for (let tenth = 0; tenth < 290; tenth++) {
      state.clock = 1000 + tenth * 100;
      expect(await find('random')).toBe(OUT_OF_REACH);
      expect(await find('k1')).toBe('k1');
    }
    expect(state.fetches).toBe(2);
  });

  it.each([
    ['fail', 'jwks_failed'],
    ['hang', 'jwks_timeout'],
    ['empty', 'jwks_empty'],
    ['same-kid', 'jwks_kid_repeated'],
    ['huge', 'jwks_too_many_keys'],
    ['not-a-set', 'jwks_malformed'],
  ] as const)('is out of reach when the first load brings %s, and recovers', async (mode, reason) => {
    const { state, find } = world();
    state.mode = mode;
    expect(await find('k1')).toBe(OUT_OF_REACH);
    expect(await find('k1')).toBe(OUT_OF_REACH);
    expect(state).toMatchObject({ fetches: 1, failures: [reason] });
    state.mode = 'ok';
    state.clock = 1000;
    expect(await find('k1')).toBe('k1');
    expect(state.fetches).toBe(2);
  });

  it.each(['fail', 'hang', 'empty', 'same-kid', 'huge', 'not-a-set'] as const)(
    'keeps the good set for the bound while reloads bring %s',
    async (mode) => {
      const { state, find } = world();
      await find('k1');
      state.mode = mode;
      state.clock = 5 * MINUTE;
      expect(await find('k1')).toBe('k1');
      expect(state.fetches).toBe(2);
      state.clock = 65 * MINUTE - 1;
      expect(await find('k1')).toBe('k1');
      state.clock = 65 * MINUTE;
      expect(await find('k1')).toBe(OUT_OF_REACH);
    },
  );

  it('pauses longer after each failed load, up to half a minute', async () => {
    const { state, find } = world();
    state.mode = 'fail';
    const at: number[] = [];
    for (state.clock = 0; state.clock <= 130_000; state.clock += 250) {
      const before = state.fetches;
      await find('k1');
      if (state.fetches > before) at.push(state.clock / 1000);
    }
    expect(at).toEqual([0, 1, 3, 7, 15, 31, 61, 91, 121]);
  });

  it('drops a key that the issuer has removed when the set is due', async () => {
    const { state, find } = world();
    await find('k1');
    state.keys = [k2];
    state.clock = 5 * MINUTE - 1;
    expect(await find('k1')).toBe('k1');
    state.clock = 5 * MINUTE;
    expect(await find('k1')).toBe(UNKNOWN);
  });

  it('renews a set that is half as old as it may be without making anyone wait', async () => {
    const { state, find } = world();
    await find('k1');
    state.mode = 'hang';
    state.clock = 2.5 * MINUTE;
    expect(await find('k1')).toBe('k1');
    expect(state.fetches).toBe(2);
  });

  it('loads anew when told that keys have changed', async () => {
    const { state, set, find } = world();
    await find('k1');
    state.keys = [k2];
    set.expire();
    expect(await find('k1')).toBe(UNKNOWN);
    expect(state.fetches).toBe(2);
  });

  it('finds new material under an old kid once per cooldown', async () => {
    const { state, set } = world();
    const old = await set.key('k1');
    state.keys = [other1];
    const replacement = await set.replacement(old);
    expect(replacement?.material).not.toBe(old.material);
    expect(state.fetches).toBe(2);
    for (let i = 0; i < 20; i++) expect(await set.replacement(await set.key('k1'))).toBeUndefined();
    expect(state.fetches).toBe(2);
    // Whoever still holds the old key learns of the new one without a load.
    expect((await set.replacement(old))?.material).toBe(replacement?.material);
    expect(state.fetches).toBe(2);
  });

  describe('while a load is under way', () => {
    /** Loads that a test answers one by one; each brings the keys of the moment when it began. */
    const slow = (options: Partial<KeySetOptions> = {}) => {
      const answers: (() => void)[] = [];
      const made = world({
        timeoutMs: 5_000,
        load: () => {
          const keys = made.state.keys.map(({ jwk }) => jwk);
          made.state.fetches += 1;
          return new Promise((resolve) => answers.push(() => resolve({ keys })));
        },
        ...options,
      });
      const answer = (at: number): void => {
        const load = answers[at];
        if (!load) throw new Error('No such load.');
        load();
      };
      return { ...made, answer };
    };

    it('a change of the keys is not taken for loaded: a load that knows of it follows, one for all who wait', async () => {
      const { state, set, find, answer } = slow();
      const early = find('k1');
      state.keys = [k1, k2];
      set.expire();
      const late = Promise.all(Array.from({ length: 20 }, () => find('k2')));
      answer(0);
      await expect.poll(() => state.fetches).toBe(2);
      answer(1);
      expect(await early).toBe('k1');
      expect(await late).toEqual(Array(20).fill('k2'));
      expect(state.fetches).toBe(2);
    });

    it('a kid that came after it began is looked for once more', async () => {
      const { state, find, answer } = slow();
      const early = find('k1');
      state.keys = [k1, k2];
      const late = find('k2');
      answer(0);
      expect(await early).toBe('k1');
      await expect.poll(() => state.fetches).toBe(2);
      answer(1);
      expect(await late).toBe('k2');
    });

    it('strangers cause one more at most', async () => {
      const { state, find, answer } = slow();
      const strangers = Promise.all(Array.from({ length: 50 }, (_, i) => find(`stranger-${i}`)));
      answer(0);
      await expect.poll(() => state.fetches).toBe(2);
      answer(1);
      expect(await strangers).toEqual(Array(50).fill(UNKNOWN));
      expect(state.fetches).toBe(2);
    });
  });
});
