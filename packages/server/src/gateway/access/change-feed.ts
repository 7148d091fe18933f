import type { Change, Decisions, FeedFrame, FeedPosition, ProviderRecord } from '@centrali-io/protocol';
import { type Log, Refusal } from '../../resource-server/index.ts';
import type { Effects } from '../delivery/effects.ts';
import type { Proof } from './bound.ts';
import { NewestChanges } from './newest-changes.ts';
import { Revocations } from './revocations.ts';

/** What `ChangeFeed` is made from. */
export interface ChangeFeedOptions {
  readonly decisions: Pick<Decisions, 'changes'>;
  readonly log: Log;
  readonly effects: Pick<Effects, 'now' | 'monotonic' | 'random' | 'timer'>;
  /** Without a frame for so long, the feed is lost. Default 2,000 ms: IAM sends a heartbeat each second. */
  readonly silenceMs?: number;
  /** Pause before the first new try after a loss; doubles up to 2 s, with jitter. Default 100 ms. */
  readonly retryMs?: number;
  /** The providers are exactly these from now on. */
  readonly onProviders: (providers: readonly ProviderRecord[]) => void;
  /** One change, after the feed has noted what it keeps of it. */
  readonly onChange: (change: Change, revision: number) => void;
  /**
   * A snapshot has replaced what was known: everything that was decided before must be decided anew; with the
   * same epoch, what was decided at its revision or later still holds.
   */
  readonly onSnapshot: (snapshot: {
    readonly revision: number;
    readonly sameEpoch: boolean;
    readonly providers: readonly ProviderRecord[];
  }) => void;
  /** The feed is lost. */
  readonly onLost: () => void;
}

/**
 * Follows IAM's change feed for ever: keeps withdrawn keys and revocations, hands on providers and
 * changes, and knows the newest change of whatever decisions hang on, so that an older answer is noticed.
 */
export class ChangeFeed implements Proof {
  readonly #options: ChangeFeedOptions;
  readonly #stopped = new AbortController();
  readonly #withdrawn = new Set<string>();
  readonly newest: NewestChanges = new NewestChanges();
  readonly revocations: Revocations;
  #generation = 0;
  /** Where to go on; undefined: from a snapshot. */
  #position: FeedPosition | undefined;
  #epoch = '';
  /** The newest revision of the epoch that was heard of. */
  #heard = 0;
  #ready = false;
  #state: 'starting' | 'live' | 'lost' = 'starting';
  #lastFrameAt = Number.NEGATIVE_INFINITY;
  #running: Promise<void> = Promise.resolve();

  constructor(options: ChangeFeedOptions) {
    this.#options = options;
    this.revocations = new Revocations(() => options.effects.now());
  }

  /** Begins to follow the feed. */
  start(): void {
    this.#running = this.#follow();
  }

  /** Ends it; resolves when nothing runs any more. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  /** `starting` until the first snapshot; then `live`, or `lost` while no frame comes. */
  get state(): 'starting' | 'live' | 'lost' {
    return this.#state;
  }

  /** Whether the first whole snapshot is in. Once true, always true. */
  get isReady(): boolean {
    return this.#ready;
  }

  /** Where the feed is; 0 before the first snapshot. */
  get revision(): number {
    return this.#position?.revision ?? 0;
  }

  /** Counts the epochs that were seen. Revisions of two generations cannot be compared. */
  get generation(): number {
    return this.#generation;
  }

  /** When the last frame of a feed that knew all changes came, monotonic ms. */
  get lastFrameAt(): number {
    return this.#lastFrameAt;
  }

  /** Whether every change is known here, but for those on their way. */
  get isLive(): boolean {
    const { effects, silenceMs = 2000 } = this.#options;
    return this.#state === 'live' && effects.monotonic() - this.#lastFrameAt < silenceMs;
  }

  /** Whether IAM has withdrawn this key of its own. */
  isWithdrawn(kid: string): boolean {
    return this.#withdrawn.has(kid);
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stopped;
    const { log, effects, retryMs = 100, onLost } = this.#options;
    for (let failures = 0; !signal.aborted; ) {
      const frames = await this.#read();
      if (signal.aborted) return;
      if (this.#state === 'live') {
        this.#state = 'lost';
        log.warn({ revision: this.revision }, 'The change feed is lost; trying again');
        onLost();
      }
      failures = frames > 0 ? 0 : failures + 1;
      const wait = Math.min(2000, retryMs * 2 ** Math.min(failures, 5)) * (0.5 + effects.random() / 2);
      await this.#pause(wait);
    }
  }

