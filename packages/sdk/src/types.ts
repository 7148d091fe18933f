import type {
  ClosingReason,
  ComputeEvent,
  ComputeEventName,
  CustomEvent,
  EventInput,
  GapReason,
  RealtimeError,
  RealtimeEvent,
  RecordCreatedEvent,
  RecordDeletedEvent,
  RecordUpdatedEvent,
} from '@centrali-io/protocol';

/**
 * How the token travels when a stream is opened. `query`: as `access_token` in the URL, the way every
 * server and browser supports, without a preflight. `header`: as `Authorization: Bearer`, so that it
 * stays out of URLs and logs. `ticket`: the token goes in a header to get a ticket, which is good
 * once and for 60 s, and only the ticket stands in the URL.
 */
export type TokenDelivery = 'query' | 'header' | 'ticket';

/**
 * Who replaces a token. `manual`: you do, by `setToken`. `onExpiry`: the SDK does when the service has
 * called the token expired and `onError` has not brought another one. `beforeExpiry`: the SDK does,
 * ahead of the expiry, and renews the open stream in place.
 */
export type TokenRefresh = 'manual' | 'onExpiry' | 'beforeExpiry';

/** Brings a token: each time one is needed. `null` or `undefined` means that there is none. */
export type GetToken = () => string | null | undefined | Promise<string | null | undefined>;

/**
 * What a client is made from. Give one kind of credential (`token`, or `getToken`, or `clientId` with
 * `clientSecret`) or none; `null` and `undefined` count as absent.
 */
