/**
 * The port between access (who may subscribe) and delivery (the stream itself). Access authorizes and
 * admits; delivery registers, catches up, goes live and ends the stream.
 */
import type { ClosingReason, ServerErrorCode } from '@centrali-io/protocol';
import type { Access } from '../access/access.ts';
import type { StreamReply } from '../reply.ts';

/** What a subscriber asked for. Empty lists mean all. It narrows for convenience; security is in the grants. */
export interface Selection {
  readonly structures: readonly string[];
  readonly events: readonly string[];
  /** CFL v1 text, already parsed once without fault. */
  readonly filter?: string;
  /** These three narrow compute events and leave other events alone. */
  readonly jobId?: string;
  readonly triggerType?: string;
  readonly functionId?: string;
}

/** How a stream ended. `code` is set when it ended by an error. */
export interface StreamEnd {
  readonly connectionId: string;
  readonly code?: ServerErrorCode;
  /** Inner reason in snake_case: `client_gone`, `lifetime`, `drain`, `token_expired`, `slow_consumer` … */
  readonly reason: string;
}

/** What a stream's right to go on hangs on, beside its token's end and what `Delivery.end` is told. */
export interface Hold {
  /** Monotonic ms: nothing is written from then on, unless it has moved on by then. `Infinity`: no such bound. */
  readonly until: number;
}

/** An admitted subscription. */
export interface StreamRequest {
  readonly access: Access;
  readonly hold: Hold;
  readonly selection: Selection;
  /** The client's cursor, `[A-Za-z0-9._-]{1,128}`; absent: from the head. */
  readonly cursor?: string;
  readonly requestId: string;
  readonly address: string;
  /** Called once, when the connection was attached. */
  onOpen(connectionId: string): void;
  /** Called exactly once when the stream is over, or when it never began (`abandon`): its slot is free again. */
  onEnd(end: StreamEnd): void;
}

/** Why a stream is to end: an end of ours that the client resumes from, or an error. */
export type StreamEnding =
  | { readonly kind: 'closing'; readonly reason: ClosingReason }
  /**
   * Access is gone: what is queued is dropped, and the `error` is written only if the socket has
   * nothing pending; else the stream is reset.
   */
  | {
      readonly kind: 'error';
      readonly code: ServerErrorCode;
      readonly reason: string;
      /** Seconds, for the client. */
      readonly retryAfter?: number;
      /** Called when the last byte has been handed over, or the stream was reset; not for one without a connection. */
      readonly said?: () => void;
    };

/** An open stream, for lists. */
export interface StreamInfo {
  readonly connectionId: string;
  /** Counts up with each stream of this process. */
  readonly serial: number;
  /** What it lives on now. */
  readonly access: Access;
  readonly hold: Hold;
  readonly address: string;
  readonly requestId: string;
  /** Milliseconds since 1970. */
  readonly openedAt: number;
  /** Bytes that wait in this process for its socket. */
  readonly unsentBytes: number;
  /** `over` is seen only by whoever kept the object: lists do not have it any more. */
  readonly state: 'opening' | 'catching-up' | 'live' | 'over';
}

/** The answer of a stream that is registered: it can be found and ended before it is attached. */
export interface OpenedStream extends StreamReply {
  readonly connectionId: string;
}

/** Delivery, as the gateway's routes use it. */
export interface Delivery {
  /**
   * Makes the stream of an admitted subscription. Rejects with `Refusal('UNAVAILABLE', …)` when no
   * stream can be opened now; then `onEnd` is not called.
   */
  openStream(request: StreamRequest): Promise<OpenedStream>;
  /**
   * Ends one stream; `false` when there is none of this id. It gets nothing any more and its `onEnd` is called
   * before this returns; the `error` itself is written at the end of this turn, or of the next ones when
   * thousands end at once.
   */
  end(connectionId: string, ending: StreamEnding): boolean;
  /**
   * Puts a new decision in the place of a stream's: after a renewal in place, or when it was asked anew.
   * Of the same principal and workspace. Events that are not written yet are judged by the new grants;
   * the token's end moves, the lifetime does not. One whose socket still holds what the new grants may not
   * cover is reset; its client resumes by its cursor. `false` when there is no stream of this id.
   */
  redecide(connectionId: string, access: Access, told: 'renewed' | 'silently'): boolean;
  /** The stream of this id. */
  find(connectionId: string): StreamInfo | undefined;
  /** The open streams of a workspace, or of all, oldest first. */
  list(workspace?: string): Iterable<StreamInfo>;
  /** Refuses new streams, ends the open ones with `closing drain` spread over `milliseconds`; resolves when the last is gone. */
  drain(milliseconds: number): Promise<void>;
  /** Cuts what is left and frees everything. */
  close(): Promise<void>;
  /** Number of open streams. */
  readonly streams: number;
}
