import type { Change, FeedFrame, FeedPosition, ProviderRecord } from '@centrali-io/protocol';
import { afterEach, describe, expect, it } from 'vitest';
import { SILENT } from '../../resource-server/index.ts';
import { EFFECTS } from '../delivery/effects.ts';
import { ChangeFeed } from './change-feed.ts';

const SNAPSHOT: FeedFrame = {
  type: 'snapshot',
  epoch: 'e1',
  revision: 10,
  providers: [{ id: 'pr_1' } as ProviderRecord],
  withdrawnKeys: ['k0'],
  revocations: [{ workspace: 'acme', provider: 'centrali', jti: 'j1' }],
};
const heartbeat = (revision: number, epoch = 'e1'): FeedFrame => ({ type: 'heartbeat', epoch, revision });
const changed = (revision: number, change: Change): FeedFrame => ({ type: 'change', revision, change });
const token = { provider: 'centrali', sub: 'u1', iat: 1 };

/** A connection of the feed: frames that a test pushes, and its end. */
class Source {
  readonly position: FeedPosition | undefined;
  #frames: FeedFrame[] = [];
  #wake: (() => void) | undefined;
  #over = false;

  constructor(position: FeedPosition | undefined) {
    this.position = position;
  }

  push(...frames: FeedFrame[]): void {
    this.#frames.push(...frames);
    this.#wake?.();
  }

  end(): void {
    this.#over = true;
    this.#wake?.();
  }

