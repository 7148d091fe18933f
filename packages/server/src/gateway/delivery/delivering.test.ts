import { describe, expect, test } from 'vitest';
import { parseCursor } from '../broker/cursor.ts';
import { numbers, order, types, World } from './fixtures/world.ts';

describe('delivering', () => {
  test('events of one turn are one write per socket, shared by all who get the same', async () => {
    const world = new World();
    const [one, two] = [await world.subscribe(), await world.subscribe()];
    const before = one.connection.chunks.length;
    await world.broker.append({ workspace: 'a', events: [1, 2].map((n) => JSON.stringify(order(n))) });
    await world.broker.append({ workspace: 'a', events: [JSON.stringify(order(3))] });
    await world.effects.settle();
    expect(numbers(one)).toEqual([1, 2, 3]);
    expect(one.connection.chunks).toHaveLength(before + 1);
    expect(two.connection.chunks.at(-1)).toBe(one.connection.chunks.at(-1));
  });

  test('different filters that want the same events share the bytes too', async () => {
    const world = new World();
    const [one, two] = [
      await world.subscribe({ selection: { structures: ['order'] } }),
      await world.subscribe({ grants: [{ filter: 'data.n:gt:0' }] }),
    ];
    await world.publish('a', order(1), order(2));
    expect(two.connection.chunks.at(-1)).toBe(one.connection.chunks.at(-1));
    expect(numbers(one)).toEqual([1, 2]);
  });

  test('nobody gets an event of another workspace, or one that the grants do not cover', async () => {
    const world = new World();
    const mine = await world.subscribe({ grants: [{ filter: 'data.owner:{sub}' }], placeholders: { sub: 'u1' } });
    const other = await world.subscribe({ workspace: 'b' });
    await world.publish('a', order(1, { data: { n: 1, owner: 'u1' } }), order(2, { data: { n: 2, owner: 'u2' } }));
    expect(numbers(mine)).toEqual([1]);
    expect(other.connection.events).toEqual([]);
  });

  test('an update comes without before to those whose grants cover only after', async () => {
    const world = new World();
    const all = await world.subscribe();
    const some = await world.subscribe({ grants: [{ filter: 'data.owner:u1' }] });
    const data = { before: { owner: 'u2', secret: 1 }, after: { owner: 'u1' } };
    await world.publish('a', order(1, { event: 'record_updated', data }));
    expect(all.connection.events[0]?.data).toEqual(data);
    expect(some.connection.events[0]?.data).toEqual({ after: { owner: 'u1' } });
    expect(some.connection.text).not.toContain('secret');
  });

  test('a resume over many events comes in pages, whole and in order', async () => {
    const world = new World();
    const ids: string[] = [];
    for (let n = 0; n < 900; n += 3) ids.push(...(await world.publish('a', order(n), order(n + 1), order(n + 2))));
    const subscriber = await world.subscribe({ cursor: ids[0] ?? '' });
    expect(subscriber.connection.messages.slice(1).map(({ id }) => id)).toEqual(ids.slice(1));
    expect(world.broker.readCount).toBe(0);
  });

  test('a thousand resumes from everywhere read each part of the log once', async () => {
    const world = new World({ ringBytes: 1 });
    world.broker.pageLimit = 20;
    const ids: string[] = [];
    for (let n = 0; n < 200; n++) ids.push(...(await world.publish('a', order(n))));
    const subscribers = Array.from({ length: 1000 }, (_, i) =>
      world.subscribeNow({ cursor: ids[(i * 37) % 199] ?? '' }),
    );
    await world.effects.settle();
    for (const [i, subscriber] of subscribers.entries()) {
      expect(numbers(subscriber)[0]).toBe(((i * 37) % 199) + 1);
      expect(numbers(subscriber).at(-1)).toBe(199);
    }
    expect(world.broker.readCount).toBeLessThanOrEqual(20);
  });

  test('a request of many events is read once and given in pieces, also to who joins meanwhile', async () => {
    const world = new World({ ringBytes: 1 });
    const ids = await world.publish('a', ...Array.from({ length: 300 }, (_, n) => order(n)));
    const [first, second] = [
      world.subscribeNow({ cursor: ids[9] ?? '' }),
      world.subscribeNow({ cursor: ids[149] ?? '' }),
    ];
    for (let i = 0; i < 10; i++) await Promise.resolve();
    world.effects.endTurn();
    const third = world.subscribeNow({ cursor: ids[199] ?? '' });
    await world.effects.settle();
    const after = (n: number): number[] => Array.from({ length: 299 - n }, (_, i) => n + 1 + i);
    expect(numbers(first)).toEqual(after(9));
    expect(numbers(second)).toEqual(after(149));
    expect(numbers(third)).toEqual(after(199));
    expect(first.connection.chunks.length).toBeGreaterThan(4);
    expect(world.broker.readCount).toBeLessThanOrEqual(2);
  });

  test('catching up rests between pages while live streams get events', async () => {
    const world = new World({ ringBytes: 1 });
    const ids = await world.publish('a', ...Array.from({ length: 300 }, (_, n) => order(n)));
    const live = await world.subscribe();
    await world.publish('a', order(300));
    const behind = await world.subscribe({ cursor: ids[0] ?? '' });
    // The clock stands still: one page, and the next after the rest.
    expect(numbers(behind).length).toBeLessThanOrEqual(64);
    await world.publish('a', order(301));
    expect(numbers(live)).toEqual([300, 301]);
    await world.effects.pass(1000);
    expect(numbers(behind)).toEqual(Array.from({ length: 301 }, (_, i) => i + 1));
  });

  test('a stream that catches up gets its next page when its socket has drained', async () => {
    const world = new World({ ringBytes: 1 });
    world.broker.pageLimit = 1;
    const ids: string[] = [];
    const data = { n: 0, text: 'x'.repeat(70_000) };
    for (let n = 0; n < 5; n++) ids.push(...(await world.publish('a', order(n, { data: { ...data, n } }))));
    const subscriber = world.subscribeNow({ cursor: ids[0] ?? '' });
    subscriber.connection.blocked = true;
    await world.effects.settle();
    expect(numbers(subscriber)).toEqual([1]);
    subscriber.connection.drain();
    await world.effects.settle();
    expect(numbers(subscriber)).toEqual([1, 2, 3, 4]);
  });

  test('a read that fails is tried again, and the stream stays', async () => {
    const world = new World({ ringBytes: 1 });
    const [id = ''] = await world.publish('a', order(1));
    await world.publish('a', order(2));
    world.broker.automatic = false;
    const subscriber = await world.subscribe({ cursor: id });
    world.broker.answer(0, true);
    await world.effects.settle();
    expect(numbers(subscriber)).toEqual([]);
    world.broker.automatic = true;
    await world.effects.pass(1000);
    expect(numbers(subscriber)).toEqual([2]);
  });

  test('a cursor of a gateway that is ahead is waited for, not a gap', async () => {
    const world = new World();
    world.broker.dispatching = false;
    const [id = ''] = await world.publish('a', order(1));
    const subscriber = await world.subscribe({ cursor: id });
    const fresh = await world.subscribe();
    await world.publish('a', order(2));
    world.broker.dispatch();
    await world.effects.settle();
    expect(types(subscriber)).toEqual(['connected']);
    expect(numbers(subscriber)).toEqual([2]);
    // Its head was 1, although this gateway had not seen 1 yet.
    expect(numbers(fresh)).toEqual([2]);
  });
});

