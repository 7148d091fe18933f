/**
 * One subscription's connection as a pure state machine: (state, signal, now) -> (state, effects).
 * It reads no clock, makes no request and calls no handler; `subscription.ts` does, as the effects say.
 *
 *   idle -> authenticating -> connecting -> open
 *                 ^               |           |
 *                 |               v           v
 *                 +-- backing_off, offline <--+     stopped: by a final error, until a different token
 *                 |               |           |     closed: unsubscribed, for good
 *                 +-- waiting_for_token <-----+
 *
 * While a stream is open, its token can be renewed in place, or, where that is not possible, a second
 * stream is opened with the new token and then takes its place.
 */
import { ERROR_HANDLING, RealtimeError } from '@centrali-io/protocol';
import type { DisconnectReason, SubscriptionState, TokenRefresh } from '../types.ts';
import type { ConnectionState, Effect, OfferedToken, SignalName, Signals, Step } from './connection-signals.ts';

type Transition<S extends SignalName> = (state: ConnectionState, signal: Signals[S], now: number) => Step;
type Table = Readonly<Record<SubscriptionState, { readonly [S in SignalName]: Transition<S> }>>;

/** A stream that lived this long was a good one: the back-off begins anew. */
const HEALTHY_MS = 4_000;
/** The browser's word on being offline is not always right: try anyway after this time. */
const PROBE_MS = 30_000;

const NOT_RENEWING = { next: null, renewing: false };

const stay = (state: ConnectionState): Step => [state, []];

const enter = (
  state: ConnectionState,
  phase: SubscriptionState,
  reason: DisconnectReason,
  ...effects: readonly Effect[]
): Step => [{ ...state, ...NOT_RENEWING, phase }, [['abort', reason], ...effects]];

const begin = (state: ConnectionState): Step => enter(state, 'authenticating', 'closed', ['acquire', false]);
const close = (state: ConnectionState): Step => enter(state, 'closed', 'unsubscribed');
const goOffline = (state: ConnectionState): Step => enter(state, 'offline', 'offline', ['wait', 0, PROBE_MS]);
const forget = ({ same }: OfferedToken): readonly Effect[] => (same ? [] : [['drop', true]]);

const signOut = (state: ConnectionState): Step =>
  enter({ ...state, failures: 0 }, 'stopped', 'error', ['drop', false], ['report', new RealtimeError('MISSING_TOKEN')]);

function backOff(
  state: ConnectionState,
  now: number,
  reason: DisconnectReason,
  floorMs = 0,
  ...before: readonly Effect[]
): Step {
  const failures = state.failures + 1;
  const wait: Effect = ['wait', failures, floorMs];
  return enter({ ...state, failures, notBefore: now + floorMs }, 'backing_off', reason, ...before, wait);
}

/** The token has expired. `onError` is told and awaited; then whatever token there is, is looked at. */
function expire(state: ConnectionState, token: string, error: RealtimeError, ...before: readonly Effect[]): Step {
  const { expiries } = state;
  return enter(
    // The service has answered: whatever was wrong with the way to it is over.
    { ...state, token, told: token, failures: 0, expiries: expiries + 1 },
    'waiting_for_token',
    'expired',
    ...before,
    ['bury', token],
    ['report', error],
    // Once is normal; again and again, something is wrong with the clocks or with who brings tokens.
    ['wait', expiries, 0],
  );
}

/** What follows an error: the table of codes decides. */
function fail(state: ConnectionState, error: RealtimeError, now: number, reason: DisconnectReason = 'error'): Step {
  const [action] = ERROR_HANDLING[error.code];
  const report: Effect = ['report', error];
  if (action === 'stop') return enter({ ...state, failures: 0 }, 'stopped', reason, report);
  if (action === 'new-token' && state.token !== null) return expire(state, state.token, error);
  return backOff(state, now, reason, error.retryAfterMs, report);
}

/** Goes on with a token that was offered, whatever it is. */
function use(state: ConnectionState, offered: OfferedToken): Step {
  const { token, dead } = offered;
  if (token === null) return signOut(state);
  if (!dead) return enter({ ...state, token }, 'connecting', 'closed', ...forget(offered), ['open', token]);
  if (token !== state.told) return expire(state, token, new RealtimeError('TOKEN_EXPIRED'), ...forget(offered));
  // Told already: wait for a different one. When there is someone to ask, ask again after a back-off.
  const failures = state.failures + 1;
  const poll: readonly Effect[] = state.refreshes ? [['wait', failures, 0]] : [];
  return enter({ ...state, failures }, 'waiting_for_token', 'expired', ...poll);
}

/** A new token while one is wanted or tried. A dead one changes nothing. */
const takeToken: Transition<'set_token'> = (state, offered) => (offered.dead ? stay(state) : use(state, offered));

/** The same after an expiry; when one follows the other, without haste. */
const awaitedToken: Transition<'set_token'> = (state, offered, now) =>
  state.expiries > 1 && offered.token !== null && !offered.dead
    ? backOff({ ...state, failures: state.expiries }, now, 'closed', 0, ...forget(offered))
    : takeToken(state, offered, now);

/** A new token while there is another reason to wait: it is used when the wait is over. */
const keepToken: Transition<'set_token'> = (state, offered) =>
  offered.token === null ? signOut(state) : [state, forget(offered)];

/** A new token while a stream is open: renewal in place, or, of another principal, the stream's end. */
const replace: Transition<'set_token'> = (state, offered) => {
  const { token, dead, same } = offered;
  if (token === null || !same) return use(state, offered);
  if (dead || token === state.next || token === state.token) return stay(state);
  return [{ ...state, next: token, renewing: true }, [['renew', token]]];
};

