import { describe, expect, test } from 'vitest';
import { FakeConnection } from './fixtures/fake-connection.ts';
import { numbers, order, type Subscriber, World } from './fixtures/world.ts';
import type { StreamEnding } from './port.ts';

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
