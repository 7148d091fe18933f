/**
 * One subscription's connection as a pure state machine: (state, signal, now) -> (state, effects).
 * It reads no clock, makes no request and calls no handler; `subscription.ts` does, as the effects say.
 *
 *   idle -> acquiring -> connecting -> open <-> handing_over
 *              ^            |           |
 *              |            v           v
 *              +------- backing_off <---+        stopped: by a final error, until a different token
 *              |            |           |        offline: until the network is back
 *              +---- waiting_for_token  |        closed: unsubscribed, for good
 *              |            ^           |
 *              +------- reporting <-----+        (TOKEN_EXPIRED: onError is awaited)
 */
import { ERROR_CODES, RealtimeError } from '@centrali-io/protocol';
import type { DisconnectReason, TokenRefresh } from '../types.ts';

/** The states. `handing_over`: the old stream is still open while the new one is being opened. */
export type Phase =
  | 'idle'
  | 'acquiring'
  | 'connecting'
  | 'open'
  | 'handing_over'
  | 'reporting'
  | 'waiting_for_token'
  | 'backing_off'
  | 'offline'
  | 'stopped'
  | 'closed';

/** What the machine remembers. */
export interface ConnectionState {
  readonly phase: Phase;
  /** The token in use, or used last. */
  readonly token: string | null;
  /** The token that is being put in the place of `token` on the open stream. */
  readonly next: string | null;
  /** Whether a token to replace the present one is being got or put in place: single flight. */
  readonly renewing: boolean;
  /** The token whose expiry `onError` was told last. */
  readonly told: string | null;
  /** The token that renewal was last refused with, for good. */
  readonly spurned: string | null;
  /** Failures in a row: how far to back off. */
  readonly failures: number;
  /** Expiries in a row, without a good stream between them. */
  readonly expiries: number;
  /** When the open stream was opened. */
  readonly openedAt: number;
  /** The service asked not to come back before. */
  readonly notBefore: number;
  /** Whether the SDK may get tokens by itself. */
  readonly refreshes: boolean;
  readonly refresh: TokenRefresh;
}

/** A token, as the source knows it. */
export interface OfferedToken {
  readonly token: string | null;
  /** Whether the service has called it expired. */
  readonly dead: boolean;
  /** Whether it is of the principal that the cursor belongs to; true while there is no cursor of ours. */
  readonly same: boolean;
}

/** What can happen. */
export type Signal =
  /** The task after `subscribe` has come. */
  | { readonly type: 'start' }
  /** The token source has answered. */
  | ({ readonly type: 'token' } & OfferedToken)
  | { readonly type: 'token_failed'; readonly error: RealtimeError }
  /** The client has a new token, whoever brought it. */
  | ({ readonly type: 'set_token' } & OfferedToken)
  /** The stream that was being opened is open. */
  | { readonly type: 'connected' }
  /** The stream that was being opened was refused, or no answer came. */
  | { readonly type: 'refused'; readonly error: RealtimeError }
  /** The open stream was ended by an error. */
  | { readonly type: 'failed'; readonly error: RealtimeError }
  /** The open stream is over without an error. */
  | { readonly type: 'ended'; readonly reason: DisconnectReason }
  /** `onError` is done with TOKEN_EXPIRED; the token is the client's present one. */
  | ({ readonly type: 'reported' } & OfferedToken)
  | { readonly type: 'timer' }
  | { readonly type: 'offline' }
  | { readonly type: 'online' }
  /** It is time to replace the token of the open stream. */
  | { readonly type: 'renew_due' }
  | { readonly type: 'renewed' }
  | { readonly type: 'renewal_failed'; readonly error: RealtimeError }
  | { readonly type: 'unsubscribe' };

