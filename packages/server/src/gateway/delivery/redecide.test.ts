import { describe, expect, test } from 'vitest';
import { order, type Subscriber, type Wish, World } from './fixtures/world.ts';

const numbers = ({ connection }: Subscriber): unknown[] =>
  connection.events.map((event) => (event.data as { n: number }).n);

/** A grant for the events whose `data.n` is one of these. */
const only = (...wanted: readonly number[]) => ({ filter: wanted.map((n) => `data.n:${n}`).join(' OR ') });

/** Puts a stream on other grants, as `Wish` says them. */
function redecide(world: World, subscriber: Subscriber, wish: Wish): boolean {
  const { access } = world.request(wish, subscriber);
  return world.delivery.redecide(subscriber.connectionId, access, 'silently');
}

describe('a stream on other grounds', () => {
  test('gets what the new grants cover, and not what the old ones did', async () => {
    const world = new World();
    const subscriber = await world.subscribe({ grants: [only(1, 2)] });
    await world.publish('a', order(1), order(3));
    expect(redecide(world, subscriber, { grants: [only(2, 3)] })).toBe(true);
    await world.publish('a', order(1), order(2), order(3));
    expect(numbers(subscriber)).toEqual([1, 2, 3]);
    expect(subscriber.ends).toEqual([]);
  });

  test('has what waits for the flush judged by the new grants, in its order and once', async () => {
    const world = new World();
    const subscriber = await world.subscribe({ grants: [only(1, 2)] });
    const other = await world.subscribe({ grants: [only(1, 2)] });
    await world.broker.append({ workspace: 'a', events: [JSON.stringify(order(1)), JSON.stringify(order(2))] });
    await world.broker.append({ workspace: 'a', events: [JSON.stringify(order(3))] });
    expect(redecide(world, subscriber, { grants: [only(2, 3)] })).toBe(true);
    await world.broker.append({ workspace: 'a', events: [JSON.stringify(order(2))] });
    await world.effects.settle();
    expect(numbers(subscriber)).toEqual([2, 3, 2]);
    expect(numbers(other)).toEqual([1, 2, 2]);
  });

  test('that shares its new grants with others gets nothing twice', async () => {
    const world = new World();
    const subscriber = await world.subscribe({ grants: [only(1)] });
    const other = await world.subscribe({});
    await world.broker.append({ workspace: 'a', events: [JSON.stringify(order(2))] });
    redecide(world, subscriber, {});
    await world.effects.settle();
    await world.publish('a', order(1));
    // What came in this turn is judged by the new grants, too.
    expect(numbers(subscriber)).toEqual([2, 1]);
    expect(numbers(other)).toEqual([2, 1]);
  });

  test('that catches up has the rest of it judged by the new grants', async () => {
    const world = new World({ ringBytes: 0 });
    const [first = ''] = await world.publish('a', order(0));
    await world.publish('a', order(1), order(2), order(3));
    world.broker.automatic = false;
    const subscriber = await world.subscribe({ cursor: first, grants: [only(1, 2)] });
    expect(world.broker.reads).toHaveLength(1);
    redecide(world, subscriber, { grants: [only(3)] });
    world.broker.answer(0);
    await world.effects.settle();
    expect(numbers(subscriber)).toEqual([3]);
  });

  test('goes on for as long as the new token lives', async () => {
    const world = new World();
    const subscriber = await world.subscribe({ expiresIn: 10_000 });
    await world.effects.pass(5000);
    redecide(world, subscriber, { expiresIn: 20_000 });
    await world.effects.pass(15_000);
    expect(subscriber.ends).toEqual([]);
    await world.effects.pass(6000);
    expect(subscriber.ends).toMatchObject([{ code: 'TOKEN_EXPIRED' }]);
  });

  test('is reset when its socket holds what may not be its any more', async () => {
    const world = new World();
    const subscriber = await world.subscribe({ grants: [only(1, 2)] });
    subscriber.connection.blocked = true;
    await world.publish('a', order(1));
    redecide(world, subscriber, { grants: [only(2)] });
    expect(subscriber.connection.over).toBe('reset');
    expect(subscriber.ends).toMatchObject([{ reason: 'grants_changed' }]);
  });

  test.each<[string, Wish]>([
    ['one grant more', { grants: [only(1, 2), only(3)] }],
    ['a grant of everything', { grants: [{}] }],
  ])('is not reset for %s', async (_, wish) => {
    const world = new World();
    const subscriber = await world.subscribe({ grants: [only(1, 2)] });
    subscriber.connection.blocked = true;
    await world.publish('a', order(1));
    redecide(world, subscriber, wish);
    subscriber.connection.drain();
    await world.publish('a', order(3));
    expect(numbers(subscriber)).toEqual([1, 3]);
  });

  test('is none when it is over', async () => {
    const world = new World();
    const subscriber = await world.subscribe({});
    subscriber.connection.leave();
    expect(redecide(world, subscriber, {})).toBe(false);
  });
});

