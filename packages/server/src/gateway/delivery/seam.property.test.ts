import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseCursor } from '../broker/cursor.ts';
import { comparePlaces, type Place } from '../broker/port.ts';
import { order, type Subscriber, type Wish, World } from './fixtures/world.ts';

// The seam between replay and live, under arbitrary interleavings of everything that can happen around
// it. What a stream got is compared with what the log says it should have got.

type Step =
  | { readonly do: 'publish'; readonly workspace: 'a' | 'b'; readonly structures: readonly ('x' | 'y')[] }
  | { readonly do: 'dispatch'; readonly count: number }
  | { readonly do: 'open'; readonly workspace: 'a' | 'b'; readonly only: 'x' | undefined; readonly cursor: number }
  | { readonly do: 'resume' | 'block' | 'drain' | 'redecide'; readonly which: number }
  | { readonly do: 'turn' | 'settle' }
  | { readonly do: 'answer'; readonly which: number; readonly fail: boolean }
  | { readonly do: 'trim'; readonly seq: number }
  | { readonly do: 'pass'; readonly milliseconds: number };

const workspace = fc.constantFrom('a' as const, 'b' as const);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('publish' as const),
      workspace,
      structures: fc.array(fc.constantFrom('x' as const, 'y' as const), { minLength: 1, maxLength: 3 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('dispatch' as const), count: fc.integer({ min: 1, max: 3 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('open' as const),
      workspace,
      only: fc.constantFrom('x' as const, undefined),
      cursor: fc.integer({ min: -1, max: 30 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('resume' as const, 'block' as const, 'drain' as const, 'redecide' as const),
      which: fc.nat(8),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('turn' as const, 'settle' as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('answer' as const),
      which: fc.nat(4),
      fail: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('trim' as const), seq: fc.integer({ min: 1, max: 20 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('pass' as const), milliseconds: fc.constantFrom(1000, 15_000, 40_000) }),
  },
);

interface Opened {
  readonly subscriber: Subscriber;
  readonly wish: Wish & { readonly workspace: string };
  /** Where it began when it had no usable cursor. */
  readonly from: Place | undefined;
}

function placeOf(id: string): Place {
  const cursor = parseCursor(id);
  if (!cursor) throw new Error(`not a cursor: ${id}`);
  return cursor;
}

class Scene {
  readonly world = new World({ ringBytes: 1700 });
  readonly opened: Opened[] = [];
  n = 0;

  constructor() {
    this.world.broker.automatic = false;
    this.world.broker.dispatching = false;
    this.world.broker.pageLimit = 3;
  }

  async run(step: Step): Promise<void> {
    const { world } = this;
    switch (step.do) {
      case 'publish': {
        const events = step.structures.map((recordSlug) => JSON.stringify(order(this.n++, { recordSlug })));
        await world.broker.append({ workspace: step.workspace, events });
        return;
      }
      case 'dispatch':
        return world.broker.dispatch(step.count);
      case 'open': {
        const ids = world.broker.stored.flat().filter((event) => event.workspace === step.workspace);
        const cursor = step.cursor < 0 ? undefined : ids[step.cursor % Math.max(ids.length, 1)]?.id;
        return this.open({
          workspace: step.workspace,
          ...(step.only ? { selection: { structures: [step.only] } } : {}),
          ...(cursor ? { cursor } : {}),
        });
      }
      case 'resume': {
        const old = this.opened[step.which % Math.max(this.opened.length, 1)];
        const last = old?.subscriber.connection.messages.findLast(({ id }) => id !== undefined)?.id;
        if (!old || last === undefined) return;
        old.subscriber.connection.leave();
        return this.open({ ...old.wish, cursor: last });
      }
      case 'turn':
        return void world.effects.endTurn();
      case 'settle':
        return world.effects.settle();
      case 'answer':
        return world.broker.answer(step.which, step.fail);
      case 'trim':
        return world.broker.trim(step.seq);
      case 'pass':
        return world.effects.pass(step.milliseconds);
      case 'redecide': {
        // Another decision that allows the same: another audience, and nothing that the subscriber may notice.
        const { wish, subscriber } = this.opened[step.which % Math.max(this.opened.length, 1)] ?? {};
        if (!wish || !subscriber) return;
        const grants = [this.n % 2 ? {} : { structures: ['x', 'y'] }];
        const { access } = world.request({ ...wish, grants }, subscriber);
        world.delivery.redecide(subscriber.connectionId, access, 'silently');
        return;
      }
      case 'block':
      case 'drain':
      default: {
        const { connection } = this.opened[step.which % Math.max(this.opened.length, 1)]?.subscriber ?? {};
        if (!connection) return;
        if (step.do === 'drain') return connection.drain();
        connection.blocked = true;
        connection.unsentBytes += 100_000;
      }
    }
  }

  open(wish: Opened['wish']): void {
    this.opened.push({ wish, subscriber: this.world.subscribeNow(wish), from: undefined });
  }

  /** Lets everything come to rest: all dispatched, all read, all sent. */
  async rest(): Promise<void> {
    const { world } = this;
    world.broker.dispatch();
    for (const { subscriber } of this.opened) subscriber.connection.drain();
    await world.effects.settle();
    world.broker.automatic = true;
    while (world.broker.reads.length > 0) world.broker.answer(0);
    await world.effects.pass(3000);
    for (const { subscriber } of this.opened) subscriber.connection.drain();
    await world.effects.settle();
  }

  check({ subscriber, wish }: Opened): void {
    const { connection } = subscriber;
    const { messages } = connection;
    const wanted = this.world.broker.stored
      .flat()
      .filter(
        ({ workspace, json }) =>
          workspace === wish.workspace && (!wish.selection?.structures || JSON.parse(json).recordSlug === 'x'),
      );
    const [connected, ...rest] = messages;
    if (!connected) return expect(connection.over).toBeDefined();
    expect(JSON.parse(connected.data)).toMatchObject({ type: 'connected' });
    let at = placeOf(connected.id ?? '');
    if (wish.cursor) expect(connected.id).toBe(wish.cursor);
    for (const { id, event, data } of rest) {
      if (id === undefined) continue;
      const place = placeOf(id);
      const between = wanted.filter((e) => comparePlaces(e, at) > 0 && comparePlaces(e, place) <= 0);
      const type = event === 'system' ? JSON.parse(data).type : 'event';
      if (type === 'event') {
        // In order, none twice, none left out, and the right bytes.
        expect(between.map((e) => e.id)).toEqual([id]);
        expect(data).toBe(between[0]?.json);
      } else if (type === 'position') {
        // Never names a place whose events were not written first.
        expect(between.map((e) => e.id)).toEqual([]);
        expect(comparePlaces(place, at)).toBeGreaterThanOrEqual(0);
      } else {
        // Only a gap may leave something out, and it says so.
        expect(type).toBe('gap');
        expect(comparePlaces(place, at)).toBeGreaterThanOrEqual(0);
      }
      at = place;
    }
    // Whoever is still there has everything.
    if (connection.over === undefined) {
      expect(wanted.filter((e) => comparePlaces(e, at) > 0).map((e) => e.id)).toEqual([]);
    }
  }
}

describe('the seam between replay and live', () => {
  test('no event is skipped, repeated or out of order, whatever happens when', { timeout: 60_000 }, async () => {
    let replayed = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 80, size: 'max' }), async (steps) => {
        const scene = new Scene();
        for (const one of steps) await scene.run(one);
        await scene.rest();
        for (const opened of scene.opened) scene.check(opened);
        replayed += scene.world.broker.readCount;
        await scene.world.delivery.close();
      }),
      { numRuns: 400 },
    );
    // The log was read, not only the ring: else this has shown less than it says.
    expect(replayed).toBeGreaterThan(400);
  });
});
