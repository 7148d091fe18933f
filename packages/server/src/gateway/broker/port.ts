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

/** A place in the log: an event's, or the one before all. */
export interface Place {
  readonly seq: number;
  readonly index: number;
}

/**
 * A place that the broker knows: everything up to and including it has been considered. `proof` is what
 * the broker needs to write it as a cursor, and says nothing to others.
 */
export interface Position extends Place {
  readonly proof: string;
}

/** Below 0: `a` comes before `b`; 0: the same place; above 0: after it. */
export function comparePlaces(a: Place, b: Place): number {
  return a.seq - b.seq || a.index - b.index;
}

/** What a cursor means to this log. */
export type Located =
  | { readonly kind: 'at'; readonly position: Position }
  /** Below what is kept: go on from `position`, the place before the oldest kept event. */
  | { readonly kind: 'trimmed'; readonly position: Position }
  /** Another epoch or workspace, above the head, a check that does not fit, unreadable. */
  | { readonly kind: 'unknown' };

/** A page of the log, in order. */
export interface Page {
  readonly events: readonly StoredEvent[];
  /** The last position considered, also when no event was there. */
  readonly through: Position;
  /**
   * Set when the log no longer reaches back to `after`: events may be missing before the first one
   * here. The place before the oldest kept event.
   */
  readonly trimmed?: Position;
}

/** Thrown by `append`: the key was used with another body. */
export class IdempotencyConflict extends Error {
  override readonly name = 'IdempotencyConflict';
}

/** Thrown when the log cannot be reached or written: nothing was acknowledged. */
export class BrokerUnavailable extends Error {
  override readonly name = 'BrokerUnavailable';
}

/** Takes the events of one request, which are of one workspace, and the place of the last. */
export type BatchListener = (batch: readonly StoredEvent[], through: Position) => void;

/** The log. */
export interface Broker {
  /** Resolves with one id per event once they are durable. Rejects with the two errors above. */
  append(batch: Batch): Promise<readonly string[]>;
  /** The confirmed head: the place of the newest committed event, or a place before all in an empty log. */
  head(): Position;
  /** The cursor that stands for `position` in a workspace: for `position` and `gap` events and new streams. */
  cursorAt(workspace: string, position: Position): string;
  /** Finds out what a client's cursor means. Rejects with `BrokerUnavailable`. */
  locate(workspace: string, cursor: string): Promise<Located>;
  /**
   * The events of a workspace after `after` and up to the head, at most `limit` events (whole requests,
   * so perhaps more) or about 64 KiB. Equal reads that overlap in time are one read of the log.
   * Rejects with `BrokerUnavailable`.
   */
  read(workspace: string, after: Place, limit: number): Promise<Page>;
  /**
   * Committed events of all workspaces, in order, one call per request, after `head()` has come to
   * cover them. `through` is the place of the last one. Returns the function that ends it.
   */
  subscribe(listener: BatchListener): () => void;
  /** Whether appends and reads can work at present, and why not. */
  status(): { readonly ready: boolean; readonly detail?: string };
  close(): Promise<void>;
}
