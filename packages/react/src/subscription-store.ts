import type {
  CentraliSDK,
  EventSelection,
  RealtimeError,
  RealtimeSubscription,
  SubscribeOptions,
  SubscriptionState,
} from '@centrali-io/centrali-sdk';

/** What a component can show of its subscription, as of the last thing that the SDK told. */
export interface RealtimeStatus {
  /** `connecting` is everything on the way to a stream: a token, an attempt, a wait, no network. */
  readonly state: 'connecting' | 'open' | 'waiting_for_token' | 'stopped';
  /** The id of the open stream; `null` while there is none. */
  readonly connectionId: string | null;
  /** The last error since a stream was open; `null` while all is well. */
  readonly error: RealtimeError | null;
}

/** Before anything has happened, and on a server. */
export const CONNECTING: RealtimeStatus = { state: 'connecting', connectionId: null, error: null };

const STATES: Partial<Record<SubscriptionState, RealtimeStatus['state']>> = {
  open: 'open',
  waiting_for_token: 'waiting_for_token',
  stopped: 'stopped',
};

/** Where the stream was: kept over a new selection and over remounting, for a cursor fits any selection. */
export interface Cursor {
  client?: CentraliSDK;
  lastEventId?: string | null;
}

/** The handlers of the last render. */
export interface Latest {
  current: SubscribeOptions;
}

/** An external store, as `useSyncExternalStore` wants it: subscribed means that a stream is wanted. */
export interface SubscriptionStore {
  subscribe(onChange: () => void): () => void;
  getSnapshot(): RealtimeStatus;
}

/** Makes the store of one selection. It opens nothing until it is subscribed to. */
export function createSubscriptionStore(
  client: CentraliSDK,
  selection: EventSelection,
  latest: Latest,
  cursor: Cursor,
): SubscriptionStore {
  let status = CONNECTING;
  return {
    getSnapshot: () => status,
    subscribe(onChange) {
      if (cursor.client !== client) {
        cursor.client = client;
        cursor.lastEventId = latest.current.lastEventId ?? null;
      }
      const show = (subscription: RealtimeSubscription | undefined, error: RealtimeError | null): void => {
        const state = (subscription && STATES[subscription.state]) ?? 'connecting';
        status = { state, connectionId: subscription?.connectionId ?? null, error };
        onChange();
      };
      const subscription: RealtimeSubscription = client.realtime.subscribe({
        ...selection,
        lastEventId: cursor.lastEventId,
        onEvent: (event, context) => latest.current.onEvent(event, context),
        onGap: (gap) => latest.current.onGap?.(gap),
        onConnected(info) {
          show(subscription, null);
          return latest.current.onConnected?.(info);
        },
        onDisconnected(reason) {
          if (reason !== 'unsubscribed') show(subscription, status.error);
          return latest.current.onDisconnected?.(reason);
        },
        onError(error) {
          // What a handler threw says nothing of the stream.
          if (error.code !== 'HANDLER_ERROR') show(subscription, error);
          const { onError } = latest.current;
          if (onError) return onError.call(latest.current, error);
          // As the SDK does where nobody listens.
          if (!error.recoverable) console.error(`[centrali] ${error.code}: ${error.message} ${error.remedy}`);
          return undefined;
        },
      });
      return () => {
        cursor.lastEventId = subscription.lastEventId;
        subscription.unsubscribe();
        status = CONNECTING;
      };
    },
  };
}
