// The SDK on a bad network, in the small: the full size is `node bench/storm.mjs`.
import { expect, it } from 'vitest';
import { faults, total } from './ledger.ts';
import { runStorm } from './storm.ts';

it('every acknowledged event reaches every handler of the SDK once and in order', { timeout: 240_000 }, async () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  const { ledgers, fates, streams } = await runStorm({
    seed,
    seconds: 8,
    subscribers: 8,
    publishers: 4,
    perSecond: 200,
    stallMs: 2000,
    halfOpenMs: 1500,
  });
  const counts = total(ledgers);
  console.log(`seed ${seed}: ${JSON.stringify({ ...counts, ...fates, streams })}`);
  expect(faults(ledgers), `seed ${seed}`).toEqual([]);
  expect(counts.acknowledged).toBeGreaterThan(20);
  expect(counts.delivered).toBeGreaterThanOrEqual(counts.due);
  expect(fates.cut + fates.stall + fates['half-open']).toBeGreaterThan(3);
  // Some streams were broken and went on.
  expect(streams).toBeGreaterThan(8);
});
