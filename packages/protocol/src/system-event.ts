import type { ErrorBody } from './error-body.ts';

/** Why the server ends a stream although nothing is wrong with the subscriber's rights. */
export type ClosingReason = 'lifetime' | 'drain' | 'slow_consumer' | 'replaced' | 'closed';

/** Why it cannot be proved that nothing was missed. */
export type GapReason = 'trimmed' | 'unknown' | 'behind';

/** First event of a stream. `resumed` tells whether it goes on from a cursor that was given. */
export interface ConnectedEvent {
  readonly type: 'connected';
  readonly connectionId: string;
  readonly workspace: string;
  /** ISO 8601 instant at which the token dies, and the stream with it. */
  readonly tokenExpiresAt: string;
  readonly resumed: boolean;
}

/** Moves the cursor of a quiet stream. */
export interface PositionEvent {
  readonly type: 'position';
}

/** The token dies at `at` (ISO 8601): renew it in place. */
export interface ExpiringEvent {
  readonly type: 'expiring';
  readonly at: string;
}

/** The token was renewed in place. */
export interface RenewedEvent {
  readonly type: 'renewed';
  readonly tokenExpiresAt: string;
}

/** An error; the stream ends after it. */
export interface StreamErrorEvent extends ErrorBody {
  readonly type: 'error';
}

/** The stream ends, and a reconnect with the cursor goes on from here. */
export interface ClosingEvent {
  readonly type: 'closing';
  readonly reason: ClosingReason;
}

/** Nothing can prove that the stream is complete before this event's id: refetch. */
export interface GapEvent {
  readonly type: 'gap';
  readonly reason: GapReason;
}

/** Data of an SSE event named `system`. */
export type SystemEvent =
  | ConnectedEvent
  | PositionEvent
  | ExpiringEvent
  | RenewedEvent
  | StreamErrorEvent
  | ClosingEvent
  | GapEvent;
