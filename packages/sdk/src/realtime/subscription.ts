import { ERROR_CODES, RealtimeError, type RealtimeEvent } from '@centrali-io/protocol';
import type { Environment } from '../environment.ts';
import type { ClientConfig } from '../options.ts';
import { foreignAnswer } from '../request.ts';
import { samePrincipal } from '../token-claims.ts';
import type { TokenSource } from '../token-source.ts';
import type { RealtimeSubscription, SubscribeOptions, SubscriptionState } from '../types.ts';
import { backoffMs } from './backoff.ts';
import {
  type ConnectionState,
  type Effect,
  initialState,
  type OfferedToken,
  type Phase,
  type Signal,
  step,
} from './connection-state.ts';
import { Delivery } from './delivery.ts';
import type { Frame } from './event-stream.ts';
import { watchNetwork } from './network.ts';
import { eventsUrl, type OpenStream, openStream, renewToken } from './open-stream.ts';
import { printError } from './print-error.ts';

/** The service sends something every 15 s; three times nothing, and the connection is dead. */
const IDLE_MS = 45_000;
/** How often that is looked at. The clock runs on while a machine sleeps, so this also notices waking. */
const CHECK_MS = 5_000;
/** Most events that the old stream may deliver while the new one is being opened. */
const MAX_OVERLAP = 10_000;

const PUBLIC_STATE: Partial<Record<Phase, SubscriptionState>> = {
  acquiring: 'authenticating',
  handing_over: 'open',
  reporting: 'waiting_for_token',
};

/** What all subscriptions of a client share. */
export interface SubscriptionContext {
  readonly config: ClientConfig;
  readonly env: Environment;
  readonly source: TokenSource;
}

/** Runs the state machine of one subscription: does what its effects say, and tells it what happens. */
export class Subscription implements RealtimeSubscription {
  readonly #context: SubscriptionContext;
  readonly #options: SubscribeOptions;
  readonly #delivery: Delivery;
  readonly #cleanups: (() => void)[] = [];
  #state: ConnectionState;
  /** Signals that wait for the one in hand. */
  #signals: Signal[] = [];
  /** Grows with each phase: answers to an earlier one are not heard. */
  #epoch = 0;
  #cancelWait: (() => void) | undefined;
  #cancelRenewal: (() => void) | undefined;
  #cancelWatch: (() => void) | undefined;
  #renewals = 0;
  /** `onError`'s promise: no attempt is made before it is settled. */
  #telling: Promise<void> = Promise.resolve();
  #printed = false;
  #over = false;
  #opening: AbortController | undefined;
  #current: AbortController | undefined;
  #stream: OpenStream | undefined;
  /** The token under which the cursor was earned. */
  #owner: string | undefined;
  /** Ids that the old stream has delivered since the new one was asked for. */
  #overlap = new Set<string>();
  /** When something was last read. */
  #seen = 0;

  constructor(context: SubscriptionContext, options: SubscribeOptions) {
    const { config, env, source } = context;
    this.#context = context;
    this.#options = options;
    this.#state = initialState(config.refresh, source.refreshes);
    this.#delivery = new Delivery(
      {
        onEvent: (event, info) => options.onEvent(event, info),
        onGap: (gap) => options.onGap?.(gap),
      },
      options.lastEventId ?? null,
      (cause) => this.#tell(new RealtimeError('HANDLER_ERROR', { cause })),
    );
    this.#cleanups.push(
      source.onChange((token) => this.#dispatch({ type: 'set_token', ...this.#offer(token) })),
      env.after(0, () => this.#start()),
    );
  }

  get state(): SubscriptionState {
    const { phase } = this.#state;
    return PUBLIC_STATE[phase] ?? (phase as SubscriptionState);
  }

  get connectionId(): string | null {
    return this.#current ? (this.#stream?.connectionId ?? null) : null;
  }

  get lastEventId(): string | null {
    return this.#delivery.lastEventId;
  }

  /** Resolves when everything that was read is handled. */
  idle(): Promise<void> {
    return this.#delivery.idle();
  }

  unsubscribe(): void {
    if (this.#over) return;
    this.#over = true;
    for (const clean of this.#cleanups) clean();
    this.#delivery.recall();
    this.#dispatch({ type: 'unsubscribe' });
  }

  #start(): void {
    const { loopback } = this.#context.config;
    this.#cleanups.push(
      watchNetwork({
        online: () => {
          this.#check();
          this.#dispatch({ type: 'online' });
        },
        // A service on this machine needs no network.
        offline: () => loopback || this.#dispatch({ type: 'offline' }),
        awake: () => this.#check(),
      }),
    );
    this.#dispatch({ type: 'start' });
  }

