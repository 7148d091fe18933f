/** What the main thread and the log's two threads say to each other. */
import type { Position } from '../port.ts';
import type { Retention } from './retention.ts';

/** Given to a thread at its start. */
export interface ThreadData {
  readonly role: 'writer' | 'reader' | 'backup';
  readonly file: string;
  readonly retention: Retention;
  /** For `backup`: the file to write. */
  readonly target?: string;
}

/** One request to append. */
export interface AppendRequest {
  /** Numbers the requests of this process. */
  readonly id: number;
  readonly workspace: string;
  readonly count: number;
  /** The events' JSON texts, joined by LF. */
  readonly events: string;
  readonly idempotency?: { readonly key: string; readonly bodyHash: string };
  /** On the clock of `process.hrtime`, which all threads share, in ms: past it the request is not begun. */
  readonly deadline: number;
}

/** What became of one request. */
export type AppendResult =
  | { readonly id: number; readonly kind: 'stored'; readonly seq: number; readonly proof: string }
  /** The key was used before, with the same body: this is the first one's place. */
  | { readonly id: number; readonly kind: 'repeated'; readonly seq: number; readonly proof: string }
  | { readonly id: number; readonly kind: 'conflict' }
  | { readonly id: number; readonly kind: 'failed'; readonly detail: string };

/** To the writer. */
export type WriterRequest =
  | { readonly type: 'append'; readonly requests: readonly AppendRequest[] }
  /** Whoever is told of the head has caught up with it: retention may begin. */
  | { readonly type: 'begin' }
  | { readonly type: 'close' };

/** From the writer. */
export type WriterReply =
  | { readonly type: 'open'; readonly epoch: string; readonly head: Position; readonly boundary: Position }
  | { readonly type: 'refused'; readonly name: string; readonly message: string }
  | { readonly type: 'appended'; readonly results: readonly AppendResult[] }
  /** Everything up to and including this place has been trimmed. */
  | { readonly type: 'trimmed'; readonly boundary: Position }
  /** Whether the last write worked, sent when that changes. */
  | { readonly type: 'health'; readonly detail: string | null };

/** To the reader. */
export type ReaderRequest =
  | { readonly type: 'find'; readonly id: number; readonly seq: number }
  | {
      readonly type: 'read';
      readonly id: number;
      readonly workspace: string;
      readonly after: { readonly seq: number; readonly index: number };
      /** The confirmed head: nothing above it is read. */
      readonly upTo: number;
      readonly limit: number;
    }
  /** Whole records of all workspaces. */
  | {
      readonly type: 'tail';
      readonly id: number;
      readonly after: number;
      readonly upTo: number;
      readonly limit: number;
    }
  | { readonly type: 'close' };

/** One record as the reader finds it. */
export interface StoredRecord {
  readonly seq: number;
  readonly count: number;
  readonly proof: string;
  /** The events' JSON texts, joined by LF. */
  readonly events: string;
}

/** One record of a page. */
export interface PageRecord extends StoredRecord {
  /** The events' cursors. */
  readonly ids: readonly string[];
}

/** One record with its workspace. */
export interface TailRecord extends StoredRecord {
  readonly workspace: string;
}

/** From the reader. */
export type ReaderReply =
  | { readonly type: 'open' }
  | { readonly type: 'refused'; readonly name: string; readonly message: string }
  | {
      readonly type: 'found';
      readonly id: number;
      readonly record: { readonly count: number; readonly proof: string } | null;
      readonly boundary: Position;
    }
  | {
      readonly type: 'page';
      readonly id: number;
      readonly records: readonly PageRecord[];
      readonly boundary: Position;
      /** Whether there is nothing more up to `upTo`. */
      readonly complete: boolean;
    }
  | { readonly type: 'tail'; readonly id: number; readonly records: readonly TailRecord[] }
  | { readonly type: 'failed'; readonly id: number; readonly detail: string };
