import type { RealtimeEvent } from '@centrali-io/protocol';
import type { EventContext, GapInfo } from '../types.ts';

/** From here on the stream is not read. */
const HIGH = 128;
/** Down to here, before it is read again. */
const LOW = 32;

/** Something to hand to the application, in its turn. `after` is where the cursor then stands. */
interface Item {
  readonly run: () => unknown;
  after: string | null;
}

/** The handlers that are called in the order of the stream. */
export interface OrderedHandlers {
  onEvent(event: RealtimeEvent, context: EventContext): unknown;
  onGap?(gap: GapInfo): unknown;
}

/** Hands events to the application one after the other, and knows what has been handled. */
export class Delivery {
  /** The last event whose handler is done, or a later position. */
  lastEventId: string | null;
  readonly #handlers: OrderedHandlers;
  readonly #onThrow: (cause: unknown) => unknown;
  #items: Item[] = [];
  #current: Item | undefined;
  /** Wakes who waits for room, or for the end of the queue. */
  #waiting: { readonly below: number; readonly wake: () => void }[] = [];

  /** `onThrow` is told what a handler throws, and awaited. */
  constructor(handlers: OrderedHandlers, lastEventId: string | null, onThrow: (cause: unknown) => unknown) {
    this.#handlers = handlers;
    this.lastEventId = lastEventId;
    this.#onThrow = onThrow;
  }

  /** The last id that was put in: from where to go on in this program. */
  get cursor(): string | null {
    return (this.#items.at(-1) ?? this.#current)?.after ?? this.lastEventId;
  }

  event(event: RealtimeEvent, id: string): void {
    this.#put(() => this.#handlers.onEvent(event, { id }), id);
  }

  gap(gap: GapInfo): void {
    this.#put(() => this.#handlers.onGap?.(gap), gap.id);
  }

  /** Moves the cursor, once everything before is handled. */
  position(id: string): void {
    const last = this.#items.at(-1) ?? this.#current;
    if (last) last.after = id;
    else this.lastEventId = id;
  }

  /** Whether the application is slow: then nothing more should be put in. */
  get full(): boolean {
    return this.#items.length >= HIGH;
  }

  /** Resolves when there is room again. */
  async room(): Promise<void> {
    if (this.full) await this.#until(LOW);
  }

  /** Resolves when everything is handled. */
  async idle(): Promise<void> {
    if (this.#current) await this.#until(0);
  }

  /** Drops what is queued. The handler that runs is left to end. */
  recall(): void {
    this.#items = [];
    this.#wake();
  }

  /** Drops what is queued and the cursor. */
  forget(): void {
    this.recall();
    // What the running handler has in hand must not bring the cursor back.
    if (this.#current) this.#current.after = null;
    this.lastEventId = null;
  }

  #put(run: () => unknown, after: string): void {
    this.#items.push({ run, after });
    if (!this.#current) void this.#drain();
  }

  async #drain(): Promise<void> {
    for (let item = this.#items.shift(); item; item = this.#items.shift()) {
      this.#current = item;
      try {
        const result = item.run();
        // Handlers that are not asynchronous are called without a pause between them.
        if (typeof (result as PromiseLike<unknown> | undefined)?.then === 'function') await result;
      } catch (cause) {
        await this.#onThrow(cause);
      }
      this.lastEventId = item.after;
      this.#current = undefined;
      this.#wake();
    }
  }

  #until(below: number): Promise<void> {
    return new Promise((wake) => {
      this.#waiting.push({ below, wake });
    });
  }

  #wake(): void {
    const left = this.#items.length;
    const ready = this.#waiting.filter(({ below }) => left <= below);
    this.#waiting = this.#waiting.filter(({ below }) => left > below);
    for (const { wake } of ready) wake();
  }
}
