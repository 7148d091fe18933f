import type { EventOf, Realtime, RealtimeEvents, SubscribeOptions } from '../types.ts';
import { iterate } from './events.ts';
import { publish } from './publish.ts';
import { type SubscriptionContext, subscribe } from './subscription.ts';

/** The realtime part of a client. What `data` looks like is the application's word; nothing here looks into it. */
export const createRealtime = (context: SubscriptionContext): Realtime => ({
  subscribe(options) {
    if (typeof options?.onEvent !== 'function') throw new TypeError('onEvent: must be a function');
    return subscribe(context, options as object as SubscribeOptions);
  },
  events: <Data, Name extends string>(options = {}) => iterate(context, options) as RealtimeEvents<EventOf<Name, Data>>,
  publish: (events, options) => publish(context, events, options),
});
