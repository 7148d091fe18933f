import fc from 'fast-check';
import { expect, test } from 'vitest';
import { backoffMs } from './backoff.ts';

test('full jitter over 1 s, doubling to 30 s, on the floor', () => {
  expect([1, 2, 3, 4, 5, 6, 7].map((failures) => backoffMs(failures, 0, 1))).toEqual([
    1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000,
  ]);
  expect(backoffMs(3, 0, 0)).toBe(0);
  expect(backoffMs(0, 0, 0.9)).toBe(0);
  expect(backoffMs(0, 7_000, 0.9)).toBe(7_000);
});

test('is never under the floor and never more than 30 s over it', () => {
  fc.assert(
    fc.property(fc.nat(5_000), fc.nat(), fc.double({ min: 0, max: 1, noNaN: true }), (failures, floor, random) => {
      const ms = backoffMs(failures, floor, random);
      expect(ms).toBeGreaterThanOrEqual(floor);
      expect(ms).toBeLessThanOrEqual(floor + 30_000);
    }),
  );
});