/** What is then to be done, in order. */
export type Effect =
  /** Ask the token source; answer with `token` or `token_failed`. */
  | { readonly type: 'acquire'; readonly renew: boolean }
  /** Open a stream; answer with `connected` or `refused`. */
  | { readonly type: 'open'; readonly token: string }
  /** The stream that was being opened takes the place of the open one, if any. */
  | { readonly type: 'adopt' }
  /** End the open stream, or the opening of one, or both; nothing more is heard of them. */
  | { readonly type: 'abort'; readonly what: 'open' | 'opening' | 'both' }
  /** Answer with `timer` after a back-off, at least `floorMs`. */
  | { readonly type: 'wait'; readonly failures: number; readonly floorMs: number }
  /** Tell `onError`; if `awaited`, answer with `reported`. */
  | { readonly type: 'report'; readonly error: RealtimeError; readonly awaited: boolean }
  /** Never send this token again. */
  | { readonly type: 'bury'; readonly token: string }
  /** Drop the cursor and what is queued: they belong to another principal. */
  | { readonly type: 'forget' }
  /** Drop what is queued, and set the cursor before it: nothing is handled after signing out, nothing is lost. */
  | { readonly type: 'recall' }
  | { readonly type: 'announce_connected' }
  | { readonly type: 'announce_disconnected'; readonly reason: DisconnectReason }
  /** Renew the open stream in place; answer with `renewed` or `renewal_failed`. */
  | { readonly type: 'renew'; readonly token: string }
  /** Answer with `renew_due` in time, or, after failures, after a back-off. */
  | { readonly type: 'plan_renewal'; readonly failures: number };

/** The new state and what to do. */
export type Step = readonly [ConnectionState, readonly Effect[]];
type Transition<S extends Signal['type']> = (
  state: ConnectionState,
  signal: Extract<Signal, { readonly type: S }>,
  now: number,
) => Step;
type Table = { readonly [P in Phase]: { readonly [S in Signal['type']]: Transition<S> } };

/** A stream that lived this long was a good one: the back-off begins anew. */
const HEALTHY_MS = 10_000;
/** The same for ends that are nobody's fault. */
const HEALTHY_END_MS = 1_000;
/** The browser's word on being offline is not always right: try anyway after this time. */
const PROBE_MS = 30_000;

const ABORT: Effect = { type: 'abort', what: 'both' };
const ABORT_OPENING: Effect = { type: 'abort', what: 'opening' };
const FORGET: Effect = { type: 'forget' };

const announce = (reason: DisconnectReason): Effect => ({ type: 'announce_disconnected', reason });
const report = (error: RealtimeError, awaited = false): Effect => ({ type: 'report', error, awaited });

const forgetOf = ({ same }: OfferedToken): readonly Effect[] => (same ? [] : [FORGET]);

const stay = (state: ConnectionState): Step => [state, []];
const enter = (state: ConnectionState, phase: Phase, ...effects: readonly Effect[]): Step => [
  { ...state, phase, next: null, renewing: false },
  effects,
];

const acquire = (state: ConnectionState, renew = false): Step => enter(state, 'acquiring', { type: 'acquire', renew });
const begin = (state: ConnectionState): Step => acquire(state);
const close = (state: ConnectionState): Step => enter(state, 'closed', ABORT);
const goOffline = (state: ConnectionState): Step =>
  enter(state, 'offline', ABORT, { type: 'wait', failures: 0, floorMs: PROBE_MS });

const stop = (state: ConnectionState, error: RealtimeError, ...before: readonly Effect[]): Step =>
  enter({ ...state, failures: 0 }, 'stopped', ABORT, ...before, report(error));
const missing = (state: ConnectionState, ...before: readonly Effect[]): Step =>
  stop(state, new RealtimeError('MISSING_TOKEN'), ...before, { type: 'recall' });

function backOff(state: ConnectionState, floorMs: number, now: number, ...before: readonly Effect[]): Step {
  const { failures } = state;
  return enter({ ...state, failures: failures + 1, notBefore: now + floorMs }, 'backing_off', ABORT, ...before, {
    type: 'wait',
    failures,
    floorMs,
  });
}

/** What follows an error: the table of codes decides. */
function fail(state: ConnectionState, error: RealtimeError, now: number, ...before: readonly Effect[]): Step {
  switch (ERROR_CODES[error.code].action) {
    case 'new-token':
      return state.token === null
        ? backOff(state, 0, now, ...before, report(error))
        : expire(state, state.token, error, ...before);
    case 'stop':
      return stop(state, error, ...before);
    default:
      return backOff(state, error.retryAfterMs ?? 0, now, ...before, report(error));
  }
}

