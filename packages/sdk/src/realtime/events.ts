import type { RealtimeError, RealtimeEvent } from '@centrali-io/protocol';
import type { EventsOptions, RealtimeEvents } from '../types.ts';
import { type Subscription, type SubscriptionContext, subscribe } from './subscription.ts';

/** A subscription as an async iterator. It begins with the first `next()`. */
export function iterate(context: SubscriptionContext, options: EventsOptions): RealtimeEvents {
  let subscription: Subscription | undefined;
  /** The event that nobody has taken yet. */
  let event: RealtimeEvent | undefined;
  let failure: RealtimeError | undefined;
  let over = false;
  /** Lets the next event come; the one before it is then handled. */
  let release: (() => void) | undefined;
  /** Wakes a `next()` that waits. */
  let wake: (() => void) | undefined;

  const begin = (): Subscription =>
    subscribe(context, {
      ...options,
      onEvent(next) {
        event = next;
        wake?.();
        return new Promise<void>((resolve) => {
          release = resolve;
        });
      },
      onError(error) {
        if (!error.recoverable) void fail(error);
        return options.onError?.(error);
      },
    });

  /** Throws the error out of the loop, once it has had the events that came before. */
  async function fail(error: RealtimeError): Promise<void> {
    await subscription?.handled();
    failure = error;
    wake?.();
  }

  const iterator: RealtimeEvents = {
    get lastEventId() {
      return subscription ? subscription.lastEventId : (options.lastEventId ?? null);
    },
    [Symbol.asyncIterator]: () => iterator,
    async next() {
      if (!over) subscription ??= begin();
      release?.();
      for (;;) {
        const value = event;
        event = undefined;
        if (value) return { value };
        if (failure || over) break;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      const error = failure;
      failure = undefined;
      const result = await iterator.return();
      if (error) throw error;
      return result;
    },
    async return() {
      over = true;
      subscription?.unsubscribe();
      release?.();
      wake?.();
      return { done: true, value: undefined };
    },
  };
  return iterator;
}