describe('quiet streams', () => {
  test('get a position after 15 s without an event, which moves the cursor past what others got', async () => {
    const world = new World();
    const subscriber = await world.subscribe();
    await world.effects.pass(14_000);
    await world.publish('b', order(1));
    expect(types(subscriber)).toEqual(['connected']);
    await world.effects.pass(1100);
    expect(types(subscriber)).toEqual(['connected', 'position']);
    const id = subscriber.connection.messages[1]?.id ?? '';
    expect(parseCursor(id)?.seq).toBe(1);
    const resumed = await world.subscribe({ cursor: id });
    expect(types(resumed)).toEqual(['connected']);
  });

  test('an event puts the next position off', async () => {
    const world = new World();
    const subscriber = await world.subscribe();
    await world.effects.pass(10_000);
    await world.publish('a', order(1));
    await world.effects.pass(14_000);
    expect(types(subscriber)).toEqual(['connected']);
    await world.effects.pass(1100);
    expect(types(subscriber)).toEqual(['connected', 'position']);
    expect(subscriber.connection.messages.map(({ event }) => event)).toEqual(['system', 'message', 'system']);
  });

  test('a stream that catches up gets a bare ping: its cursor must not move', async () => {
    const world = new World({ ringBytes: 1 });
    const [id = ''] = await world.publish('a', order(1));
    await world.publish('a', order(2));
    world.broker.automatic = false;
    const { connection } = await world.subscribe({ cursor: id });
    await world.effects.pass(15_100);
    expect(connection.text.endsWith('\n\n: ping\n\n')).toBe(true);
    expect(connection.messages).toHaveLength(1);
  });

  test('ten thousand of them need one timer', async () => {
    const world = new World();
    for (let n = 0; n < 10_000; n++) world.subscribeNow();
    await world.effects.settle();
    expect(world.delivery.streams).toBe(10_000);
    expect(world.effects.timers).toBe(1);
  });
});