function expire(state: ConnectionState, token: string, error: RealtimeError, ...before: readonly Effect[]): Step {
  return enter(
    // The service has answered: whatever was wrong with the way to it is over.
    { ...state, token, told: token, failures: 0, expiries: state.expiries + 1 },
    'reporting',
    ABORT,
    ...before,
    { type: 'bury', token },
    report(error, true),
  );
}

/** Waits for a different token; when there is someone to ask, asks again after a back-off. */
function awaitToken(state: ConnectionState): Step {
  const { failures } = state;
  return state.refreshes
    ? enter({ ...state, failures: failures + 1 }, 'waiting_for_token', { type: 'wait', failures, floorMs: 0 })
    : enter(state, 'waiting_for_token');
}

/** Goes on with a token that was offered, whatever it is. */
function use(state: ConnectionState, offered: OfferedToken, ...before: readonly Effect[]): Step {
  const { token, dead } = offered;
  const effects = [...before, ...forgetOf(offered)];
  if (token === null) return missing(state, ...effects);
  if (!dead) return enter({ ...state, token }, 'connecting', ABORT, ...effects, { type: 'open', token });
  if (token === state.told) return awaitToken(state);
  return expire(state, token, new RealtimeError('TOKEN_EXPIRED'), ...effects);
}

/** A new token where nothing is open: a dead one changes nothing. */
const takeToken: Transition<'set_token'> = (state, signal) => (signal.dead ? stay(state) : use(state, signal));

/** A new token while there is a reason to wait: it is used when the wait is over. */
function keepWaiting(state: ConnectionState, offered: OfferedToken): Step {
  return offered.token === null ? missing(state) : [state, forgetOf(offered)];
}

/** Failures in a row, after a stream that lived from `openedAt` till now. */
const judged = (state: ConnectionState, planned: boolean, now: number): ConnectionState =>
  now - state.openedAt >= (planned ? HEALTHY_END_MS : HEALTHY_MS) ? { ...state, failures: 0, expiries: 0 } : state;

const endOpen: Transition<'ended'> = (state, { reason }, now) =>
  backOff(
    judged(state, reason === 'lifetime' || reason === 'drain' || reason === 'closed', now),
    0,
    now,
    announce(reason),
  );

const failOpen: Transition<'failed'> = (state, { error }, now) => {
  const expired = error.code === 'TOKEN_EXPIRED';
  const reason = expired ? 'expired' : error.code === 'NETWORK_ERROR' ? 'network' : 'error';
  return fail(judged(state, expired, now), error, now, announce(reason));
};

const closeOpen = (state: ConnectionState): Step => enter(state, 'closed', ABORT, announce('unsubscribed'));
const goOfflineOpen = (state: ConnectionState): Step =>
  enter(state, 'offline', ABORT, announce('offline'), { type: 'wait', failures: 0, floorMs: PROBE_MS });

/** A new token while a stream is open: renewal in place, or, of another principal, the stream's end. */
function replace(state: ConnectionState, offered: OfferedToken): Step {
  const { token, dead, same } = offered;
  if (token === null) return missing(state, announce('error'));
  if (dead || token === state.next) return stay(state);
  if (!same) return use(state, offered, announce('closed'));
  if (token === state.token) return [{ ...state, phase: 'open', next: null, renewing: false }, [ABORT_OPENING]];
  return [{ ...state, phase: 'open', next: token, renewing: true }, [ABORT_OPENING, { type: 'renew', token }]];
}

/** The renewal came to nothing: the stream stays as it is, and it is tried again. */
function renewLater(state: ConnectionState, ...before: readonly Effect[]): Step {
  const failures = state.failures + 1;
  return [
    { ...state, phase: 'open', next: null, renewing: false, failures },
    [...before, { type: 'plan_renewal', failures }],
  ];
}

