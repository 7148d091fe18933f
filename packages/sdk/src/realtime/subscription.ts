import { RealtimeError, type SystemEvent } from '@centrali-io/protocol';
import { foreignAnswer, post, type RequestContext } from '../request.ts';
import { samePrincipal } from '../token-claims.ts';
import type { TokenSource } from '../token-source.ts';
import type { RealtimeSubscription, SubscribeOptions } from '../types.ts';
import { backoffMs } from './backoff.ts';
import type { Effect, OfferedToken, SignalName, Signals } from './connection-signals.ts';
import { initialState, step } from './connection-state.ts';
import { createDelivery } from './delivery.ts';
import type { Frame } from './event-stream.ts';
import { watchNetwork } from './network.ts';
import { type OpenStream, openStream, realtimeUrl } from './open-stream.ts';
import { createTeller } from './tell-error.ts';

/** The service sends something every 15 s; three times nothing, and the connection is dead. */
const IDLE_MS = 45_000;
/** How often that is looked at. The clock runs on while a machine sleeps, so this also notices waking. */
const CHECK_MS = 5_000;
/** Most events that the old stream may deliver while the new one is being opened. */
const MAX_OVERLAP = 10_000;

/** What all subscriptions of a client share. */
export interface SubscriptionContext extends RequestContext {
  readonly source: TokenSource;
}

/** A running subscription, as the SDK sees it. */
export interface Subscription extends RealtimeSubscription {
  /** Resolves when everything that was read is handled. */
  handled(): Promise<void>;
}

