import type { FeedFrame, FeedPosition } from '@centrali-io/protocol';
import type { Store, StoreView } from '../store/port.ts';

/** Rows that are read from the store at once. */
const PAGE = 500;

/** Options of `createChangeFeed`. */
export interface ChangeFeedOptions {
  readonly store: Store;
  /** Milliseconds since 1970: revocations that can end no token any more are left out of the snapshot. */
  readonly now: () => number;
  /** Milliseconds between heartbeats. Default 1,000. */
  readonly heartbeatMilliseconds?: number;
}

/** The change feed: a snapshot or the changes after a position, then each change, then a heartbeat each second. */
export type ChangeFeed = (position: FeedPosition | undefined, signal: AbortSignal) => AsyncGenerator<FeedFrame, void>;

/**
 * Reads the feed from the store, so that a heartbeat also says that the store answers: its revision is the
 * head, and every change up to it has been sent before. Throws when the store does not answer.
 */
export function createChangeFeed({ store, now, heartbeatMilliseconds = 1_000 }: ChangeFeedOptions): ChangeFeed {
  return async function* feed(position, signal) {
    const wake = new Wake(store, heartbeatMilliseconds, signal);
    try {
      let reached = -1;
      let epoch = '';
      if (position) ({ epoch, revision: reached } = position);
      for (let first = true; !signal.aborted; first = false) {
        const beat = first || wake.isBeat();
        let more = true;
        while (more && !signal.aborted) {
          const step = await store.read((view) => nextFrames(view, { epoch, revision: reached }, now()));
          more = step.more;
          ({ epoch, revision: reached } = step.position);
          yield* step.frames;
        }
        if (beat) yield { type: 'heartbeat', epoch, revision: reached };
        await wake.next();
      }
    } finally {
      wake.stop();
    }
  };
}

/** What a reader at `position` is told next: the changes after it, or a snapshot when they are not known here. */
async function nextFrames(view: StoreView, position: FeedPosition, now: number): Promise<FeedStep> {
  const head = await view.feed.head();
  const known = position.epoch === head.epoch && position.revision >= 0 && position.revision <= head.revision;
  const rows = known ? await view.feed.after(position.revision, PAGE) : undefined;
  if (!rows) return { frames: [await snapshot(view, head, now)], position: head, more: false };
  return {
    frames: rows.map(({ revision, change }): FeedFrame => ({ type: 'change', revision, change })),
    position: { epoch: head.epoch, revision: rows.at(-1)?.revision ?? position.revision },
    more: rows.length === PAGE,
  };
}

interface FeedStep {
  readonly frames: readonly FeedFrame[];
  readonly position: FeedPosition;
  /** Whether there may be more right now. */
  readonly more: boolean;
}

async function snapshot(view: StoreView, { epoch, revision }: FeedPosition, now: number): Promise<FeedFrame> {
  const keys = await view.signingKeys.list();
  return {
    type: 'snapshot',
    epoch,
    revision,
    providers: (await view.providers.all()).map(({ record }) => record),
    withdrawnKeys: keys.filter(({ withdrawnAt }) => withdrawnAt !== null).map(({ kid }) => kid),
    revocations: (await view.revocations.live(now)).map(({ revocation, expiresAt }) =>
      expiresAt === null ? revocation : { ...revocation, expiresAt },
    ),
  };
}

/** Wakes the feed for a change, for a heartbeat, and when it is aborted; what happens in between is kept. */
class Wake {
  #due = false;
  #beat = false;
  #resolve: (() => void) | undefined;
  readonly #stops: (() => void)[] = [];

  constructor(store: Store, heartbeatMilliseconds: number, signal: AbortSignal) {
    const timer = setInterval(() => this.#wake(true), heartbeatMilliseconds);
    timer.unref();
    const abort = (): void => this.#wake(false);
    signal.addEventListener('abort', abort);
    this.#stops.push(
      store.onChange(() => this.#wake(false)),
      () => clearInterval(timer),
      () => signal.removeEventListener('abort', abort),
    );
  }

  /** Whether a heartbeat has fallen due since the last time this was asked. */
  isBeat(): boolean {
    const beat = this.#beat;
    this.#beat = false;
    return beat;
  }

  async next(): Promise<void> {
    if (!this.#due) await new Promise<void>((resolve) => (this.#resolve = resolve));
    this.#due = false;
    this.#resolve = undefined;
  }

  stop(): void {
    for (const stop of this.#stops) stop();
  }

  #wake(beat: boolean): void {
    this.#beat ||= beat;
    this.#due = true;
    this.#resolve?.();
  }
}
