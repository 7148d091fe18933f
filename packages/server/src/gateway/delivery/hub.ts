import { type Broker, comparePlaces, type Place, type Position, type StoredEvent } from '../broker/port.ts';
import type { Audience } from './audience.ts';
import type { CatchUp, LiveSide } from './catch-up.ts';
import type { Effects } from './effects.ts';
import { FrameList } from './frame-list.ts';
import { EventFrame } from './frames.ts';
import { Ring } from './ring.ts';
import type { Selection } from './selection.ts';
import type { Stream } from './stream.ts';
import { Turn } from './turn.ts';
import { WorkspaceFeed } from './workspace-feed.ts';

/** Frames of one audience that wait for the flush; beyond, they are written at once, so that a burst cannot pile up. */
const MAX_PENDING_BYTES = 256 * 1024;

/** Its token died, its right to go on could not be proved in time, or its socket does not take what it gets. */
export type Why = 'expired' | 'unproven' | 'slow';

/** So long after a live event the hub counts as busy, in ms. */
const BUSY = 100;

/** What the hub is made from. */
export interface HubOptions {
  readonly broker: Broker;
  readonly effects: Effects;
  /** Bytes of recent events kept for streams that catch up. */
  readonly ringBytes: number;
  /** Unsent bytes over which a stream is slow. */
  readonly maxUnsentBytes: number;
  /** Ends a stream. */
  readonly end: (stream: Stream, why: Why) => void;
}

/** Takes committed events from the broker and gives them to live streams: matched once, framed once, flushed once a turn. */
export class Hub implements LiveSide {
  readonly broker: Broker;
  readonly effects: Effects;
  readonly ring: Ring;
  readonly turn: Turn;
  /** Streams' catching up that waits for the hub or has work. */
  readonly catchingUp = new Set<CatchUp>();
  readonly #options: HubOptions;
  readonly #feeds = new Map<string, WorkspaceFeed>();
  readonly #unsubscribe: () => void;
  /** The empty list, from which all lists of one turn grow. */
  readonly nothing: FrameList = FrameList.empty();
  #position: Position;
  /** The place of the last flush: every live stream has everything up to here. */
  #writtenTo: Position;
  #dirty: Audience<Stream>[] = [];
  /** When a live stream last got an event, monotonic ms. */
  #liveAt = Number.NEGATIVE_INFINITY;

  constructor(options: HubOptions) {
    this.#options = options;
    this.broker = options.broker;
    this.effects = options.effects;
    this.#position = options.broker.head();
    this.#writtenTo = this.#position;
    this.ring = new Ring(options.ringBytes, this.#position);
    this.turn = new Turn(options.effects, () => this.#flush());
    this.#unsubscribe = options.broker.subscribe((batch, through) => this.#dispatch(batch, through));
  }

  /** The place up to which live streams have got, or will get at the flush, what they want. */
  get position(): Position {
    return this.#position;
  }

  get busy(): boolean {
    return this.effects.monotonic() - this.#liveAt < BUSY;
  }

  /** The feed of a workspace, made when it has none. */
  feed(workspace: string): WorkspaceFeed {
    let feed = this.#feeds.get(workspace);
    if (!feed) {
      feed = new WorkspaceFeed(workspace, this, this.nothing);
      this.#feeds.set(workspace, feed);
    }
    return feed;
  }

  /** Takes a stream out of everything here. */
  leave(stream: Stream): void {
    const feed = this.feed(stream.workspace);
    if (stream.state === 'live') stream.audience.remove(stream);
    feed.catchUp.remove(stream);
    feed.release(stream.audience);
    if (feed.empty) this.#feeds.delete(feed.workspace);
  }

  /** Makes a stream live whose position is the hub's: what it has got so far ends there, what comes now goes on there. */
  goLive(stream: Stream): void {
    // What the audience waits for was before this position: not for the newcomer.
    this.flushAudience(stream.audience);
    stream.state = 'live';
    stream.audience.add(stream);
  }

  /**
   * Gives a stream another selection. What was matched for it by the old one and is not written yet is
   * taken back: it goes on from what it has, and joins again judged by the new one.
   */
  reselect(stream: Stream, selection: Selection): void {
    const feed = this.feed(stream.workspace);
    const old = stream.audience;
    stream.audience = feed.hold(selection);
    if (stream.state === 'live' && stream.audience !== old) {
      old.remove(stream);
      stream.position = comparePlaces(old.writtenTo, this.#writtenTo) > 0 ? old.writtenTo : this.#writtenTo;
      feed.catchUp.add(stream);
    }
    feed.release(old);
  }

  endUnproven(stream: Stream): void {
    this.#options.end(stream, 'unproven');
  }

  #dispatch(batch: readonly StoredEvent[], through: Position): void {
    this.#position = through;
    for (const catchUp of this.catchingUp) this.turn.add(catchUp);
    const [first] = batch;
    if (!first) return;
    const feed = this.#feeds.get(first.workspace);
    for (const stored of batch) {
      const frame = new EventFrame(stored);
      this.ring.push(first.workspace, frame);
      feed?.find(frame, (audience) => this.#offer(audience, frame));
      frame.settle();
    }
  }

  #offer(audience: Audience<Stream>, frame: EventFrame): void {
    if (audience.size === 0) return;
    const verdict = audience.selection.judge(frame);
    if (verdict === 'none') return;
    if (audience.pending.length === 0) this.#dirty.push(audience);
    audience.pending = audience.pending.with(verdict === 'whole' ? frame.whole : frame.lean);
    // The rest of the request is not written yet: the stream has what it wants up to this event.
    if (audience.pending.bytes > MAX_PENDING_BYTES)
      this.flushAudience(audience, { seq: frame.seq, index: frame.index });
    else this.turn.plan();
  }

  /** Writes at once what an audience waits for. */
  flushAudience(audience: Audience<Stream>, upTo: Place = this.#position): void {
    audience.writtenTo = upTo;
    audience.pending.users += audience.size;
    this.#write(audience);
  }

  #flush(): void {
    this.#writtenTo = this.#position;
    const dirty = this.#dirty;
    if (dirty.length === 0) return;
    this.#dirty = [];
    this.#liveAt = this.effects.monotonic();
    for (const audience of dirty) audience.pending.users += audience.size;
    for (const audience of dirty) this.#write(audience);
    this.nothing.clear();
  }

  /** Authority and room are looked at just before each write. */
  #write(audience: Audience<Stream>): void {
    const list = audience.pending;
    if (list.length === 0) return;
    audience.pending = this.nothing;
    const ends: [Stream, Why][] = [];
    for (let stream = audience.first; stream; stream = stream.nextInAudience) {
      const now = this.effects.monotonic();
      const { unsentBytes } = stream;
      if (now >= stream.expiresAt) ends.push([stream, 'expired']);
      else if (now >= stream.hold.until) ends.push([stream, 'unproven']);
      else if (unsentBytes > 0 && unsentBytes + list.bytes > this.#options.maxUnsentBytes) ends.push([stream, 'slow']);
      else stream.writeList(list, now);
    }
    // Afterwards, since whoever hears of an end may end others of this list.
    for (const [stream, why] of ends) this.#options.end(stream, why);
  }

  /** Takes no more events. */
  close(): void {
    this.#unsubscribe();
  }
}
