import { describe, expect, test } from 'vitest';
import { order, types, World } from './fixtures/world.ts';
import { tokenEndsOf } from './lifetime.ts';

describe('expiring', () => {
  test('comes once, ahead of the end, and says when that is', async () => {
    const world = new World();
    const subscriber = await world.subscribe({ expiresIn: 5000 });
    const at = new Date(world.effects.now() + 5000).toISOString();
    // A fifth of 5 s, and of that three quarters: the random number is a half.
    await world.effects.pass(4200);
    expect(types(subscriber)).toEqual(['connected']);
    await world.effects.pass(100);
    expect(subscriber.connection.system.at(-1)).toEqual({ type: 'expiring', at });
    await world.effects.pass(1000);
    expect(types(subscriber)).toEqual(['connected', 'expiring', 'error']);
  });

  test('is at most a minute ahead, moves no cursor, and puts off no event', async () => {
    const world = new World({ lifetimeSeconds: 86_400 });
    const subscriber = await world.subscribe({ expiresIn: 7_200_000 });
    await world.effects.pass(7_200_000 - 46_000);
    expect(types(subscriber)).not.toContain('expiring');
    await world.effects.pass(1100);
    expect(types(subscriber).at(-1)).toBe('expiring');
    expect(subscriber.connection.messages.at(-1)?.id).toBeUndefined();
    await world.publish('a', order(1));
    expect(subscriber.connection.events).toHaveLength(1);
  });

  test('comes anew for each token, and not for one that was renewed in time', async () => {
    const world = new World();
    const subscriber = await world.subscribe({ expiresIn: 5000 });
    await world.effects.pass(3000);
    const { access } = world.request({ expiresIn: 5000 }, subscriber);
    world.delivery.redecide(subscriber.connectionId, access, 'renewed');
    await world.effects.pass(4200);
    expect(types(subscriber)).toEqual(['connected', 'renewed']);
    await world.effects.pass(100);
    expect(types(subscriber)).toEqual(['connected', 'renewed', 'expiring']);
  });

  test('is not said before connected, and is said after it even when the time has come meanwhile', async () => {
    const world = new World();
    const subscriber = world.subscribeNow({ expiresIn: 5000 });
    for (let i = 0; i < 10; i++) await Promise.resolve();
    world.effects.time += 4500;
    await world.effects.pass(200);
    expect(types(subscriber)).toEqual(['connected', 'expiring']);
  });

  test('waits for a socket that is full', async () => {
    const world = new World();
    const subscriber = await world.subscribe({ expiresIn: 5000 });
    subscriber.connection.blocked = true;
    await world.publish('a', order(1));
    await world.effects.pass(4400);
    expect(types(subscriber)).toEqual(['connected']);
    subscriber.connection.drain();
    await world.effects.pass(300);
    expect(types(subscriber)).toEqual(['connected', 'expiring']);
  });

  test('a decision asked anew for the same token moves no end, whatever the wall clock does', async () => {
    const world = new World();
    const subscriber = await world.subscribe({ expiresIn: 10_000 });
    const { access } = world.request({ expiresIn: 10_000 }, subscriber);
    await world.effects.pass(5000);
    world.effects.now = () => Date.UTC(2024, 0, 1);
    world.delivery.redecide(subscriber.connectionId, access, 'silently');
    await world.effects.pass(5100);
    expect(subscriber.ends[0]?.code).toBe('TOKEN_EXPIRED');
  });
});

describe('tokenEndsOf', () => {
  test.each([
    [5000, 0, 500],
    [5000, 0.999_999, 1000],
    [3_600_000, 0, 30_000],
    [3_600_000, 0.999_999, 60_000],
  ])('%i ms left, random %d: %i ms ahead', (left, random, lead) => {
    const { expiresAt, expiringAt } = tokenEndsOf({ now: 1000, monotonic: 50, random, tokenExpiresAt: 1000 + left });
    expect(expiresAt).toBe(50 + left);
    expect(expiresAt - expiringAt).toBeCloseTo(lead, -1);
  });
});
