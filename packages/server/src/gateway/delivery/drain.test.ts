import { describe, expect, test } from 'vitest';
import { World } from './fixtures/world.ts';

describe('lists', () => {
  test('know the open streams of a workspace, oldest first', async () => {
    const world = new World();
    const first = await world.subscribe();
    await world.subscribe({ workspace: 'b' });
    const third = await world.subscribe();
    expect([...world.delivery.list('a')].map(({ connectionId }) => connectionId)).toEqual([
      first.connectionId,
      third.connectionId,
    ]);
    expect([...world.delivery.list()]).toHaveLength(3);
    expect(world.delivery.find(first.connectionId)).toMatchObject({
      address: '192.0.2.1',
      requestId: 'req_1',
      state: 'live',
      unsentBytes: 0,
    });
    expect(world.delivery.find('cn_99')).toBeUndefined();
  });
});

describe('draining', () => {
  test('spreads the ends over its time, refuses new streams, resolves when the last is gone', async () => {
    const world = new World();
    const subscribers = await Promise.all(Array.from({ length: 100 }, () => world.subscribe()));
    let done = false;
    const drained = world.delivery.drain(10_000).then(() => {
      done = true;
    });
    const refused = world.delivery.openStream(world.request({}, subscribers[0]!));
    await expect(refused).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'draining' });
    for (const [ms, left] of [
      [2500, 75],
      [2500, 50],
      [2500, 25],
    ] as const) {
      await world.effects.pass(ms);
      expect(Math.abs(world.delivery.streams - left)).toBeLessThanOrEqual(2);
      expect(done).toBe(false);
    }
    await world.effects.pass(2600);
    await drained;
    for (const { connection } of subscribers) {
      expect(connection.system.at(-1)).toEqual({ type: 'closing', reason: 'drain' });
    }
    // The wheel's own timer may stand for a time when it finds nobody; no other follows.
    await world.effects.pass(30_000);
    expect(world.effects.timers).toBe(0);
  });

  test('cuts those that do not close', async () => {
    const world = new World();
    const { connection } = await world.subscribe();
    connection.closesOnEnd = false;
    let closed = false;
    connection.onClose(() => {
      closed = true;
    });
    const drained = world.delivery.drain(0);
    await world.effects.pass(400);
    expect(closed).toBe(false);
    await world.effects.pass(200);
    await drained;
    expect(closed).toBe(true);
  });

  test('close resets what is left and stops every timer', async () => {
    const world = new World();
    const subscriber = await world.subscribe();
    await world.delivery.close();
    expect(subscriber.connection.over).toBe('reset');
    expect(subscriber.ends).toEqual([{ connectionId: subscriber.connectionId, reason: 'cut' }]);
    expect(world.effects.timers).toBe(0);
    expect(world.broker.listeners.size).toBe(0);
  });
});