  /** Runs the machine. A signal that comes while another is in hand, from a handler, waits for its turn. */
  #dispatch(signal: Signal): void {
    this.#signals.push(signal);
    if (this.#signals.length > 1) return;
    for (let next: Signal | undefined = signal; next; next = this.#signals[0]) {
      if (!this.#over || next.type === 'unsubscribe') {
        const before = this.#state.phase;
        const [state, effects] = step(this.#state, next, this.#context.env.now());
        this.#state = state;
        if (state.phase !== before) {
          this.#epoch++;
          this.#cancelWait?.();
        }
        for (const effect of effects) this.#perform(effect);
      }
      this.#signals.shift();
    }
  }

  #perform(effect: Effect): void {
    const { env } = this.#context;
    switch (effect.type) {
      case 'acquire':
        this.#acquire(effect.renew);
        break;
      case 'open':
        void this.#open(effect.token);
        break;
      case 'adopt':
        this.#current?.abort();
        this.#current = this.#opening;
        this.#opening = undefined;
        break;
      case 'abort':
        this.#abort(effect.what);
        break;
      case 'wait': {
        const answer = this.#now(() => this.#dispatch({ type: 'timer' }));
        const ms = backoffMs(effect.failures, effect.floorMs, () => env.random());
        this.#cancelWait = env.after(ms, () => void this.#telling.then(answer));
        break;
      }
      case 'report': {
        this.#telling = this.#tell(effect.error);
        if (!effect.awaited) break;
        const { source } = this.#context;
        const answer = this.#now(() => this.#dispatch({ type: 'reported', ...this.#offer(source.current) }));
        void this.#telling.then(answer);
        break;
      }
      case 'bury':
        this.#context.source.markDead(effect.token);
        break;
      case 'forget':
        this.#delivery.forget();
        this.#owner = undefined;
        break;
      case 'recall':
        this.#delivery.recall();
        break;
      case 'announce_connected': {
        this.#printed = false;
        const { connectionId = '', resumed = false } = this.#stream ?? {};
        this.#call(() => this.#options.onConnected?.({ connectionId, resumed }));
        break;
      }
      case 'announce_disconnected':
        if (!this.#over || effect.reason === 'unsubscribed') {
          this.#call(() => this.#options.onDisconnected?.(effect.reason));
        }
        break;
      case 'renew':
        this.#renew(effect.token);
        break;
      case 'plan_renewal':
        this.#planRenewal(effect.failures);
        break;
    }
  }

  /** `run`, unless the phase has changed since. */
  #now(run: () => void): () => void {
    const epoch = this.#epoch;
    return () => {
      if (epoch === this.#epoch) run();
    };
  }

