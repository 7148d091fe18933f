import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FakeEffects } from './fixtures/fake-effects.ts';
import { TimeWheel, type WheelItem } from './time-wheel.ts';

interface Item extends WheelItem {
  readonly name: number;
  at: number;
}

function item(name: number): Item {
  return { name, at: 0, wheelBucket: -1, wheelNext: undefined, wheelPrevious: undefined };
}

/** A wheel whose items are put back until their time has really come, as streams are. */
function setUp(effects: FakeEffects): { wheel: TimeWheel<Item>; came: { item: Item; time: number }[] } {
  const came: { item: Item; time: number }[] = [];
  const wheel: TimeWheel<Item> = new TimeWheel<Item>(effects, (items) => {
    for (const one of items) {
      if (effects.time < one.at) wheel.schedule(one, one.at);
      else came.push({ item: one, time: effects.time });
    }
  });
  return { wheel, came };
}

const step = fc.oneof(
  fc.record({ do: fc.constant('schedule' as const), name: fc.nat(5), inMs: fc.integer({ min: -10, max: 90_000 }) }),
  fc.record({ do: fc.constant('cancel' as const), name: fc.nat(5) }),
  fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 40_000 }) }),
);

describe('the wheel', () => {
  test('brings each item up once, not before its time and at most a tick after it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const effects = new FakeEffects();
        const { wheel, came } = setUp(effects);
        const items = Array.from({ length: 6 }, (_, name) => item(name));
        const due = new Map<number, number>();
        const check = (): void => {
          for (const { item: one, time } of came.splice(0)) {
            const at = due.get(one.name);
            expect(at).toBeDefined();
            due.delete(one.name);
            expect(time).toBeGreaterThanOrEqual(one.at);
            expect(time).toBeLessThanOrEqual(Math.max(at ?? 0, one.at) + 100);
          }
          for (const at of due.values()) expect(at + 100).toBeGreaterThan(effects.time);
        };
        for (const one of steps) {
          if (one.do === 'pass') await effects.pass(one.ms);
          else {
            const target = items[one.name];
            if (!target) continue;
            if (one.do === 'cancel') {
              wheel.cancel(target);
              due.delete(one.name);
            } else {
              target.at = effects.time + one.inMs;
              wheel.schedule(target, target.at);
              due.set(one.name, Math.max(target.at, effects.time));
            }
          }
          check();
        }
        await effects.pass(100_000);
        check();
        expect(due.size).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  test('needs one timer for ten thousand items, and none when it is empty', () => {
    const effects = new FakeEffects();
    const { wheel } = setUp(effects);
    expect(effects.timers).toBe(0);
    for (let n = 0; n < 10_000; n++) wheel.schedule(item(n), effects.time + ((n * 7919) % 15_000));
    expect(effects.timers).toBe(1);
    wheel.stop();
    expect(effects.timers).toBe(0);
  });

  test('finds everything due after the process slept', async () => {
    const effects = new FakeEffects();
    const { wheel, came } = setUp(effects);
    for (let n = 0; n < 100; n++) {
      const one = item(n);
      one.at = effects.time + n * 250;
      wheel.schedule(one, one.at);
    }
    effects.time += 3_600_000;
    await effects.pass(100);
    expect(came).toHaveLength(100);
  });
});
