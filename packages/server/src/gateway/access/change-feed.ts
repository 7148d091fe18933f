import { setTimeout as pause } from 'node:timers/promises';
import type { Change, Decisions, FeedFrame, FeedPosition, ProviderRecord } from '@centrali-io/protocol';
import type { Log } from '../../resource-server/index.ts';
import { Revocations } from './revocations.ts';

/** What `ChangeFeed` is made from. */
export interface ChangeFeedOptions {
  readonly decisions: Pick<Decisions, 'changes'>;
  readonly log: Log;
  /** Monotonic clock, ms. */
  readonly monotonic: () => number;
  readonly random: () => number;
  /** Without a frame for so long, the feed is lost. Default 2,000 ms: IAM sends a heartbeat each second. */
  readonly silenceMs?: number;
  /** Pause before the first new try after a loss; doubles up to 2 s, with jitter. Default 100 ms. */
  readonly retryMs?: number;
  /** The providers are exactly these from now on. */
  readonly onProviders: (providers: readonly ProviderRecord[]) => void;
  /** One change, after the feed has noted what it keeps of it. */
  readonly onChange: (change: Change, revision: number) => void;
  /** A snapshot has replaced what was known: everything that was decided before must be decided anew. */
  readonly onSnapshot: () => void;
}

/** Most workspaces whose newest change is remembered one by one. */
const MAX_WORKSPACES = 10_000;

/**
 * Follows IAM's change feed for ever: keeps withdrawn keys and revocations, hands on providers and
 * changes, and knows for each workspace the newest change, so that an answer older than it is noticed.
 */
export class ChangeFeed {
  readonly #options: ChangeFeedOptions;
  readonly #stopped = new AbortController();
  readonly #withdrawn = new Set<string>();
  readonly #newest = new Map<string, number>();
  readonly revocations: Revocations = new Revocations();
  #floor = 0;
  /** Where to go on; undefined: from a snapshot. */
  #position: FeedPosition | undefined;
  #ready = false;
  #state: 'starting' | 'live' | 'lost' = 'starting';
  #lastFrameAt = Number.NEGATIVE_INFINITY;
  #running: Promise<void> = Promise.resolve();

  constructor(options: ChangeFeedOptions) {
    this.#options = options;
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

  /** Milliseconds since the last frame. */
  get silence(): number {
    return this.#options.monotonic() - this.#lastFrameAt;
  }

  /** Whether IAM has withdrawn this key of its own. */
  isWithdrawn(kid: string): boolean {
    return this.#withdrawn.has(kid);
  }

  /** The revision of the newest change seen that touches rights in this workspace. */
  newestChange(workspace: string): number {
    return Math.max(this.#newest.get(workspace) ?? 0, this.#floor);
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stopped;
    const { log, random, retryMs = 100 } = this.#options;
    for (let failures = 0; !signal.aborted; ) {
      const frames = await this.#read();
      if (signal.aborted) return;
      if (this.#state === 'live') {
        this.#state = 'lost';
        log.warn({ revision: this.revision }, 'The change feed is lost; trying again');
      }
      failures = frames > 0 ? 0 : failures + 1;
      const wait = Math.min(2000, retryMs * 2 ** Math.min(failures, 5)) * (0.5 + random() / 2);
      await pause(wait, undefined, { signal }).catch(() => {});
    }
  }

  /** Reads the feed until it ends, fails, falls silent or says something unreadable. Returns the frames that came. */
  async #read(): Promise<number> {
    const { decisions, silenceMs = 2000, log } = this.#options;
    const lost = new AbortController();
    const signal = AbortSignal.any([this.#stopped.signal, lost.signal]);
    const watch = setTimeout(() => lost.abort(), silenceMs);
    const aborted = new Promise<undefined>((resolve) => {
      signal.addEventListener('abort', () => resolve(undefined), { once: true });
    });
    let frames = 0;
    let iterator: AsyncIterator<FeedFrame> | undefined;
    try {
      iterator = decisions.changes(this.#position, signal)[Symbol.asyncIterator]();
      for (;;) {
        // The race ends the wait even if the adapter does not heed its signal.
        const next = await Promise.race([iterator.next(), aborted]);
        if (next === undefined || next.done === true) break;
        watch.refresh();
        frames += 1;
        if (!this.#apply(next.value)) break;
      }
    } catch (error) {
      log.warn({ error: error instanceof Error ? error.name : 'unknown' }, 'The change feed failed');
    } finally {
      clearTimeout(watch);
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
      this.#withdrawn.clear();
      for (const kid of frame.withdrawnKeys) this.#withdrawn.add(kid);
      this.revocations.replaceAll(frame.revocations);
      this.#newest.clear();
      this.#floor = frame.revision;
      onProviders(frame.providers);
      this.#seen({ epoch: frame.epoch, revision: frame.revision });
      onSnapshot();
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
    if (frame.type === 'change') this.#note(frame.change, frame.revision);
    this.#seen({ epoch: known.epoch, revision: frame.revision });
    if (frame.type === 'change') onChange(frame.change, frame.revision);
    return true;
  }

  #seen(position: FeedPosition): void {
    this.#position = position;
    this.#ready = true;
    this.#state = 'live';
    this.#lastFrameAt = this.#options.monotonic();
  }

  #note(change: Change, revision: number): void {
    switch (change.kind) {
      case 'key':
        if (change.withdrawn) this.#withdrawn.add(change.kid);
        else this.#withdrawn.delete(change.kid);
        return;
      case 'provider':
        return;
      case 'revocation':
      case 'revocation-lifted':
        if (change.kind === 'revocation') this.revocations.add(change.revocation);
        else this.revocations.lift(change.revocation);
        this.#touch(change.revocation.workspace, revision);
        return;
      case 'member':
      case 'role':
      case 'account':
      case 'credential':
      case 'workspace':
        this.#touch(change.workspace, revision);
    }
  }

  #touch(workspace: string | null, revision: number): void {
    if (workspace === null || (this.#newest.size >= MAX_WORKSPACES && !this.#newest.has(workspace))) {
      // One number for all is coarser, never wrong: an answer is asked again once too often.
      this.#newest.clear();
      this.#floor = revision;
      return;
    }
    this.#newest.set(workspace, revision);
  }
}