  #offer(token: string | null): OfferedToken {
    const owner = this.#owner;
    return {
      token,
      dead: token !== null && this.#context.source.isDead(token),
      same: token === null || owner === undefined || samePrincipal(owner, token),
    };
  }

  #acquire(renew: boolean): void {
    let signal: Signal;
    const answer = this.#now(() => this.#dispatch(signal));
    void this.#context.source
      .acquire(renew)
      .then(
        (token) => {
          signal = { type: 'token', ...this.#offer(token) };
        },
        (cause: unknown) => {
          const error = RealtimeError.is(cause) ? cause : new RealtimeError('AUTH_ERROR', { cause });
          signal = { type: 'token_failed', error };
        },
      )
      .then(answer);
  }

  #abort(what: 'open' | 'opening' | 'both'): void {
    if (what !== 'open') {
      this.#opening?.abort();
      this.#opening = undefined;
    }
    if (what !== 'opening') {
      this.#current?.abort();
      this.#current = undefined;
      this.#cancelRenewal?.();
      this.#cancelWatch?.();
      this.#renewals++;
    }
  }

  async #open(token: string): Promise<void> {
    const { config, env } = this.#context;
    const controller = new AbortController();
    this.#opening = controller;
    // Reconnecting while the application is slow would only end the same way.
    await this.#delivery.room();
    if (this.#opening !== controller) return;
    this.#overlap = new Set();
    const { cursor } = this.#delivery;
    const bytes = (): void => {
      this.#seen = env.now();
    };
    let stream: OpenStream;
    try {
      stream = await openStream(config, env, { token, selection: this.#options, cursor }, bytes, controller);
    } catch (error) {
      if (this.#opening === controller) this.#dispatch({ type: 'refused', error: error as RealtimeError });
      return;
    }
    if (this.#opening !== controller) return;
    this.#stream = stream;
    this.#owner = token;
    if (stream.id !== undefined && this.#overlap.size === 0) this.#delivery.position(stream.id);
    this.#dispatch({ type: 'connected' });
    this.#watch(controller);
    await this.#read(stream.frames, controller);
  }

  async #read(frames: AsyncIterable<Frame>, controller: AbortController): Promise<void> {
    let signal: Signal = { type: 'ended', reason: 'network' };
    try {
      for await (const frame of frames) {
        if (this.#current !== controller) return;
        this.#take(frame);
        while (this.#delivery.full && this.#current === controller) {
          // Not reading is what slows the service down; meanwhile silence means nothing.
          this.#seen = Number.POSITIVE_INFINITY;
          await this.#delivery.room();
          this.#seen = this.#context.env.now();
        }
      }
    } catch (cause) {
      if (cause instanceof SyntaxError) {
        signal = { type: 'failed', error: foreignAnswer(eventsUrl(this.#context.config), { cause }) };
      }
    }
    if (this.#current === controller) this.#dispatch(signal);
  }

  #take({ id, event, system }: Frame): void {
    if (event) this.#takeEvent(event, id);
    else if (system?.type === 'gap') this.#delivery.gap({ reason: system.reason, id: id ?? '' });
    else if (id !== undefined && this.#overlap.size === 0) this.#delivery.position(id);
    if (system?.type === 'error') {
      const error = RealtimeError.fromBody(system) ?? foreignAnswer(eventsUrl(this.#context.config));
      this.#dispatch({ type: 'failed', error });
    } else if (system?.type === 'closing') {
      this.#dispatch({ type: 'ended', reason: system.reason });
    } else if (system?.type === 'expiring') {
      this.#planRenewal(0, 0);
    }
  }

  #takeEvent(event: RealtimeEvent, id = this.#delivery.cursor ?? ''): void {
    if (this.#opening) {
      this.#overlap.add(id);
      if (this.#overlap.size > MAX_OVERLAP) this.#opening.abort();
    } else if (this.#overlap.delete(id)) {
      // The old stream has delivered it already.
      return;
    }
    this.#delivery.event(event, id);
  }

  /** Looks, as long as this stream is the open one, whether it is still alive. */
  #watch(controller: AbortController): void {
    if (this.#current !== controller) return;
    this.#check();
    this.#cancelWatch?.();
    // Held, since a timer that is left over keeps a program alive after its last subscription.
    this.#cancelWatch = this.#context.env.after(CHECK_MS, () => this.#watch(controller));
  }

  #check(): void {
    if (this.#current && this.#context.env.now() - this.#seen > IDLE_MS) {
      this.#dispatch({ type: 'ended', reason: 'network' });
    }
  }

  #renew(token: string): void {
    const { config, env } = this.#context;
    const turn = ++this.#renewals;
    const answer = (signal: Signal): void => {
      if (turn === this.#renewals) this.#dispatch(signal);
    };
    renewToken(config, env, this.#stream?.connectionId ?? '', token).then(
      () => answer({ type: 'renewed' }),
      (error: RealtimeError) => answer({ type: 'renewal_failed', error }),
    );
  }

  #planRenewal(failures: number, inMs?: number): void {
    const { config, env, source } = this.#context;
    this.#cancelRenewal?.();
    if (config.refresh !== 'beforeExpiry' || !source.refreshes) return;
    const ms = failures > 0 ? backoffMs(failures, 0, () => env.random()) : (inMs ?? source.renewInMs());
    if (ms !== undefined) this.#cancelRenewal = env.after(ms, () => this.#dispatch({ type: 'renew_due' }));
  }

  /** Calls a handler; what it throws is told to `onError`. */
  #call(handler: () => unknown): void {
    const tell = (cause: unknown): Promise<void> => this.#tell(new RealtimeError('HANDLER_ERROR', { cause }));
    try {
      Promise.resolve(handler()).catch(tell);
    } catch (cause) {
      void tell(cause);
    }
  }

  /** Tells `onError`, and waits for it. Never rejects. */
  async #tell(error: RealtimeError): Promise<void> {
    if (this.#over) return;
    const { onError } = this.#options;
    if (!onError) {
      const { action } = ERROR_CODES[error.code];
      const routine = action === 'new-token' && this.#state.refreshes;
      const known = action === 'retry' && this.#printed;
      if (!routine && !known) printError(error);
      this.#printed ||= action === 'retry';
      return;
    }
    try {
      await onError.call(this.#options, error);
    } catch (cause) {
      printError(new RealtimeError('HANDLER_ERROR', { message: 'onError threw an error.', cause }));
    }
  }
}