const bury = (error: RealtimeError, token: string | null): readonly Effect[] =>
  error.code === 'TOKEN_EXPIRED' && token !== null ? [{ type: 'bury', token }] : [];

const renewalToken: Transition<'token'> = (state, signal) => {
  const { token, dead } = signal;
  if (token !== null && token === state.next) return stay(state);
  if (token === null || dead || token === state.token || token === state.spurned) return renewLater(state);
  return replace(state, signal);
};

const renewalFailed: Transition<'renewal_failed'> = (state, { error }) => {
  const { next, refresh } = state;
  const notHere = error.code === 'NOT_FOUND' || error.code === 'METHOD_NOT_ALLOWED';
  // The stream is not known there, or renewal is not: the new stream opens before the old one closes.
  if (notHere && next !== null && refresh === 'beforeExpiry') {
    return [{ ...state, phase: 'handing_over' }, [{ type: 'open', token: next }]];
  }
  const spurned = ERROR_CODES[error.code].action === 'stop' ? next : state.spurned;
  return renewLater({ ...state, spurned }, ...bury(error, next));
};

const reported: Transition<'reported'> = (state, signal, now) => {
  const { token, dead } = signal;
  // Once is normal; again and again, something is wrong with the clocks or with who brings tokens.
  const again = state.expiries > 1;
  if (token !== null && !dead && !again) return use(state, signal);
  if (token !== null && !dead) return backOff({ ...state, failures: state.expiries }, 0, now, ...forgetOf(signal));
  return state.refreshes && !again ? acquire(state, true) : awaitToken(state);
};

