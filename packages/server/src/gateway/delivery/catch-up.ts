import { type Broker, comparePlaces, type Place, type Position } from '../broker/port.ts';
import type { Audience } from './audience.ts';
import type { Effects } from './effects.ts';
import { FrameList } from './frame-list.ts';
import { EventFrame, gapFrame } from './frames.ts';
import { firstAfter, type Ring } from './ring.ts';
import type { Stream } from './stream.ts';
import type { Turn, Work } from './turn.ts';

/** Most events and about most bytes of one page: what is done at once, before what is live has its turn again. */
const PAGE_EVENTS = 64;
const PAGE_BYTES = 64 * 1024;
/** How long to wait before the next page while others of this gateway get live events, in ms. */
const REST = 1;
/** A socket with more unsent bytes than this gets its next page after it has drained. */
const FULL_BYTES = 64 * 1024;
/** How long to wait after a read of the log failed, in ms. */
const RETRY = 1000;

/** The live side, as catching up sees it. */
export interface LiveSide {
  readonly broker: Broker;
  readonly effects: Effects;
  readonly ring: Ring;
  readonly turn: Turn;
  /** The place up to which live streams have what they want. */
  readonly position: Position;
  /** Catching up that waits for the position to move, or has work. */
  readonly catchingUp: Set<CatchUp>;
  /** Whether live streams have got something just now: catching up then leaves them room. */
  readonly busy: boolean;
  /** Makes a stream live whose place is `position`. */
  goLive(stream: Stream): void;
  /** Ends a stream whose right to go on could not be proved in time. */
  endUnproven(stream: Stream): void;
}

/** What of a read is not dealt yet: a request comes whole, and may hold many events. */
interface Rest {
  readonly from: Place;
  readonly frames: readonly EventFrame[];
  readonly through: Place;
}

/** A page of the workspace and who still gets its share of it. */
interface Deal {
  readonly frames: readonly EventFrame[];
  readonly from: Place;
  readonly through: Place;
  readonly trimmed: Position | undefined;
  readonly targets: Stream[];
  readonly nothing: FrameList;
  /** Per audience, the list from each first frame on that some stream needed. */
  readonly lists: Map<Audience<Stream>, Map<number, FrameList>>;
}

/**
 * The streams of one workspace that are behind the hub. One sweep serves all of them: it reads pages
 * upwards from the one that is furthest behind, deals each page to every stream whose place lies in it,
 * and begins anew for those that came in below. So a thousand resumes read the log once, and no
 * stream has a queue of its own. A stream goes live in the turn in which its place is the hub's.
 */
export class CatchUp implements Work {
  readonly #workspace: string;
  readonly #hub: LiveSide;
  readonly #waiting = new Set<Stream>();
  /** Streams whose sockets have to drain first. */
  readonly #full = new Set<Stream>();
  #sweep: Place = { seq: 0, index: 0 };
  #deal: Deal | undefined;
  #rest: Rest | undefined;
  #reading = false;

  constructor(workspace: string, hub: LiveSide) {
    this.#workspace = workspace;
    this.#hub = hub;
  }

