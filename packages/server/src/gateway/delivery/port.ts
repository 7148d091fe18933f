/**
 * The port between access (who may subscribe) and delivery (the stream itself). Access authorizes and
 * admits; delivery registers, catches up, goes live and ends the stream.
 */
import type { ServerErrorCode } from '@centrali-io/protocol';
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

/** An admitted subscription. */
export interface StreamRequest {
  readonly access: Access;
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

/** Delivery, as the gateway's routes use it. */
export interface Delivery {
  /**
   * Makes the stream of an admitted subscription. Rejects with `Refusal('UNAVAILABLE', …)` when no
   * stream can be opened now; then `onEnd` is not called.
   */
  openStream(request: StreamRequest): Promise<StreamReply>;
  /** Ends all streams with `closing drain`, spread over `milliseconds`; resolves when the last is gone. */
  drain(milliseconds: number): Promise<void>;
  /** Cuts what is left and frees everything. */
  close(): Promise<void>;
  /** Number of open streams. */
  readonly streams: number;
}
