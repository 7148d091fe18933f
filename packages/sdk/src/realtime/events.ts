import { ERROR_CODES, type RealtimeError, type RealtimeEvent } from '@centrali-io/protocol';
import type { EventsOptions, RealtimeEvents, SubscriptionState } from '../types.ts';
import { Subscription, type SubscriptionContext } from './subscription.ts';

const DONE = { done: true, value: undefined } as const;

/** A subscription as an async iterator. It begins with the first `next()`. */
export class EventIterator implements RealtimeEvents {
  readonly #context: SubscriptionContext;
  readonly #options: EventsOptions;
  #subscription: Subscription | undefined;
  /** The event that nobody has taken yet. */
  #event: RealtimeEvent | undefined;
  /** Lets the next event come; the one before it is then handled. */
  #release: (() => void) | undefined;
  /** Wakes a `next()` that waits. */
  #wake: (() => void) | undefined;
  #failure: RealtimeError | undefined;
  #done = false;

  constructor(context: SubscriptionContext, options: EventsOptions) {
    this.#context = context;
    this.#options = options;
  }

  get state(): SubscriptionState {
    return this.#subscription?.state ?? (this.#done ? 'closed' : 'idle');
  }

  get connectionId(): string | null {
    return this.#subscription?.connectionId ?? null;
  }

  get lastEventId(): string | null {
    return this.#subscription ? this.#subscription.lastEventId : (this.#options.lastEventId ?? null);
  }

  [Symbol.asyncIterator](): RealtimeEvents {
    return this;
  }

  async next(): Promise<IteratorResult<RealtimeEvent, undefined>> {
    if (!this.#done) this.#subscription ??= this.#subscribe();
    this.#release?.();
    this.#release = undefined;
    for (;;) {
      if (this.#event) {
        const value = this.#event;
        this.#event = undefined;
        return { done: false, value };
      }
      if (this.#failure) {
        const failure = this.#failure;
        this.#failure = undefined;
        await this.return();
        throw failure;
      }
      if (this.#done) return DONE;
      await new Promise<void>((wake) => {
        this.#wake = wake;
      });
    }
  }

  async return(): Promise<IteratorResult<RealtimeEvent, undefined>> {
    this.#done = true;
    this.#event = undefined;
    this.#subscription?.unsubscribe();
    this.#release?.();
    this.#wake?.();
    return DONE;
  }

  #subscribe(): Subscription {
    const { onError } = this.#options;
    return new Subscription(this.#context, {
      ...this.#options,
      onEvent: (event) => {
        this.#event = event;
        this.#wake?.();
        return new Promise<void>((release) => {
          this.#release = release;
        });
      },
      onError: (error) => {
        if (ERROR_CODES[error.code].action === 'stop') void this.#fail(error);
        return onError?.call(this.#options, error);
      },
    });
  }

  /** Throws the error out of the loop, once it has had the events that came before. */
  async #fail(error: RealtimeError): Promise<void> {
    await this.#subscription?.idle();
    this.#failure = error;
    this.#wake?.();
  }
}