/** Runs the state machine of one subscription: does what its effects say, and tells it what happens. */
export function subscribe(context: SubscriptionContext, options: SubscribeOptions): Subscription {
  const { config, env, source } = context;
  let state = initialState(config.refresh, source.refreshes);
  /** Steps that wait for the one in hand: a handler may cause the next. */
  const steps: (() => void)[] = [];
  /** Grows with each phase and each renewal: answers to what was asked before are not heard. */
  let turns = 0;
  let cancelWait: (() => void) | undefined;
  let cancelRenewal: (() => void) | undefined;
  /** Held, since a timer that is left over keeps a program alive after its last subscription. */
  let cancelWatch: (() => void) | undefined;
  let unwatch: (() => void) | undefined;
  /** `onError`'s promise: no attempt is made before it is settled. */
  let telling = Promise.resolve();
  let over = false;
  /** The stream that is being opened, and the one that is open. */
  let opening: AbortController | undefined;
  let current: AbortController | undefined;
  let stream: OpenStream | undefined;
  /** The token under which the cursor was earned. */
  let owner: string | undefined;
  /** Ids that the old stream has delivered since the new one was asked for. */
  let overlap = new Set<string>();
  /** When something was last read. */
  let seen = 0;

  const { tell, blame, call, calm } = createTeller(options, source.refreshes);
  const delivery = createDelivery(options.lastEventId ?? null, (cause) => over || blame(cause));

  const offer = (token: string | null): OfferedToken => ({
    token,
    dead: source.isDead(token),
    same: !token || !owner || samePrincipal(owner, token),
  });

  /** Runs the machine. What comes while a step is in hand, from a handler, waits for its turn. */
  function dispatch<S extends SignalName>(name: S, signal: Signals[S]): void {
    const run = (): void => {
      // After `unsubscribe` nothing else is heard, not even what waited before it.
      if (over && name !== 'unsubscribe') return;
      const { phase } = state;
      const [next, effects] = step(state, name, signal, env.now());
      state = next;
      if (next.phase !== phase) {
        turns++;
        cancelWait?.();
      }
      for (const effect of effects) perform(effect);
    };
    if (steps.push(run) > 1) return;
    for (; steps[0]; steps.shift()) steps[0]();
  }

  function perform([type, argument, floorMs]: Effect): void {
    if (type === 'renew') turns++;
    const turn = turns;
    const answer: typeof dispatch = (name, signal) => {
      if (turn === turns) dispatch(name, signal);
    };
    switch (type) {
      case 'acquire':
        source.acquire(argument).then(
          (token) => answer('token', offer(token)),
          (error: RealtimeError) => answer('token_failed', { error }),
        );
        break;
      case 'open':
        void open(argument);
        break;
      case 'adopt': {
        current?.abort();
        current = opening;
        opening = undefined;
        calm();
        const { connectionId, resumed } = stream as OpenStream;
        void call(() => options.onConnected?.({ connectionId, resumed }));
        break;
      }
      case 'abort': {
        const before = current;
        current = undefined;
        before?.abort();
        abortOpening();
        cancelRenewal?.();
        cancelWatch?.();
        if (before) void call(() => options.onDisconnected?.(argument));
        break;
      }
      case 'wait':
        cancelWait = env.after(backoffMs(argument, floorMs, env.random()), () => {
          void telling.then(() => answer('timer', {}));
        });
        break;
      case 'report':
        telling = tell(argument);
        break;
      case 'bury':
        source.bury(argument);
        break;
      case 'drop':
        delivery.drop(argument);
        if (argument) owner = undefined;
        break;
      case 'renew': {
        abortOpening();
        const path = `connections/${encodeURIComponent(stream?.connectionId ?? '')}/token`;
        post(context, realtimeUrl(config, path), `Bearer ${argument}`).then(
          () => answer('renewed', {}),
          (error: RealtimeError) => answer('token_failed', { error }),
        );
        break;
      }
      case 'plan':
        plan(argument > 0 ? backoffMs(argument, 0, env.random()) : source.renewInMs());
        break;
    }
  }

  function abortOpening(): void {
    opening?.abort();
    opening = undefined;
  }

  const see = (): void => {
    seen = env.now();
  };

  async function open(token: string): Promise<void> {
    const controller = new AbortController();
    opening = controller;
    // Reconnecting while the application is slow would only end the same way.
    await delivery.done();
    overlap = new Set();
    try {
      if (opening !== controller) return;
      const opened = await openStream(context, token, options, delivery.cursor(), see, controller);
      if (opening !== controller) return;
      stream = opened;
      owner = token;
      if (opened.id && !overlap.size) delivery.put(opened.id);
      dispatch('connected', {});
      watch(controller);
    } catch (error) {
      if (opening !== controller) return;
      opening = undefined;
      return dispatch('refused', { error: error as RealtimeError });
    }
    void read(stream.frames, controller);
  }

  async function read(frames: AsyncIterable<Frame>, controller: AbortController): Promise<void> {
    let error: RealtimeError | undefined;
    try {
      for await (const frame of frames) {
        if (current !== controller) return;
        take(frame);
        // Not reading is what slows the service down; meanwhile silence means nothing.
        seen = Infinity;
        await delivery.done();
        see();
      }
    } catch (cause) {
      if (cause instanceof SyntaxError) error = foreignAnswer(realtimeUrl(config), { cause });
    }
    if (current === controller) end(error);
  }

  function end(error?: RealtimeError): void {
    const code = error?.code ?? 'NETWORK_ERROR';
    const reason = code === 'NETWORK_ERROR' ? 'network' : code === 'TOKEN_EXPIRED' ? 'expired' : 'error';
    dispatch('ended', { reason, error });
  }

  function take({ id = delivery.cursor() ?? '', event, system }: Frame): void {
    if (event) {
      if (opening) {
        overlap.add(id);
        if (overlap.size > MAX_OVERLAP) opening.abort();
      } else if (overlap.delete(id)) {
        // The old stream has delivered it already.
        return;
      }
      return delivery.put(id, () => options.onEvent(event, { id }));
    }
    const { type, reason } = Object(system) as SystemEvent & { readonly reason: never };
    if (type === 'gap') delivery.put(id, () => options.onGap?.({ reason, id }));
    else if (id && !overlap.size) delivery.put(id);
    if (type === 'error') end(RealtimeError.fromBody(system) ?? new RealtimeError('INTERNAL_ERROR'));
    if (type === 'closing') dispatch('ended', { reason });
    if (type === 'expiring') plan(0);
  }

  /** Looks now and then, as long as this stream is the open one, whether it is still alive. */
  function watch(controller: AbortController): void {
    if (current !== controller) return;
    cancelWatch?.();
    cancelWatch = env.after(CHECK_MS, () => watch(controller));
    look();
  }

  function look(): void {
    if (current && env.now() - seen > IDLE_MS) end();
  }

  function plan(ms: number | undefined): void {
    cancelRenewal?.();
    if (ms !== undefined && source.refreshes && config.refresh === 'beforeExpiry') {
      cancelRenewal = env.after(ms, () => dispatch('renew_due', {}));
    }
  }

  const unlisten = source.onChange((token) => dispatch('set_token', offer(token)));
  const cancelStart = env.after(0, () => {
    unwatch = watchNetwork(
      () => {
        look();
        dispatch('online', {});
      },
      // A service on this machine needs no network.
      () => config.loopback || dispatch('offline', {}),
      look,
    );
    dispatch('timer', {});
  });

  return {
    get state() {
      return state.phase;
    },
    get connectionId() {
      return current && stream ? stream.connectionId : null;
    },
    get lastEventId() {
      return delivery.lastEventId();
    },
    handled: async () => delivery.done(true),
    unsubscribe() {
      if (over) return;
      dispatch('unsubscribe', {});
      over = true;
      delivery.drop(false);
      cancelStart();
      unlisten();
      unwatch?.();
    },
  };
}
