import type { EventInput } from '@centrali-io/protocol';
import type {
  EventSelection,
  EventsOptions,
  PublishOptions,
  PublishResult,
  Realtime,
  RealtimeEvents,
  RealtimeSubscription,
  SubscribeOptions,
} from '../types.ts';
import { EventIterator } from './events.ts';
import { publish } from './publish.ts';
import { Subscription, type SubscriptionContext } from './subscription.ts';

/** Throws a `TypeError` for a selection that cannot be written into a query. */
function checkSelection({ structures, events }: EventSelection): void {
  for (const [name, list] of Object.entries({ structures, events })) {
    if (list !== undefined && !(Array.isArray(list) && list.every((item) => /^[^,]+$/.test(item)))) {
      throw new TypeError(`${name} must be an array of names`);
    }
  }
}

/** The realtime part of a client. */
export class RealtimeClient implements Realtime {
  readonly #context: SubscriptionContext;

  constructor(context: SubscriptionContext) {
    this.#context = context;
  }

  subscribe<Data>(options: SubscribeOptions<Data>): RealtimeSubscription {
    if (typeof options.onEvent !== 'function') throw new TypeError('onEvent must be a function');
    checkSelection(options);
    // The shape of `data` is the application's word; nothing here looks into it.
    return new Subscription(this.#context, options as SubscribeOptions);
  }

  events<Data>(options: EventsOptions<Data> = {}): RealtimeEvents<Data> {
    checkSelection(options);
    return new EventIterator(this.#context, options as EventsOptions) as RealtimeEvents<Data>;
  }

  publish(events: EventInput | readonly EventInput[], options?: PublishOptions): Promise<PublishResult> {
    return publish(this.#context, events, options);
  }
}
