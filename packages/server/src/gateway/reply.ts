import type { Connection } from './delivery/connection.ts';

/** A 200 answer that stays open: the listener sends the head, then attaches the connection. */
export interface StreamReply {
  readonly status: 200;
  readonly headers: Readonly<Record<string, string>>;
  /** Takes the connection over; called exactly once, right after the head was written. */
  attach(connection: Connection): void;
  /** Called instead of `attach` when the client has gone before the head could be written. */
  abandon(): void;
}

/** What a handler answers. */
export type Reply = Response | StreamReply;

/** Tells the two kinds of answer apart. */
export function isStreamReply(reply: Reply): reply is StreamReply {
  return 'attach' in reply;
}