  /** Takes a stream that goes on from its `position`. It may be live when this returns. */
  add(stream: Stream): void {
    stream.state = 'catching-up';
    if (this.#live(stream)) return;
    this.#waiting.add(stream);
    this.#hub.catchingUp.add(this);
    this.#hub.turn.add(this);
  }

  remove(stream: Stream): void {
    this.#waiting.delete(stream);
    this.#full.delete(stream);
    if (this.#waiting.size > 0) return;
    this.#hub.catchingUp.delete(this);
    this.#rest = undefined;
  }

  #live(stream: Stream): boolean {
    if (comparePlaces(stream.position, this.#hub.position) !== 0) return false;
    this.remove(stream);
    this.#hub.goLive(stream);
    return true;
  }

  /** Deals to one stream, or gets the next page. */
  step(): boolean {
    if (!this.#deal) {
      if (this.#reading) return false;
      this.#nextPage();
    } else this.#dealOne(this.#deal);
    return this.#deal !== undefined;
  }

  #nextPage(): void {
    const from = this.#next();
    if (!from) return;
    this.#sweep = from;
    const { ring, position } = this.#hub;
    const rest = this.#rest;
    this.#rest = undefined;
    if (rest && comparePlaces(from, rest.from) >= 0 && comparePlaces(from, rest.through) < 0) {
      this.#begin(from, rest.frames.slice(firstAfter(rest.frames, from)), rest.through);
      return;
    }
    if (comparePlaces(from, ring.start) < 0) {
      void this.#read(from);
      return;
    }
    const { frames, complete } = ring.page(this.#workspace, from, PAGE_EVENTS, PAGE_BYTES);
    this.#begin(from, frames, complete ? position : (frames.at(-1) ?? position));
  }

  /** Where the next page begins: the lowest place from the sweep on, else the lowest of all. */
  #next(): Place | undefined {
    let lowest: Place | undefined;
    let ahead: Place | undefined;
    for (const stream of this.#waiting) {
      if (this.#live(stream)) continue;
      const { position } = stream;
      // A cursor of a gateway that is ahead of this one: it is waited for.
      if (comparePlaces(position, this.#hub.position) > 0) continue;
      if (!lowest || comparePlaces(position, lowest) < 0) lowest = position;
      if (comparePlaces(position, this.#sweep) >= 0 && (!ahead || comparePlaces(position, ahead) < 0)) ahead = position;
    }
    return ahead ?? lowest;
  }

  async #read(from: Place): Promise<void> {
    this.#reading = true;
    try {
      const page = await this.#hub.broker.read(this.#workspace, from, PAGE_EVENTS);
      if (comparePlaces(page.through, from) <= 0) throw new RangeError('a page must go on');
      const frames = page.events.map((stored) => new EventFrame(stored));
      this.#reading = false;
      this.#begin(from, frames, page.through, page.trimmed);
      this.#hub.turn.add(this);
    } catch {
      // The streams stay open and are kept awake; the broker's own state says what is wrong with it.
      this.#hub.effects.timer(RETRY, () => {
        this.#reading = false;
        this.#hub.turn.add(this);
      });
    }
  }

  #begin(from: Place, all: readonly EventFrame[], end: Place, trimmed?: Position): void {
    const targets = [...this.#waiting];
    const last = all[PAGE_EVENTS - 1];
    const more = last !== undefined && all.length > PAGE_EVENTS;
    const frames = more ? all.slice(0, PAGE_EVENTS) : all;
    const through = more ? { seq: last.seq, index: last.index } : end;
    if (more) this.#rest = { from: through, frames: all.slice(PAGE_EVENTS), through: end };
    this.#deal = { frames, from, through, trimmed, targets, nothing: FrameList.empty(), lists: new Map() };
  }

  #dealOne(deal: Deal): void {
    const stream = deal.targets.pop();
    if (stream && this.#waiting.has(stream)) {
      const { position } = stream;
      if (comparePlaces(position, deal.from) >= 0 && comparePlaces(position, deal.through) < 0)
        this.#give(stream, deal);
    }
    if (deal.targets.length > 0) return;
    for (const frame of deal.frames) frame.settle();
    this.#deal = undefined;
    if (this.#waiting.size > 0) this.#goOn();
  }

  #goOn(): void {
    const { busy, effects, turn } = this.#hub;
    if (busy) effects.timer(REST, () => turn.add(this));
    else turn.add(this);
  }

  #give(stream: Stream, deal: Deal): void {
    const now = this.#hub.effects.monotonic();
    // Nothing is written for a dead token; the wheel ends the stream.
    if (now >= stream.expiresAt) return this.remove(stream);
    if (now >= stream.hold.until) return this.#hub.endUnproven(stream);
    const { trimmed, frames, through } = deal;
    if (trimmed && comparePlaces(stream.position, trimmed) < 0) {
      stream.write(gapFrame('trimmed', this.#hub.broker.cursorAt(this.#workspace, trimmed)), now);
    }
    stream.writeList(this.#listFor(stream.audience, firstAfter(frames, stream.position), deal), now);
    stream.position = through;
    if (!this.#live(stream) && stream.unsentBytes > FULL_BYTES) this.#pause(stream);
  }

  #listFor(audience: Audience<Stream>, first: number, { frames, lists, nothing }: Deal): FrameList {
    let known = lists.get(audience);
    if (!known) {
      known = new Map();
      lists.set(audience, known);
    }
    let list = known.get(first);
    if (!list) {
      list = nothing;
      for (let i = first; i < frames.length; i++) {
        const frame = frames[i];
        const verdict = frame ? audience.selection.judge(frame) : 'none';
        if (frame && verdict !== 'none') list = list.with(verdict === 'whole' ? frame.whole : frame.lean);
      }
      known.set(first, list);
    }
    list.users++;
    return list;
  }

  #pause(stream: Stream): void {
    this.#waiting.delete(stream);
    this.#full.add(stream);
    stream.connection?.onDrain(() => {
      if (!this.#full.delete(stream)) return;
      this.#waiting.add(stream);
      this.#hub.catchingUp.add(this);
      this.#hub.turn.add(this);
    });
  }
}