  #pause(milliseconds: number): Promise<void> {
    const { signal } = this.#stopped;
    return new Promise((resolve) => {
      const done = (): void => {
        signal.removeEventListener('abort', done);
        cancel();
        resolve();
      };
      const cancel = this.#options.effects.timer(milliseconds, done);
      signal.addEventListener('abort', done);
    });
  }

  /** Reads the feed until it ends, fails, falls silent or says something unreadable. Returns the frames that came. */
  async #read(): Promise<number> {
    const { decisions, silenceMs = 2000, log, effects } = this.#options;
    const lost = new AbortController();
    const signal = AbortSignal.any([this.#stopped.signal, lost.signal]);
    let heardAt = effects.monotonic();
    const look = (): void => {
      const left = heardAt + silenceMs - effects.monotonic();
      if (left <= 0) lost.abort();
      else cancel = effects.timer(left, look);
    };
    let cancel = effects.timer(silenceMs, look);
    // Ends the wait for a frame even if the adapter does not heed its signal. One promise a frame: a race with
    // one that lives as long as the feed would keep all of them.
    let giveUp = (): void => {};
    signal.addEventListener('abort', () => giveUp(), { once: true });
    let frames = 0;
    let iterator: AsyncIterator<FeedFrame> | undefined;
    try {
      iterator = decisions.changes(this.#position, signal)[Symbol.asyncIterator]();
      for (;;) {
        const coming = iterator.next();
        const next = await new Promise<IteratorResult<FeedFrame> | undefined>((resolve, reject) => {
          giveUp = () => resolve(undefined);
          coming.then(resolve, reject);
          if (signal.aborted) giveUp();
        });
        if (next === undefined || next.done === true) break;
        heardAt = effects.monotonic();
        frames += 1;
        if (!this.#apply(next.value)) break;
      }
    } catch (error) {
      log.warn({ error: causeOf(error) }, 'The change feed failed');
    } finally {
      cancel();
      lost.abort();
      // Not awaited: a generator that hangs would hang this too.
      iterator?.return?.()?.catch(() => {});
    }
    return frames;
  }

  /** Takes a frame in. `false`: it does not fit what is known, so begin from a snapshot. */
  #apply(frame: FeedFrame): boolean {
    const { onProviders, onChange, onSnapshot } = this.#options;
    const known = this.#position;
    if (frame.type === 'snapshot') {
      const sameEpoch = frame.epoch === this.#epoch;
      // A node that is behind the one before: by its word, what has been heard already would be unheard of.
      if (sameEpoch && frame.revision < this.#heard) return false;
      this.#withdrawn.clear();
      for (const kid of frame.withdrawnKeys) this.#withdrawn.add(kid);
      this.revocations.replaceAll(frame.revocations);
      if (!sameEpoch) this.#generation += 1;
      this.#epoch = frame.epoch;
      this.newest.reset(frame.revision);
      onProviders(frame.providers);
      onSnapshot({ revision: frame.revision, sameEpoch, providers: frame.providers });
      this.#seen({ epoch: frame.epoch, revision: frame.revision }, true);
      return true;
    }
    if (
      known === undefined ||
      (frame.type === 'heartbeat' && frame.epoch !== known.epoch) ||
      frame.revision < known.revision
    ) {
      // What was known still holds until a snapshot replaces it.
      this.#position = undefined;
      return false;
    }
    if (frame.type === 'change') {
      this.newest.note(frame.change, frame.revision);
      this.#note(frame.change);
      // Before the position moves on: a change that could not be applied comes again.
      onChange(frame.change, frame.revision);
    }
    this.#seen({ epoch: known.epoch, revision: frame.revision }, frame.type === 'heartbeat');
    return true;
  }

  /** `whole`: everything up to now has been said. What was missed meanwhile is said first, and is no proof yet. */
  #seen(position: FeedPosition, whole: boolean): void {
    this.#position = position;
    this.#heard = position.revision;
    this.#ready = true;
    if (whole) this.#state = 'live';
    if (this.#state === 'live') this.#lastFrameAt = this.#options.effects.monotonic();
  }

  #note(change: Change): void {
    switch (change.kind) {
      case 'key':
        if (change.withdrawn) this.#withdrawn.add(change.kid);
        else this.#withdrawn.delete(change.kid);
        return;
      case 'revocation':
        return this.revocations.add(change.revocation);
      case 'revocation-lifted':
        return this.revocations.lift(change.revocation);
      case 'provider':
      case 'member':
      case 'role':
      case 'account':
      case 'credential':
      case 'workspace':
    }
  }
}

/** What a log may say of a failure: the inner reason (`credential_refused`), or what kind it is. */
function causeOf(error: unknown): string {
  if (error instanceof Refusal) return error.reason;
  return error instanceof Error ? error.name : 'unknown';
}
