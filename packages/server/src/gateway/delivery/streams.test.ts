import { describe, expect, test } from 'vitest';
import { parseCursor } from '../broker/cursor.ts';
import { FakeConnection } from './fixtures/fake-connection.ts';
import { order, type Subscriber, World } from './fixtures/world.ts';
import type { StreamEnding } from './port.ts';

const types = ({ connection }: Subscriber): unknown[] => connection.system.map(({ type }) => type);
const numbers = ({ connection }: Subscriber): unknown[] =>
  connection.events.map((event) => (event.data as { n: number }).n);

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

describe('the end', () => {
  test('at exp: TOKEN_EXPIRED, a clean end, and nothing after it', async () => {
    const world = new World();
    const subscriber = await world.subscribe({ expiresIn: 10_000 });
    await world.effects.pass(9_900);
    expect(subscriber.ends).toEqual([]);
    await world.effects.pass(200);
    expect(subscriber.connection.system.at(-1)).toEqual({
      type: 'error',
      error: 'Unauthorized',
      code: 'TOKEN_EXPIRED',
      message: 'The token has expired.',
      recoverable: true,
      requestId: 'req_1',
    });
    expect(subscriber.connection.over).toBe('end');
    expect(subscriber.ends).toEqual([{ connectionId: 'cn_1', reason: 'token_expired', code: 'TOKEN_EXPIRED' }]);
    await world.publish('a', order(1));
    expect(subscriber.connection.events).toEqual([]);
    expect(world.delivery.streams).toBe(0);
  });

  test('an event that comes in the millisecond of exp is not written, though no timer has run', async () => {
    const world = new World();
    const subscriber = await world.subscribe({ expiresIn: 10_000 });
    await world.effects.pass(5_000);
    world.effects.time += 5_000;
    await world.publish('a', order(1));
    expect(subscriber.connection.events).toEqual([]);
    expect(subscriber.ends[0]?.code).toBe('TOKEN_EXPIRED');
  });

  test('a replay stops at exp too', async () => {
    const world = new World({ ringBytes: 1 });
    const [id = ''] = await world.publish('a', order(1));
    await world.publish('a', order(2));
    world.broker.automatic = false;
    const subscriber = await world.subscribe({ cursor: id, expiresIn: 10_000 });
    world.effects.time += 10_000;
    world.broker.answer(0);
    await world.effects.pass(100);
    expect(subscriber.connection.events).toEqual([]);
    expect(subscriber.ends[0]?.code).toBe('TOKEN_EXPIRED');
  });

  test('access that goes while bytes wait: the stream is reset, nothing is added', async () => {
    const world = new World();
    const subscriber = await world.subscribe({ expiresIn: 10_000 });
    subscriber.connection.blocked = true;
    await world.publish('a', order(1));
    const { length } = subscriber.connection.chunks;
    await world.effects.pass(10_100);
    expect(subscriber.connection.chunks).toHaveLength(length);
    expect(subscriber.connection.over).toBe('reset');
  });

  test('what is queued for this turn goes with the access', async () => {
    const world = new World();
    const subscriber = await world.subscribe();
    await world.broker.append({ workspace: 'a', events: [JSON.stringify(order(1))] });
    const ending: StreamEnding = { kind: 'error', code: 'FORBIDDEN', reason: 'role_changed' };
    expect(world.delivery.end(subscriber.connectionId, ending)).toBe(true);
    await world.effects.settle();
    expect(subscriber.connection.events).toEqual([]);
    expect(subscriber.connection.system.at(-1)).toMatchObject({ type: 'error', code: 'FORBIDDEN', recoverable: false });
    expect(world.delivery.end(subscriber.connectionId, ending)).toBe(false);
  });

  test('an end of ours comes after the events that were before it', async () => {
    const world = new World();
    const subscriber = await world.subscribe();
    await world.broker.append({ workspace: 'a', events: [JSON.stringify(order(1))] });
    world.delivery.end(subscriber.connectionId, { kind: 'closing', reason: 'closed' });
    expect(numbers(subscriber)).toEqual([1]);
    expect(subscriber.connection.messages.at(-1)).toMatchObject({
      event: 'system',
      data: '{"type":"closing","reason":"closed"}',
    });
    expect(subscriber.ends).toEqual([{ connectionId: subscriber.connectionId, reason: 'closed' }]);
  });

  test.each([
    [0, 2880],
    [0.5, 3240],
    [0.999, 3599],
  ])('lifetime: with random %f the stream ends after about %i s', async (random, seconds) => {
    const world = new World();
    world.effects.randomValue = random;
    const subscriber = await world.subscribe({ expiresIn: 7_200_000 });
    await world.effects.pass(seconds * 1000 - 1000);
    expect(subscriber.ends).toEqual([]);
    await world.effects.pass(2000);
    expect(subscriber.connection.system.at(-1)).toEqual({ type: 'closing', reason: 'lifetime' });
    expect(subscriber.ends).toEqual([{ connectionId: 'cn_1', reason: 'lifetime' }]);
  });

  test('a slow consumer is cut at its cap and misses nothing when it comes back', async () => {
    const world = new World({ maxUnsentBytes: 50_000 });
    const slow = await world.subscribe();
    const quick = await world.subscribe();
    slow.connection.blocked = true;
    for (let n = 0; n < 10; n++) await world.publish('a', order(n, { data: { n, text: 'x'.repeat(10_000) } }));
    expect(slow.ends).toEqual([{ connectionId: slow.connectionId, reason: 'slow_consumer' }]);
    expect(slow.connection.unsentBytes).toBeLessThan(51_000);
    expect(slow.connection.system.at(-1)).toEqual({ type: 'closing', reason: 'slow_consumer' });
    expect(numbers(quick)).toHaveLength(10);
    const last = slow.connection.messages.findLast(({ id }) => id !== undefined)?.id ?? '';
    const back = await world.subscribe({ cursor: last });
    expect([...numbers(slow), ...numbers(back)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test('a socket that takes nothing for a minute has nobody at its end', async () => {
    const world = new World();
    const subscriber = await world.subscribe();
    subscriber.connection.blocked = true;
    subscriber.connection.closesOnEnd = false;
    await world.publish('a', order(1));
    await world.effects.pass(70_000);
    expect(subscriber.ends).toEqual([]);
    await world.effects.pass(20_000);
    expect(subscriber.ends[0]?.reason).toBe('slow_consumer');
  });

  test('a peer that never closes is reset', async () => {
    const world = new World();
    const subscriber = await world.subscribe();
    const { connection } = subscriber;
    connection.closesOnEnd = false;
    let closed = false;
    connection.onClose(() => {
      closed = true;
    });
    world.delivery.end(subscriber.connectionId, { kind: 'closing', reason: 'closed' });
    await world.effects.pass(4_900);
    expect(closed).toBe(false);
    await world.effects.pass(200);
    expect(closed).toBe(true);
    expect(world.effects.timers).toBe(0);
  });

  test('a client that goes frees its slot at once, and once', async () => {
    const world = new World();
    const subscriber = await world.subscribe();
    subscriber.connection.leave();
    subscriber.connection.leave();
    expect(subscriber.ends).toEqual([{ connectionId: subscriber.connectionId, reason: 'client_gone' }]);
    expect(world.delivery.streams).toBe(0);
    await world.publish('a', order(1));
    expect(subscriber.connection.events).toEqual([]);
  });

  test('one that was ended before its head was written is told after it', async () => {
    const world = new World();
    const subscriber: Subscriber = { connection: new FakeConnection(), ends: [], connectionId: '' };
    const reply = await world.delivery.openStream(world.request({}, subscriber));
    world.delivery.end('cn_1', { kind: 'error', code: 'INVALID_TOKEN', reason: 'revoked' });
    expect(subscriber.ends).toHaveLength(1);
    reply.attach(subscriber.connection);
    await world.effects.settle();
    expect(subscriber.connection.system).toEqual([expect.objectContaining({ type: 'error', code: 'INVALID_TOKEN' })]);
    expect(subscriber.connection.over).toBe('end');
    expect(subscriber.ends).toHaveLength(1);
  });

  test('whoever ends others while being told of an end does not make anyone miss an event', async () => {
    const world = new World({ maxUnsentBytes: 1000 });
    const slow = world.subscribeNow();
    const others = Array.from({ length: 5 }, () => world.subscribeNow());
    await world.effects.settle();
    const { push } = slow.ends;
    slow.ends.push = (...ends) => {
      world.delivery.end(others[2]?.connectionId ?? '', { kind: 'closing', reason: 'closed' });
      return push.apply(slow.ends, ends);
    };
    slow.connection.blocked = true;
    for (let n = 0; n < 8; n++) await world.publish('a', order(n, { data: { n, text: 'x'.repeat(300) } }));
    expect(slow.ends).toHaveLength(1);
    for (const [i, other] of others.entries()) if (i !== 2) expect(numbers(other)).toHaveLength(8);
  });
});

describe('a new decision', () => {
  const narrow = { grants: [{ filter: 'data.n:gt:2' }] };

  test('judges what is not written yet by the new grants, and skips and repeats nothing', async () => {
    const world = new World();
    const subscriber = await world.subscribe();
    await world.publish('a', order(1));
    await world.broker.append({ workspace: 'a', events: [2, 3].map((n) => JSON.stringify(order(n))) });
    const { access } = world.request(narrow, subscriber);
    expect(world.delivery.redecide(subscriber.connectionId, access, 'silently')).toBe(true);
    await world.broker.append({ workspace: 'a', events: [1, 4].map((n) => JSON.stringify(order(n))) });
    await world.effects.settle();
    expect(numbers(subscriber)).toEqual([1, 3, 4]);
    await world.publish('a', order(0), order(5));
    expect(numbers(subscriber)).toEqual([1, 3, 4, 5]);
    expect(world.delivery.redecide('cn_99', access, 'silently')).toBe(false);
  });

  test('does not repeat what was written in the middle of a turn', async () => {
    const world = new World();
    const subscriber = await world.subscribe();
    // A neighbour with the same selection ends: what both wait for is written at once.
    const neighbour = await world.subscribe();
    await world.broker.append({ workspace: 'a', events: [JSON.stringify(order(3))] });
    world.delivery.end(neighbour.connectionId, { kind: 'closing', reason: 'closed' });
    world.delivery.redecide(subscriber.connectionId, world.request(narrow, subscriber).access, 'silently');
    await world.publish('a', order(4));
    expect(numbers(subscriber)).toEqual([3, 4]);
  });

  test('a stream that catches up goes on by the new grants', async () => {
    const world = new World({ ringBytes: 1 });
    const [id = ''] = await world.publish('a', order(0));
    await world.publish('a', order(1), order(3));
    world.broker.automatic = false;
    const subscriber = await world.subscribe({ cursor: id });
    world.delivery.redecide(subscriber.connectionId, world.request(narrow, subscriber).access, 'silently');
    world.broker.answer(0);
    await world.effects.settle();
    expect(numbers(subscriber)).toEqual([3]);
  });

  test('a renewal moves the end of the token, tells of it, and leaves the lifetime', async () => {
    const world = new World();
    const subscriber = await world.subscribe({ expiresIn: 10_000 });
    const { access } = world.request({ expiresIn: 7_200_000 }, subscriber);
    world.delivery.redecide(subscriber.connectionId, access, 'renewed');
    expect(subscriber.connection.system.at(-1)).toEqual({
      type: 'renewed',
      tokenExpiresAt: new Date(access.token.expiresAt).toISOString(),
    });
    await world.effects.pass(60_000);
    expect(subscriber.ends).toEqual([]);
    await world.effects.pass(3_240_000);
    expect(subscriber.ends).toEqual([{ connectionId: 'cn_1', reason: 'lifetime' }]);
  });

  test('a token that dies sooner ends the stream sooner', async () => {
    const world = new World();
    const subscriber = await world.subscribe();
    const { access } = world.request({ expiresIn: 2000 }, subscriber);
    world.delivery.redecide(subscriber.connectionId, access, 'silently');
    await world.effects.pass(2100);
    expect(subscriber.ends[0]?.code).toBe('TOKEN_EXPIRED');
  });
});

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
