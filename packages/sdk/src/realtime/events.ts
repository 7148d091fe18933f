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
        const fail = (): void => {
          failure = error;
          wake?.();
        };
        // Thrown once the loop has had the events that came before.
        if (!error.recoverable) void subscription?.handled().then(fail);
        return options.onError?.(error);
      },
    });

  const iterator: RealtimeEvents = {
    get lastEventId() {
      return subscription ? subscription.lastEventId : (options.lastEventId ?? null);
    },
    [Symbol.asyncIterator]: () => iterator,
    async next() {
      if (!over) subscription ??= begin();
      release?.();
      while (!event && !failure && !over) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      const value = event;
      event = undefined;
      if (value) return { value };
      const error = failure;
      failure = undefined;
      await iterator.return();
      if (error) throw error;
      return { done: true, value: undefined };
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