  async *read(): AsyncIterable<FeedFrame> {
    for (;;) {
      for (let frame = this.#frames.shift(); frame; frame = this.#frames.shift()) yield frame;
      if (this.#over) return;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

let feed: ChangeFeed | undefined;
afterEach(() => feed?.stop());

/** A feed that is being followed; `next()` is the connection that comes next, `seen(event)` waits for what was told. */
function world(silenceMs = 5000, apply: () => void = () => {}) {
  const sources: Source[] = [];
  const events: string[] = [];
  let wake = (): void => {};
  const note = (event: string): void => {
    events.push(event);
    wake();
  };
  const until = async (isThere: () => boolean): Promise<void> => {
    while (!isThere()) await new Promise<void>((resolve) => (wake = resolve));
  };
  feed = new ChangeFeed({
    decisions: {
      changes: (position) => {
        const source = new Source(position);
        sources.push(source);
        wake();
        return source.read();
      },
    },
    log: SILENT,
    effects: { ...EFFECTS, random: () => 0 },
    silenceMs,
    retryMs: 1,
    onProviders: (providers) => note(`providers ${providers.map(({ id }) => id).join()}`),
    onChange: ({ kind }, revision) => {
      apply();
      note(`${kind} ${revision}`);
    },
    onSnapshot: ({ revision, sameEpoch }) => note(`snapshot ${revision}${sameEpoch ? ' again' : ''}`),
    onLost: () => note('lost'),
  });
  feed.start();
  let taken = 0;
  return {
    feed,
    events,
    next: async (): Promise<Source> => {
      taken += 1;
      await until(() => sources.length >= taken);
      return sources[taken - 1] as Source;
    },
    seen: (event: string) => until(() => events.includes(event)),
  };
}

describe('ChangeFeed', () => {
  it('is ready with the first whole snapshot, and keeps what it holds', async () => {
    const { feed, events, next, seen } = world();
    const source = await next();
    expect(source.position).toBeUndefined();
    expect([feed.isReady, feed.state, feed.revision]).toEqual([false, 'starting', 0]);
    source.push(SNAPSHOT);
    await seen('snapshot 10');
    expect(events).toEqual(['providers pr_1', 'snapshot 10']);
    expect([feed.isReady, feed.state, feed.revision]).toEqual([true, 'live', 10]);
    expect([feed.isWithdrawn('k0'), feed.isWithdrawn('k1')]).toEqual([true, false]);
    expect(feed.revocations.covers({ ...token, workspace: 'acme', jti: 'j1' })).toBe(true);
    expect(feed.newest.of(['anything'])).toBe(10);
    expect([feed.isLive, feed.generation]).toEqual([true, 1]);
  });

  it('takes changes in before it tells of them', async () => {
    const { feed, next, seen } = world();
    const source = await next();
    source.push(
      SNAPSHOT,
      changed(11, { kind: 'key', kid: 'k1', withdrawn: true }),
      changed(12, {
        kind: 'revocation',
        revocation: { workspace: 'acme', provider: 'centrali', sub: 'u1', notBefore: 5 },
      }),
      changed(13, { kind: 'member', workspace: 'other', provider: 'centrali', sub: 'u2' }),
      changed(14, { kind: 'revocation-lifted', revocation: { workspace: 'acme', provider: 'centrali', jti: 'j1' } }),
    );
    await seen('revocation-lifted 14');
    expect(feed.isWithdrawn('k1')).toBe(true);
    expect(feed.revocations.covers({ ...token, workspace: 'acme' })).toBe(true);
    expect(feed.revocations.covers({ ...token, iat: 9, workspace: 'acme', jti: 'j1' })).toBe(false);
    const names = ['principal centrali u1', 'principal centrali u2', 'token centrali j1', 'key k1', 'key k2'];
    expect(names.map((name) => feed.newest.of([name]))).toEqual([12, 13, 14, 11, 10]);
  });

  it('goes on from its place when the connection ends', async () => {
    const { feed, next, seen } = world();
    const first = await next();
    first.push(SNAPSHOT, heartbeat(10), changed(11, { kind: 'role', workspace: 'acme', role: 'r' }));
    await seen('role 11');
    first.end();
    const second = await next();
    expect(second.position).toEqual({ epoch: 'e1', revision: 11 });
    expect([feed.isReady, feed.state]).toEqual([true, 'lost']);
    second.push(changed(12, { kind: 'role', workspace: 'acme', role: 'r' }));
    await seen('role 12');
    // There may be more that it has missed.
    expect([feed.state, feed.isLive]).toEqual(['lost', false]);
    second.push(heartbeat(12), changed(13, { kind: 'role', workspace: 'acme', role: 'r' }));
    await seen('role 13');
    expect([feed.state, feed.isLive, feed.generation]).toEqual(['live', true, 1]);
  });

  it('says whether a snapshot is of the same epoch', async () => {
    const { feed, next, seen } = world();
    const first = await next();
    first.push(SNAPSHOT, { ...SNAPSHOT, revision: 20 });
    await seen('snapshot 20 again');
    expect([feed.generation, feed.newest.of(['anything'])]).toEqual([1, 20]);
    first.push({ ...SNAPSHOT, epoch: 'e2', revision: 3 });
    await seen('snapshot 3');
    expect([feed.generation, feed.newest.of(['anything'])]).toEqual([2, 3]);
  });

  it('does not believe a node that is behind what it has heard already', async () => {
    const { feed, next, seen, events } = world();
    const first = await next();
    first.push(SNAPSHOT, changed(11, { kind: 'key', kid: 'k1', withdrawn: true }));
    await seen('key 11');
    first.end();
    const second = await next();
    second.push({ ...SNAPSHOT, revision: 10 });
    const third = await next();
    // It asks for what comes after its place, as before.
    expect(third.position).toEqual({ epoch: 'e1', revision: 11 });
    expect(feed.isWithdrawn('k1')).toBe(true);
    expect(events.filter((event) => event.startsWith('snapshot'))).toEqual(['snapshot 10']);
    third.push({ ...SNAPSHOT, revision: 12 });
    await seen('snapshot 12 again');
    expect(feed.isWithdrawn('k1')).toBe(false);
  });

  it('tells once that it is lost', async () => {
    const { events, next, seen } = world();
    const first = await next();
    first.push(SNAPSHOT);
    await seen('snapshot 10');
    first.end();
    for (let n = 0; n < 3; n++) (await next()).end();
    expect(events.filter((event) => event === 'lost')).toEqual(['lost']);
  });

  it('goes back to a change that could not be applied', async () => {
    let fails = true;
    const { feed, next, seen } = world(5000, () => {
      if (!fails) return;
      fails = false;
      throw new Error('fault');
    });
    (await next()).push(SNAPSHOT, changed(11, { kind: 'workspace', workspace: 'acme' }));
    const second = await next();
    expect(second.position).toEqual({ epoch: 'e1', revision: 10 });
    second.push(changed(11, { kind: 'workspace', workspace: 'acme' }));
    await seen('workspace 11');
    expect(feed.revision).toBe(11);
  });

  it('is lost when it falls silent, and ready all the same', async () => {
    const { feed, next, seen } = world(20);
    (await next()).push(SNAPSHOT);
    await seen('snapshot 10');
    await next();
    expect([feed.isReady, feed.state]).toEqual([true, 'lost']);
  });

  it.each([
    ['another epoch', heartbeat(11, 'e2')],
    ['a revision that goes back', heartbeat(9)],
  ])('begins anew from a snapshot after %s', async (_what, frame) => {
    const { feed, next, seen } = world();
    const first = await next();
    first.push(SNAPSHOT, frame);
    const second = await next();
    expect(second.position).toBeUndefined();
    expect(feed.isWithdrawn('k0')).toBe(true);
    second.push({ ...SNAPSHOT, epoch: 'e2', revision: 3, withdrawnKeys: [], providers: [] });
    await seen('providers ');
    expect([feed.revision, feed.isWithdrawn('k0')]).toEqual([3, false]);
  });

  it('asks for a snapshot when the first frame is none', async () => {
    const { feed, next } = world();
    (await next()).push(heartbeat(5));
    expect((await next()).position).toBeUndefined();
    expect(feed.isReady).toBe(false);
  });

  it('ends when told to, also while it waits', async () => {
    const { feed, next } = world();
    await next();
    await feed.stop();
    expect(feed.isReady).toBe(false);
  });
});
