import type { Effects } from './effects.ts';

/** Granularity of the wheel, in ms: something is due at most this much late. */
const TICK = 50;
/** Buckets; what is due later than they reach (25.6 s) comes up then, and is put back. */
const SIZE = 512;

/** What the wheel carries: an item's own fields, so that a stream costs no timer, closure or entry. */
export interface WheelItem {
  wheelBucket: number;
  wheelNext: WheelItem | undefined;
  wheelPrevious: WheelItem | undefined;
}

/** One wheel and one timer for everything that streams wait for: pings, ends of tokens, lifetimes. */
export class TimeWheel<Item extends WheelItem> {
  readonly #effects: Effects;
  readonly #due: (items: Item[]) => void;
  readonly #buckets: (WheelItem | undefined)[] = Array.from({ length: SIZE }, () => undefined);
  /** The last tick that was worked off. */
  #tick: number;
  #items = 0;
  #armedFor = Number.POSITIVE_INFINITY;
  #disarm: (() => void) | undefined;

  /** `due` gets the items whose time has come; they are no longer on the wheel. */
  constructor(effects: Effects, due: (items: Item[]) => void) {
    this.#effects = effects;
    this.#due = due;
    this.#tick = Math.floor(effects.monotonic() / TICK);
  }

  /** Puts the item on the wheel for `at` (monotonic ms), or moves it there. It may come up earlier, never later than a tick. */
  schedule(item: Item, at: number): void {
    this.cancel(item);
    // An empty wheel stands still: it goes on from now.
    if (this.#items === 0) this.#tick = Math.floor(this.#effects.monotonic() / TICK);
    const tick = Math.min(Math.max(Math.ceil(at / TICK), this.#tick + 1), this.#tick + SIZE - 1);
    const bucket = tick % SIZE;
    const first = this.#buckets[bucket];
    item.wheelBucket = bucket;
    item.wheelNext = first;
    if (first) first.wheelPrevious = item;
    this.#buckets[bucket] = item;
    this.#items++;
    this.#arm(tick);
  }

  cancel(item: Item): void {
    if (item.wheelBucket < 0) return;
    const { wheelNext: next, wheelPrevious: previous } = item;
    if (next) next.wheelPrevious = previous;
    if (previous) previous.wheelNext = next;
    else this.#buckets[item.wheelBucket] = next;
    this.#release(item);
  }

  #release(item: WheelItem): void {
    item.wheelBucket = -1;
    item.wheelNext = undefined;
    item.wheelPrevious = undefined;
    this.#items--;
  }

  #arm(tick: number): void {
    if (tick >= this.#armedFor) return;
    this.#disarm?.();
    this.#armedFor = tick;
    const wait = Math.max(tick * TICK - this.#effects.monotonic(), 0);
    this.#disarm = this.#effects.timer(Math.ceil(wait), () => this.#turn());
  }

  #turn(): void {
    this.#armedFor = Number.POSITIVE_INFINITY;
    const now = Math.floor(this.#effects.monotonic() / TICK);
    const due: Item[] = [];
    // A process that slept longer than the wheel reaches finds everything due.
    for (let ticks = Math.min(now - this.#tick, SIZE); ticks > 0; ticks--) {
      const bucket = (now - ticks + 1) % SIZE;
      for (let item = this.#buckets[bucket]; item; ) {
        const { wheelNext }: WheelItem = item;
        this.#release(item);
        due.push(item as Item);
        item = wheelNext;
      }
      this.#buckets[bucket] = undefined;
    }
    this.#tick = Math.max(now, this.#tick);
    this.#armNext();
    if (due.length > 0) this.#due(due);
  }

  #armNext(): void {
    if (this.#items === 0) return;
    for (let tick = this.#tick + 1; tick < this.#tick + SIZE; tick++) {
      if (this.#buckets[tick % SIZE]) return this.#arm(tick);
    }
  }

  /** Forgets everything and stops its timer. */
  stop(): void {
    this.#disarm?.();
    this.#disarm = undefined;
    this.#armedFor = Number.POSITIVE_INFINITY;
  }
}