/** Nothing came of the renewal: the stream stays as it is, and it is tried again. */
function renewLater(state: ConnectionState, error?: RealtimeError): Step {
  const failures = state.failures + 1;
  const { next } = state;
  const bury: readonly Effect[] = error?.code === 'TOKEN_EXPIRED' && next !== null ? [['bury', next]] : [];
  return [{ ...state, ...NOT_RENEWING, failures }, [...bury, ['plan', failures]]];
}

const renewalToken: Transition<'token'> = (state, offered, now) =>
  offered.token === null || offered.dead || offered.token === state.token
    ? renewLater(state)
    : replace(state, offered, now);

const renewalFailed: Transition<'token_failed'> = (state, { error }) => {
  const { next, refresh } = state;
  const notHere = error.code === 'NOT_FOUND' || error.code === 'METHOD_NOT_ALLOWED';
  // The stream is not known there, or renewal is not: the new stream opens before the old one closes.
  if (notHere && next !== null && refresh === 'beforeExpiry') return [state, [['open', next]]];
  return renewLater(state, error);
};

/** The state with the next token in the place of the present one, if there is a next. */
const inPlace = (state: ConnectionState): ConnectionState => ({
  ...state,
  ...NOT_RENEWING,
  token: state.next ?? state.token,
});

const opened: Transition<'connected'> = (state, _signal, now) => [
  { ...inPlace(state), phase: 'open', openedAt: now, notBefore: 0 },
  [['adopt'], ['plan', 0]],
];

const endOpen: Transition<'ended'> = (state, { reason, error }, now) => {
  const judged = now - state.openedAt < HEALTHY_MS ? state : { ...state, failures: 0, expiries: 0 };
  return error ? fail(judged, error, now, reason) : backOff(judged, now, reason);
};

/** Every state and every signal: a cell left out does not compile. */
const TABLE: Table = {
  idle: {
    token: stay,
    token_failed: stay,
    set_token: stay,
    connected: stay,
    refused: stay,
    ended: stay,
    timer: begin,
    offline: stay,
    online: stay,
    renew_due: stay,
    renewed: stay,
    unsubscribe: close,
  },
  authenticating: {
    token: use,
    // Whatever went wrong with the source: the token before is not what failed.
    token_failed: (state, { error }, now) => fail({ ...state, token: null }, error, now),
    set_token: takeToken,
    connected: stay,
    refused: stay,
    ended: stay,
    timer: stay,
    offline: goOffline,
    online: stay,
    renew_due: stay,
    renewed: stay,
    unsubscribe: close,
  },
  connecting: {
    token: stay,
    token_failed: stay,
    set_token: takeToken,
    connected: opened,
    refused: (state, { error }, now) => fail(state, error, now),
    ended: stay,
    timer: stay,
    offline: goOffline,
    online: stay,
    renew_due: stay,
    renewed: stay,
    unsubscribe: close,
  },
  open: {
    token: renewalToken,
    token_failed: renewalFailed,
    set_token: replace,
    connected: opened,
    refused: (state, { error }) => renewLater(state, error),
    ended: endOpen,
    timer: stay,
    offline: goOffline,
    online: stay,
    renew_due: (state) => (state.renewing ? stay(state) : [{ ...state, renewing: true }, [['acquire', true]]]),
    renewed: (state) => [{ ...inPlace(state), failures: 0 }, [['plan', 0]]],
    unsubscribe: close,
  },
  waiting_for_token: {
    token: stay,
    token_failed: stay,
    set_token: awaitedToken,
    connected: stay,
    refused: stay,
    ended: stay,
    timer: begin,
    offline: stay,
    online: stay,
    renew_due: stay,
    renewed: stay,
    unsubscribe: close,
  },
  backing_off: {
    token: stay,
    token_failed: stay,
    set_token: keepToken,
    connected: stay,
    refused: stay,
    ended: stay,
    timer: begin,
    offline: goOffline,
    online: (state, _signal, now) => (now < state.notBefore ? stay(state) : begin(state)),
    renew_due: stay,
    renewed: stay,
    unsubscribe: close,
  },
  offline: {
    token: stay,
    token_failed: stay,
    set_token: keepToken,
    connected: stay,
    refused: stay,
    ended: stay,
    timer: begin,
    offline: stay,
    online: begin,
    renew_due: stay,
    renewed: stay,
    unsubscribe: close,
  },
  stopped: {
    token: stay,
    token_failed: stay,
    set_token: takeToken,
    connected: stay,
    refused: stay,
    ended: stay,
    timer: stay,
    offline: stay,
    online: stay,
    renew_due: stay,
    renewed: stay,
    unsubscribe: close,
  },
  closed: {
    token: stay,
    token_failed: stay,
    set_token: stay,
    connected: stay,
    refused: stay,
    ended: stay,
    timer: stay,
    offline: stay,
    online: stay,
    renew_due: stay,
    renewed: stay,
    unsubscribe: stay,
  },
};

/** A subscription before it begins. */
export const initialState = (refresh: TokenRefresh, refreshes: boolean): ConnectionState => ({
  phase: 'idle',
  token: null,
  next: null,
  renewing: false,
  told: null,
  failures: 0,
  expiries: 0,
  openedAt: 0,
  notBefore: 0,
  refreshes,
  refresh,
});

/** One step of the machine. */
export function step<S extends SignalName>(state: ConnectionState, name: S, signal: Signals[S], now: number): Step {
  return TABLE[state.phase][name](state, signal, now);
}
