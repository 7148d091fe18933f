import { describe, expect, test } from 'vitest';
import { FakeConnection } from './fixtures/fake-connection.ts';
import { numbers, order, type Subscriber, types, World } from './fixtures/world.ts';

describe('opening', () => {
  test('the first bytes are retry, greeting and connected with the head as its id', async () => {
    const world = new World();
    await world.publish('b', order(1));
    const subscriber = await world.subscribe();
    expect(subscriber.connection.text).toMatch(/^retry: 3500\n: connected to workspace a\n\nid: /);
    const [connected] = subscriber.connection.messages;
    expect(connected?.id).toBe(world.broker.cursorAt('a', world.broker.head()));
    expect(subscriber.connection.system[0]).toEqual({
      type: 'connected',
      connectionId: subscriber.connectionId,
      workspace: 'a',
      tokenExpiresAt: new Date(world.effects.now() + 3_600_000).toISOString(),
      resumed: false,
    });
  });

  test('the reconnection time is random between 2,000 and 5,000 ms', async () => {
    for (const [random, retry] of [
      [0, 2000],
      [0.999999, 5000],
    ] as const) {
      const world = new World();
      world.effects.randomValue = random;
      const { connection } = await world.subscribe();
      expect(connection.text.split('\n')[0]).toBe(`retry: ${retry}`);
    }
  });

  test('a cursor is said again and the stream goes on after it', async () => {
    const world = new World();
    const ids = await world.publish('a', order(1), order(2), order(3));
    const subscriber = await world.subscribe({ cursor: ids[0] ?? '' });
    expect(subscriber.connection.messages[0]?.id).toBe(ids[0]);
    expect(subscriber.connection.system[0]).toMatchObject({ resumed: true });
    expect(numbers(subscriber)).toEqual([2, 3]);
    await world.publish('a', order(4));
    expect(numbers(subscriber)).toEqual([2, 3, 4]);
  });

  test.each(['zzz', 'e-1-0-00000000', 'e-99-0-00000000', 'f-1-0-00000000', '..', '-'.repeat(128)])(
    'cursor %s: gap unknown, going on from the head, and the gap is not given again',
    async (cursor) => {
      const world = new World();
      await world.publish('a', order(1));
      const first = await world.subscribe({ cursor });
      expect(first.connection.system).toEqual([
        expect.objectContaining({ type: 'connected', resumed: false }),
        { type: 'gap', reason: 'unknown' },
      ]);
      // Whoever breaks off before the gap has arrived comes back with the same cursor, and gets it then.
      expect(first.connection.messages[0]?.id).toBe(cursor);
      const id = first.connection.messages[1]?.id ?? '';
      await world.publish('a', order(2));
      expect(numbers(first)).toEqual([2]);
      const second = await world.subscribe({ cursor: id });
      expect(types(second)).toEqual(['connected']);
      expect(numbers(second)).toEqual([2]);
    },
  );

  test('a cursor of another workspace is unknown, as if it were garbage', async () => {
    const world = new World();
    const [id = ''] = await world.publish('b', order(1));
    const subscriber = await world.subscribe({ cursor: id });
    expect(subscriber.connection.system[1]).toEqual({ type: 'gap', reason: 'unknown' });
    expect(subscriber.connection.events).toEqual([]);
  });

  test('below what is kept: gap trimmed, going on from the oldest kept', async () => {
    const world = new World({ ringBytes: 1 });
    const [id = ''] = await world.publish('a', order(1));
    await world.publish('a', order(2));
    await world.publish('a', order(3));
    world.broker.trim(2);
    const subscriber = await world.subscribe({ cursor: id });
    expect(subscriber.connection.system[1]).toEqual({ type: 'gap', reason: 'trimmed' });
    expect(numbers(subscriber)).toEqual([3]);
    const again = await world.subscribe({ cursor: subscriber.connection.messages[1]?.id ?? '' });
    expect(types(again)).toEqual(['connected']);
    expect(numbers(again)).toEqual([3]);
  });

  test('no altered cursor skips an event without a gap', async () => {
    const world = new World();
    const ids = await world.publish('a', ...Array.from({ length: 12 }, (_, n) => order(n)));
    const cursor = ids[5] ?? '';
    const altered = new Set<string>();
    for (let i = 0; i <= cursor.length; i++) {
      for (const letter of '0179af-.Z') {
        altered.add(cursor.slice(0, i) + letter + cursor.slice(i));
        altered.add(cursor.slice(0, i) + letter + cursor.slice(i + 1));
      }
      altered.add(cursor.slice(0, i) + cursor.slice(i + 1));
    }
    altered.delete(cursor);
    expect(altered.size).toBeGreaterThan(200);
    for (const one of altered) {
      const subscriber = await world.subscribe({ cursor: one });
      expect([one, ...types(subscriber)]).toEqual([one, 'connected', 'gap']);
      subscriber.connection.leave();
    }
  });

  test('a cursor outside the alphabet is BAD_REQUEST; a filter that cannot be read INVALID_FILTER', async () => {
    const world = new World();
    const subscriber: Subscriber = { connection: new FakeConnection(), ends: [], connectionId: '' };
    for (const [wish, code] of [
      [{ cursor: 'a b' }, 'BAD_REQUEST'],
      [{ selection: { filter: '(' } }, 'INVALID_FILTER'],
    ] as const) {
      await expect(world.delivery.openStream(world.request(wish, subscriber))).rejects.toMatchObject({ code });
    }
    expect(world.delivery.streams).toBe(0);
    expect(subscriber.ends).toEqual([]);
  });

  test('a log that cannot be read is UNAVAILABLE before the head, and frees everything', async () => {
    const world = new World();
    const [cursor = ''] = await world.publish('a', order(1));
    world.broker.failing = true;
    const subscriber: Subscriber = { connection: new FakeConnection(), ends: [], connectionId: '' };
    const opened = world.delivery.openStream(world.request({ cursor }, subscriber));
    await expect(opened).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'broker_unavailable' });
    expect(world.delivery.streams).toBe(0);
    expect(subscriber.ends).toEqual([]);
  });

  test('a client that goes before the head is written costs nothing', async () => {
    const world = new World();
    const subscriber: Subscriber = { connection: new FakeConnection(), ends: [], connectionId: '' };
    const reply = await world.delivery.openStream(world.request({}, subscriber));
    expect(world.delivery.streams).toBe(1);
    reply.abandon();
    expect(world.delivery.streams).toBe(0);
    expect(subscriber.ends).toEqual([{ connectionId: 'cn_1', reason: 'client_gone' }]);
  });

  test('too many that wait for their first bytes: UNAVAILABLE', async () => {
    const world = new World({ maxOpening: 3 });
    for (let n = 0; n < 3; n++) world.subscribeNow();
    await Promise.resolve().then(() => {});
    await Promise.resolve().then(() => {});
    const subscriber: Subscriber = { connection: new FakeConnection(), ends: [], connectionId: '' };
    const refused = world.delivery.openStream(world.request({}, subscriber));
    await expect(refused).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'opening_queue_full' });
    await world.effects.settle();
    await expect(world.delivery.openStream(world.request({}, subscriber))).resolves.toBeDefined();
  });
});