describe('a stream whose right to go on is proved no more', () => {
  const open = async (world: World, hold: { until: number }, wish: Wish = {}): Promise<Subscriber> => {
    const subscriber = world.subscribeNow(wish, hold);
    await world.effects.settle();
    return subscriber;
  };
  const AUTH_ERROR = { code: 'AUTH_ERROR', reason: 'authority_lost' };

  test('gets nothing from that moment on: the event that comes then ends it', async () => {
    const world = new World();
    const hold = { until: 6000 };
    const subscriber = await open(world, hold);
    await world.publish('a', order(1));
    await world.effects.pass(5000);
    await world.publish('a', order(2));
    expect(numbers(subscriber)).toEqual([1]);
    expect(subscriber.ends).toMatchObject([AUTH_ERROR]);
    expect(subscriber.connection.system.at(-1)).toMatchObject({ type: 'error', code: 'AUTH_ERROR', recoverable: true });
  });

  test('goes on when the moment has moved', async () => {
    const world = new World();
    const hold = { until: 6000 };
    const subscriber = await open(world, hold);
    await world.effects.pass(4000);
    hold.until = 20_000;
    await world.effects.pass(5000);
    await world.publish('a', order(1));
    expect(numbers(subscriber)).toEqual([1]);
  });

  test('is not opened', async () => {
    const world = new World();
    const subscriber = await open(world, { until: 0 });
    expect(subscriber.connection.messages).toMatchObject([{ data: expect.stringContaining('AUTH_ERROR') }]);
    expect(subscriber.ends).toMatchObject([AUTH_ERROR]);
  });

  test('is not replayed to', async () => {
    const world = new World({ ringBytes: 0 });
    const [first = ''] = await world.publish('a', order(0));
    await world.publish('a', order(1));
    world.broker.automatic = false;
    const subscriber = await open(world, { until: 3000 }, { cursor: first });
    world.effects.time += 3000;
    world.broker.answer(0);
    await world.effects.settle();
    expect(numbers(subscriber)).toEqual([]);
    expect(subscriber.ends).toMatchObject([AUTH_ERROR]);
  });
});

describe('many ends at once', () => {
  test('are said within the turns, and nothing is written to any of them meanwhile', async () => {
    const world = new World();
    const subscribers: Subscriber[] = [];
    for (let n = 0; n < 50; n++) subscribers.push(await world.subscribe());
    // Saying one takes the whole budget of a turn.
    let said = 0;
    for (const { connectionId } of subscribers)
      world.delivery.end(connectionId, {
        kind: 'error',
        code: 'INVALID_TOKEN',
        reason: 'token_revoked',
        said: () => {
          said += 1;
          world.effects.time += 10;
        },
      });
    expect(subscribers.every(({ ends }) => ends.length === 1)).toBe(true);
    await world.broker.append({ workspace: 'a', events: [JSON.stringify(order(1))] });
    world.effects.endTurn();
    expect(said).toBe(16);
    await world.effects.settle();
    expect(said).toBe(50);
    for (const { connection } of subscribers) {
      expect(connection.events).toEqual([]);
      expect(connection.system.at(-1)).toMatchObject({ type: 'error', code: 'INVALID_TOKEN' });
      expect(connection.over).toBe('end');
    }
  });

  test('leave those alone that went by themselves', async () => {
    const world = new World();
    const subscriber = await world.subscribe();
    let said = 0;
    const ending = { kind: 'error', code: 'FORBIDDEN', reason: 'no_role', said: () => void said++ } as const;
    world.delivery.end(subscriber.connectionId, ending);
    subscriber.connection.leave();
    await world.effects.settle();
    expect(said).toBe(0);
    expect(subscriber.connection.system).toHaveLength(1);
  });
});
