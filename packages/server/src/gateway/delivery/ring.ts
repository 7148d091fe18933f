import { comparePlaces, type Place } from '../broker/port.ts';
import type { EventFrame } from './frames.ts';

/** The kept events of one workspace, oldest first; those before `from` are gone. */
interface Tail {
  frames: EventFrame[];
  from: number;
}

/** Frames of one workspace after a place. */
export interface RingPage {
  readonly frames: readonly EventFrame[];
  /** Whether these are all that there are. */
  readonly complete: boolean;
}

/** The index of the first frame after a place. */
export function firstAfter(frames: readonly EventFrame[], after: Place, from = 0): number {
  let low = from;
  let high = frames.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const frame = frames[middle];
    if (frame && comparePlaces(frame, after) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * The newest events of all workspaces, framed once for all streams that catch up, within a bound of bytes.
 * Whatever comes after `start` is in it.
 */
export class Ring {
  readonly #maxBytes: number;
  readonly #tails = new Map<string, Tail>();
  /** Workspaces in the order of all events: whose oldest one goes next. */
  #order: string[] = [];
  #orderFrom = 0;
  #bytes = 0;
  #start: Place;

  constructor(maxBytes: number, start: Place) {
    this.#maxBytes = maxBytes;
    this.#start = start;
  }

  /** Everything after this place is in the ring; nothing up to it is. */
  get start(): Place {
    return this.#start;
  }

  /** Bytes that the kept events cost, roughly. */
  get bytes(): number {
    return this.#bytes;
  }

  push(workspace: string, frame: EventFrame): void {
    let tail = this.#tails.get(workspace);
    if (!tail) {
      tail = { frames: [], from: 0 };
      this.#tails.set(workspace, tail);
    }
    tail.frames.push(frame);
    this.#order.push(workspace);
    this.#bytes += frame.size;
    while (this.#bytes > this.#maxBytes) this.#evict();
  }

  #evict(): void {
    const workspace = this.#order[this.#orderFrom++] ?? '';
    const tail = this.#tails.get(workspace);
    const frame = tail?.frames[tail.from];
    if (!tail || !frame) return;
    tail.from++;
    this.#bytes -= frame.size;
    this.#start = { seq: frame.seq, index: frame.index };
    if (tail.from === tail.frames.length) this.#tails.delete(workspace);
    else if (tail.from > 64 && tail.from * 2 > tail.frames.length) {
      tail.frames = tail.frames.slice(tail.from);
      tail.from = 0;
    }
    if (this.#orderFrom > 1024 && this.#orderFrom * 2 > this.#order.length) {
      this.#order = this.#order.slice(this.#orderFrom);
      this.#orderFrom = 0;
    }
  }

  /** At most `limit` frames, and about `maxBytes`, after a place that is not before `start`. */
  page(workspace: string, after: Place, limit: number, maxBytes: number): RingPage {
    const tail = this.#tails.get(workspace);
    if (!tail) return { frames: [], complete: true };
    const first = firstAfter(tail.frames, after, tail.from);
    let end = first;
    for (let bytes = 0; end < tail.frames.length && end - first < limit && bytes < maxBytes; end++) {
      bytes += tail.frames[end]?.size ?? 0;
    }
    return { frames: tail.frames.slice(first, end), complete: end === tail.frames.length };
  }
}
