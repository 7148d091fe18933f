// kill -9 under load, in the small: the full size is `node bench/chaos.mjs`.
import { expect, it } from 'vitest';
import { runCrashes } from './crash.ts';
import { faults, Ledger, total } from './ledger.ts';

it('every acknowledged event reaches every handler once and in order after each kill -9', {
  timeout: 240_000,
}, async () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  const { ledgers, streams } = await runCrashes({
    seed,
    kills: 4,
    withinMs: 1500,
    workspaces: 2,
    subscribers: 6,
    sdk: 2,
    perSecond: 300,
    log: () => {},
  });
  const counts = total(ledgers);
  console.log(`seed ${seed}: ${JSON.stringify(counts)}`);
  expect(faults(ledgers), `seed ${seed}`).toEqual([]);
  expect(counts.handlers).toBe(12);
  expect(counts.acknowledged).toBeGreaterThan(20);
  expect(counts.delivered).toBeGreaterThanOrEqual(counts.due);
  // Each stream was broken at least once.
  expect(streams).toBeGreaterThan(12);
});

it('the judge sees each kind of fault', () => {
  const made = (wrong: (ledger: Ledger) => void): string[] => {
    const ledger = new Ledger();
    const [first, second] = [ledger.handler(), ledger.handler()];
    for (let i = 0; i < 4; i++) ledger.issue(i % 2);
    for (const n of [0, 1, 2, 3]) first.record(n, `id${n}`);
    wrong(ledger);
    for (const n of [0, 1, 2, 3]) ledger.acknowledge(n, `id${n}`);
    void second;
    return faults([ledger]).filter((line) => /^[a-z]+: \d+$/.test(line));
  };
  const give =
    (...events: readonly [n: number, id: string][]) =>
    (ledger: Ledger): void => {
      for (const [n, id] of events) ledger.handlers[1]?.record(n, id);
    };
  const all: [number, string][] = [
    [0, 'id0'],
    [1, 'id1'],
    [2, 'id2'],
    [3, 'id3'],
  ];
  const [zero, one, two, three] = all as [[number, string], [number, string], [number, string], [number, string]];
  expect(made(give(...all))).toEqual([]);
  expect(made(give(zero, one, two))).toEqual(['missing: 1']);
  expect(made(give(zero, one, one, two, three))).toEqual(['twice: 1']);
  expect(made(give(two, one, zero, three))).toEqual(['disordered: 1', 'differing: 2']);
  expect(made(give(one, zero, two, three))).toEqual(['differing: 2']);
  expect(made(give(...all, [9, 'id9']))).toEqual(['strange: 1']);
  expect(made(give(zero, one, two, [3, 'other']))).toEqual(['missing: 1', 'strange: 1']);
  expect(
    made((ledger) => {
      give(...all)(ledger);
      ledger.handlers[0]!.gaps++;
    }),
  ).toEqual(['gaps: 1']);
});
