/**
 * The port to the log of events. The embedded adapter (SQLite) is the reference; every adapter passes
 * `broker.contract.ts`.
 */

/** One event in the log. */
export interface StoredEvent {
  readonly workspace: string;
  /** Sequence of the request that brought it: never reused, increasing over all workspaces. */
  readonly seq: number;
  /** Its place in the request, from 0. */
  readonly index: number;
  /** The cursor `<epoch>-<seq>-<index>-<check>`; opaque to clients. */
  readonly id: string;
  /** The event as JSON text without line ends. */
  readonly json: string;
}

/** The events of one request: appended whole or not at all, in this order. */
export interface Batch {
  readonly workspace: string;
  /** 1 to 1,000 events as JSON texts without line ends. */
  readonly events: readonly string[];
  /** De-duplication: same key and same body within 10 minutes give the first ids again. */
  readonly idempotency?: { readonly key: string; readonly bodyHash: string };
}

/** A place in the log: everything up to and including it has been considered. `index` -1 is before the request. */
export interface Position {
  readonly seq: number;
  readonly index: number;
}

/** What a cursor means to this log. */
export type Located =
  | { readonly kind: 'at'; readonly position: Position }
  /** Below what is kept: go on from `position`, the place before the oldest kept event. */
  | { readonly kind: 'trimmed'; readonly position: Position }
  /** Another epoch or workspace, above the head, a check that does not fit, unreadable. */
  | { readonly kind: 'unknown' };

/** A page of the log, in order. `through` is the last position considered, also when no event matched. */
export interface Page {
  readonly events: readonly StoredEvent[];
  readonly through: Position;
  /** Whether `through` is the confirmed head at the time of reading. */
  readonly atHead: boolean;
}

/** Thrown by `append`: the key was used with another body. */
export class IdempotencyConflict extends Error {
  override readonly name = 'IdempotencyConflict';
}

/** Thrown when the log cannot be reached or written: nothing was acknowledged. */
export class BrokerUnavailable extends Error {
  override readonly name = 'BrokerUnavailable';
}

/** The log. */
export interface Broker {
  /** Resolves with one id per event once they are durable. Rejects with the two errors above. */
  append(batch: Batch): Promise<readonly string[]>;
  /** The confirmed head: the place of the newest committed event (or `{seq: 0, index: 0}` for an empty log). */
  head(): Position;
  /** The cursor that stands for `position` in a workspace; for `position` events and new streams. */
  cursorAt(workspace: string, position: Position): string;
  /** Finds out what a client's cursor means. */
  locate(workspace: string, cursor: string): Promise<Located>;
  /** The events of a workspace after `after`, at most `limit`. */
  read(workspace: string, after: Position, limit: number): Promise<Page>;
  /**
   * Committed events of all workspaces, in order, each batch once, after `head()` covers it.
   * Returns the function that ends it.
   */
  subscribe(listener: (batch: readonly StoredEvent[]) => void): () => void;
  /** Whether appends and reads can work at present, and why not. */
  status(): { readonly ready: boolean; readonly detail?: string };
  close(): Promise<void>;
}