export interface CentraliSDKOptions {
  /** Where the service is, e.g. `https://api.centrali.io`. https, or http on loopback. */
  readonly baseUrl: string;
  /** The workspace's slug: 1 to 63 characters of `a-z`, `0-9` and `-`. */
  readonly workspaceId: string;
  /** A token that you have. When it expires, you bring the next one by `setToken`. */
  readonly token?: string | null | undefined;
  /** Asked for a token before each connect and each renewal; it should keep its own cache. */
  readonly getToken?: GetToken | null | undefined;
  /** Client credentials of a service account, for servers. The token is fetched on first use. */
  readonly clientId?: string | null | undefined;
  readonly clientSecret?: string | null | undefined;
  /**
   * Origin of the authorization server; its token endpoint is `/oidc/token`. A URL with a path is
   * taken as the token endpoint itself. Default: `https://auth.centrali.io` for `centrali.io` and
   * `api.centrali.io`, else the origin of `baseUrl`.
   */
  readonly authUrl?: string | null | undefined;
  /** Default: `query`. */
  readonly tokenDelivery?: TokenDelivery | null | undefined;
  /** Default: `beforeExpiry` with `getToken`, `onExpiry` with client credentials, else `manual`. */
  readonly tokenRefresh?: TokenRefresh | null | undefined;
  /** Allows plain http beyond loopback, for servers inside one trusted network. Default: false. */
  readonly allowInsecureHttp?: boolean | null | undefined;
  /** Used instead of the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch | null | undefined;
}

/** Why an open stream is over. All but `unsubscribed`, `error` and `expired` are followed by a reconnect. */
export type DisconnectReason = ClosingReason | 'expired' | 'network' | 'offline' | 'error' | 'unsubscribed';

/**
 * Where a subscription is. `idle`: not begun. `authenticating`: a token is being obtained. `connecting`:
 * the stream was asked for. `open`: events flow. `waiting_for_token`: the token has expired and a
 * different one is awaited. `backing_off`: the next attempt has its time. `offline`: the machine has no
 * network. `stopped`: by a final error; a different token starts it again. `closed`: unsubscribed.
 */
export type SubscriptionState =
  | 'idle'
  | 'authenticating'
  | 'connecting'
  | 'open'
  | 'waiting_for_token'
  | 'backing_off'
  | 'offline'
  | 'stopped'
  | 'closed';

/**
 * The events of the names that were asked for: with `events: ['record_updated']`, `event.data.after` is
 * known. Without names, any event.
 */
export type EventOf<Name extends string, Data> = string extends Name
  ? RealtimeEvent<Data>
  : Name extends 'record_created'
    ? RecordCreatedEvent<Data>
    : Name extends 'record_updated'
      ? RecordUpdatedEvent<Data>
      : Name extends 'record_deleted'
        ? RecordDeletedEvent<Data>
        : Name extends ComputeEventName
          ? ComputeEvent<Data> & { readonly event: Name }
          : CustomEvent<Data> & { readonly event: Name };

/** What a stream is about. Everything left out means all. */
export interface EventSelection<Name extends string = string> {
  /** Slugs of structures. */
  readonly structures?: readonly string[] | undefined;
  /** Names of events, such as `record_created`. */
  readonly events?: readonly Name[] | undefined;
  /** One expression of the filter language, at most 1,024 characters. */
  readonly filter?: string | undefined;
  /** Narrow compute events; record events are left alone. */
  readonly jobId?: string | undefined;
  readonly triggerType?: string | undefined;
  readonly functionId?: string | undefined;
}

/** What you are told beside the event. */
export interface EventContext {
  /** The event's id: compare for equality only. Keep it to go on after a restart. */
  readonly id: string;
}

/** What `onConnected` is told. */
export interface ConnectionInfo {
  readonly connectionId: string;
  /** Whether the stream goes on from a cursor. */
  readonly resumed: boolean;
}

/** What `onGap` is told: it cannot be proved that nothing was missed. Fetch the state again. */
export interface GapInfo {
  readonly reason: GapReason;
  /** From where the stream goes on. */
  readonly id: string;
}

/** Called while a subscription lives. Promises that `onEvent`, `onGap` and `onError` return are awaited. */
export interface SubscriptionHandlers<Data = Record<string, unknown>, Name extends string = string> {
  /**
   * Called for each event, one after the other, in order, once. While its promise is pending the next
   * event waits; what it throws goes to `onError` as `HANDLER_ERROR`.
   */
  onEvent(event: EventOf<Name, Data>, context: EventContext): unknown;
  /**
   * Called for each error, see `RealtimeError`. `TOKEN_EXPIRED` always comes here first, once, and is
   * awaited: call `setToken` in it. Without it, final errors and the first of an outage are printed.
   */
  onError?(error: RealtimeError): unknown;
  /** Called each time that a stream is open. */
  onConnected?(info: ConnectionInfo): unknown;
  /** Called each time that an open stream is over. */
  onDisconnected?(reason: DisconnectReason): unknown;
  /** Called, in order with the events, when something may have been missed. */
  onGap?(gap: GapInfo): unknown;
}

/** What `subscribe` takes. Only `onEvent` is required. */
export interface SubscribeOptions<Data = Record<string, unknown>, Name extends string = string>
  extends EventSelection<Name>,
    SubscriptionHandlers<Data, Name> {
  /** Go on after this event; without it, the stream begins now. */
  readonly lastEventId?: string | null | undefined;
}

/** What `events` takes: everything but `onEvent`. */
export type EventsOptions<Data = Record<string, unknown>, Name extends string = string> = Omit<
  SubscribeOptions<Data, Name>,
  'onEvent'
>;

/** A running subscription. */
export interface RealtimeSubscription {
  /** Ends it for good; no handler is called for an event afterwards. Doing it twice does no harm. */
  unsubscribe(): void;
  readonly state: SubscriptionState;
  /** The id of the open stream; `null` while there is none. */
  readonly connectionId: string | null;
  /** The last event whose handler is done, or a later position without events; `null` before the first. */
  readonly lastEventId: string | null;
}

/** Events of one subscription, for `for await`. Leaving the loop unsubscribes. */
export interface RealtimeEvents<Event = RealtimeEvent> extends AsyncIterableIterator<Event> {
  next(): Promise<IteratorResult<Event, undefined>>;
  return(): Promise<IteratorResult<Event, undefined>>;
  [Symbol.asyncIterator](): RealtimeEvents<Event>;
  /** The last event that the loop is done with, that is, before the one it has in hand. */
  readonly lastEventId: string | null;
}

/** How to publish. */
export interface PublishOptions {
  /** Makes a repetition harmless: for 10 minutes the same key and events give the first ids again. */
  readonly idempotencyKey?: string | undefined;
}

/** What a publish request gives: the ids of its events, in order. They are stored. */
export interface PublishResult {
  readonly ids: readonly string[];
}

/** The realtime part of a client. */
export interface Realtime {
  /** Subscribes. Returns at once; the stream is opened in a later task. */
  subscribe<Data = Record<string, unknown>, const Name extends string = string>(
    options: SubscribeOptions<Data, Name>,
  ): RealtimeSubscription;
  /** The same as an async iterator. Final errors are thrown, after the events that came before them. */
  events<Data = Record<string, unknown>, const Name extends string = string>(
    options?: EventsOptions<Data, Name>,
  ): RealtimeEvents<EventOf<Name, Data>>;
  /**
   * Publishes one event or up to 1,000, all or nothing. Resolves when they are stored; rejects with a
   * `RealtimeError`.
   */
  publish(events: EventInput | readonly EventInput[], options?: PublishOptions): Promise<PublishResult>;
}