/** Every state and every signal: a cell left out does not compile. */
const TABLE: Table = {
  idle: {
    start: begin,
    token: stay,
    token_failed: stay,
    set_token: stay,
    connected: stay,
    refused: stay,
    failed: stay,
    ended: stay,
    reported: stay,
    timer: stay,
    offline: stay,
    online: stay,
    renew_due: stay,
    renewed: stay,
    renewal_failed: stay,
    unsubscribe: close,
  },
  acquiring: {
    start: stay,
    token: (state, signal) => use(state, signal),
    token_failed: (state, { error }, now) =>
      // Whatever went wrong with the source, this token is not what expired.
      error.code === 'TOKEN_EXPIRED' ? backOff(state, 0, now, report(error)) : fail(state, error, now),
    set_token: takeToken,
    connected: stay,
    refused: stay,
    failed: stay,
    ended: stay,
    reported: stay,
    timer: stay,
    offline: goOffline,
    online: stay,
    renew_due: stay,
    renewed: stay,
    renewal_failed: stay,
    unsubscribe: close,
  },
  connecting: {
    start: stay,
    token: stay,
    token_failed: stay,
    set_token: takeToken,
    connected: (state, _signal, now) => [
      { ...state, phase: 'open', openedAt: now, notBefore: 0, spurned: null },
      [{ type: 'adopt' }, { type: 'announce_connected' }, { type: 'plan_renewal', failures: 0 }],
    ],
    refused: (state, { error }, now) => fail(state, error, now),
    failed: stay,
    ended: stay,
    reported: stay,
    timer: stay,
    offline: goOffline,
    online: stay,
    renew_due: stay,
    renewed: stay,
    renewal_failed: stay,
    unsubscribe: close,
  },
  open: {
    start: stay,
    token: renewalToken,
    token_failed: (state) => renewLater(state),
    set_token: replace,
    connected: stay,
    refused: stay,
    failed: failOpen,
    ended: endOpen,
    reported: stay,
    timer: stay,
    offline: goOfflineOpen,
    online: stay,
    renew_due: (state) =>
      state.renewing ? stay(state) : [{ ...state, renewing: true }, [{ type: 'acquire', renew: true }]],
    renewed: (state) => [
      { ...state, token: state.next ?? state.token, next: null, renewing: false, failures: 0 },
      [{ type: 'plan_renewal', failures: 0 }],
    ],
    renewal_failed: renewalFailed,
    unsubscribe: closeOpen,
  },
  handing_over: {
    start: stay,
    token: stay,
    token_failed: stay,
    set_token: replace,
    connected: (state, _signal, now) => [
      {
        ...state,
        phase: 'open',
        token: state.next ?? state.token,
        next: null,
        renewing: false,
        openedAt: now,
        failures: 0,
      },
      [{ type: 'adopt' }, { type: 'announce_connected' }, { type: 'plan_renewal', failures: 0 }],
    ],
    refused: (state, { error }) => renewLater(state, ABORT_OPENING, ...bury(error, state.next)),
    failed: failOpen,
    ended: (state, { reason }) => [
      { ...state, phase: 'connecting', token: state.next ?? state.token, next: null, renewing: false },
      [{ type: 'abort', what: 'open' }, announce(reason)],
    ],
    reported: stay,
    timer: stay,
    offline: goOfflineOpen,
    online: stay,
    renew_due: stay,
    renewed: stay,
    renewal_failed: stay,
    unsubscribe: closeOpen,
  },
  reporting: {
    start: stay,
    token: stay,
    token_failed: stay,
    set_token: (state, signal, now) =>
      signal.dead
        ? stay(state)
        : signal.token === null
          ? missing(state)
          : reported(state, { ...signal, type: 'reported' }, now),
    connected: stay,
    refused: stay,
    failed: stay,
    ended: stay,
    reported,
    timer: stay,
    offline: stay,
    online: stay,
    renew_due: stay,
    renewed: stay,
    renewal_failed: stay,
    unsubscribe: close,
  },
  waiting_for_token: {
    start: stay,
    token: stay,
    token_failed: stay,
    set_token: takeToken,
    connected: stay,
    refused: stay,
    failed: stay,
    ended: stay,
    reported: stay,
    timer: (state) => acquire(state, true),
    offline: stay,
    online: stay,
    renew_due: stay,
    renewed: stay,
    renewal_failed: stay,
    unsubscribe: close,
  },
  backing_off: {
    start: stay,
    token: stay,
    token_failed: stay,
    set_token: keepWaiting,
    connected: stay,
    refused: stay,
    failed: stay,
    ended: stay,
    reported: stay,
    timer: begin,
    offline: goOffline,
    online: (state, _signal, now) => (now >= state.notBefore ? begin(state) : stay(state)),
    renew_due: stay,
    renewed: stay,
    renewal_failed: stay,
    unsubscribe: close,
  },
  offline: {
    start: stay,
    token: stay,
    token_failed: stay,
    set_token: keepWaiting,
    connected: stay,
    refused: stay,
    failed: stay,
    ended: stay,
    reported: stay,
    timer: begin,
    offline: stay,
    online: begin,
    renew_due: stay,
    renewed: stay,
    renewal_failed: stay,
    unsubscribe: close,
  },
  stopped: {
    start: stay,
    token: stay,
    token_failed: stay,
    set_token: (state, signal) => (signal.token === null ? stay(state) : use(state, signal)),
    connected: stay,
    refused: stay,
    failed: stay,
    ended: stay,
    reported: stay,
    timer: stay,
    offline: stay,
    online: stay,
    renew_due: stay,
    renewed: stay,
    renewal_failed: stay,
    unsubscribe: close,
  },
  closed: {
    start: stay,
    token: stay,
    token_failed: stay,
    set_token: stay,
    connected: stay,
    refused: stay,
    failed: stay,
    ended: stay,
    reported: stay,
    timer: stay,
    offline: stay,
    online: stay,
    renew_due: stay,
    renewed: stay,
    renewal_failed: stay,
    unsubscribe: stay,
  },
};

/** A subscription before it begins. */
export function initialState(refresh: TokenRefresh, refreshes: boolean): ConnectionState {
  return {
    phase: 'idle',
    token: null,
    next: null,
    renewing: false,
    told: null,
    spurned: null,
    failures: 0,
    expiries: 0,
    openedAt: 0,
    notBefore: 0,
    refreshes,
    refresh,
  };
}

/** One step of the machine. */
export function step(state: ConnectionState, signal: Signal, now: number): Step {
  const transition = TABLE[state.phase][signal.type] as Transition<Signal['type']>;
  return transition(state, signal as never, now);
}
