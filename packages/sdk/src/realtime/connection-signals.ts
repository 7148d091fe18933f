/** The words of the connection's state machine: what it remembers, what can happen, what is then to be done. */
import type { RealtimeError } from '@centrali-io/protocol';
import type { DisconnectReason, SubscriptionState, TokenRefresh } from '../types.ts';

/** What the machine remembers. */
export interface ConnectionState {
  readonly phase: SubscriptionState;
  /** The token in use, or used last. */
  readonly token: string | null;
  /** The token that is being put in the place of `token`. */
  readonly next: string | null;
  /** Whether a token is being got or put in place for the open stream: single flight. */
  readonly renewing: boolean;
  /** The token whose expiry `onError` was told last. */
  readonly told: string | null;
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

/** A token, as the client knows it. */
export interface OfferedToken {
  readonly token: string | null;
  /** Whether the service has called it expired. */
  readonly dead: boolean;
  /** Whether it is of the principal that the cursor belongs to; true while there is no cursor of ours. */
  readonly same: boolean;
}

/** What can happen, and what is then known. */
export interface Signals {
  /** The token source has answered. */
  readonly token: OfferedToken;
  /** It has failed, or the renewal with its token has. */
  readonly token_failed: { readonly error: RealtimeError };
  /** The client has a new token, whoever brought it. */
  readonly set_token: OfferedToken;
  /** The stream that was being opened is open. */
  readonly connected: object;
  /** The stream that was being opened was refused, or no answer came. */
  readonly refused: { readonly error: RealtimeError };
  /** The open stream is over, by an error or without. */
  readonly ended: { readonly reason: DisconnectReason; readonly error?: RealtimeError | undefined };
  /** The wait is over. The first one is the task after `subscribe`. */
  readonly timer: object;
  readonly offline: object;
  readonly online: object;
  /** It is time to replace the token of the open stream. */
  readonly renew_due: object;
  readonly renewed: object;
  readonly unsubscribe: object;
}

/** The name of a signal. */
export type SignalName = keyof Signals;

/** What is then to be done, in order. */
export type Effect =
  /** Ask the token source, for another token than the present if `renew`; then `token` or `token_failed`. */
  | readonly ['acquire', renew: boolean]
  /** Open a stream; then `connected` or `refused`. */
  | readonly ['open', token: string]
  /** The stream that was being opened takes the place of the open one, if any; tell `onConnected`. */
  | readonly ['adopt']
  /** End what is open or being opened and hear nothing more of it; if one was open, tell `onDisconnected`. */
  | readonly ['abort', reason: DisconnectReason]
  /** `timer` after a back-off, at least `floorMs`, and not before `onError` is done. */
  | readonly ['wait', failures: number, floorMs: number]
  /** Tell `onError`. */
  | readonly ['report', error: RealtimeError]
  /** Never send this token again. */
  | readonly ['bury', token: string]
  /** Drop what is queued, so that it is not handled after signing out; of another principal, the cursor too. */
  | readonly ['drop', cursor: boolean]
  /** Renew the open stream in place, instead of what was under way; then `renewed` or `token_failed`. */
  | readonly ['renew', token: string]
  /** `renew_due` in time, or, after failures, after a back-off. */
  | readonly ['plan', failures: number];

/** The new state and what to do. */
export type Step = readonly [state: ConnectionState, effects: readonly Effect[]];
