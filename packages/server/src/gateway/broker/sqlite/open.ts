import { resolve } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { parseCursor, writeCursor } from '../cursor.ts';
import {
  type Batch,
  type BatchListener,
  type Broker,
  BrokerUnavailable,
  comparePlaces,
  type Located,
  type Page,
  type Place,
  type Position,
  type StoredEvent,
} from '../port.ts';
import { Appends } from './appends.ts';
import { LogInUse } from './lock.ts';
import type { ReaderReply, ReaderRequest, StoredRecord, ThreadData, WriterReply, WriterRequest } from './messages.ts';
import { Reads } from './reads.ts';
import { DEFAULT_RETENTION, type Retention } from './retention.ts';
import { startThread, ThreadRefused } from './threads.ts';

/** What the embedded log is opened with. */
export interface SqliteBrokerOptions {
  /** Path of `log.db`; made when absent (0600), beside it `log.db.lock`. One process at a time. */
  readonly file: string;
  readonly retention?: Partial<Retention>;
}

/** The embedded log. */
export interface SqliteBroker extends Broker {
  /**
   * Writes a consistent copy of the log to a new file, online. Opened as a log, the copy takes an epoch
   * of its own, so that each client of a restored log gets one `gap`.
   */
  backup(file: string): Promise<void>;
}

/**
 * Does what `SqliteBroker.backup` does, also while another process has the log open: it only reads.
 * Rejects with what SQLite says when there is no log, or when the target exists.
 */
export async function backupLog(file: string, target: string): Promise<void> {
  const { thread } = await startThread({ role: 'backup', file, retention: DEFAULT_RETENTION, target: resolve(target) });
  await thread.terminate();
}

/** Tells a thread to close and waits until it has; one that is gone already has the id -1. */
async function endThread(thread: Worker): Promise<void> {
  if (thread.threadId === -1) return;
  const ended = new Promise<void>((resolve) => void thread.once('exit', () => resolve()));
  thread.postMessage({ type: 'close' } satisfies WriterRequest & ReaderRequest);
  await ended;
}

type Opened = Extract<WriterReply, { type: 'open' }>;

/**
 * Opens the embedded log: SQLite in WAL mode, synced at each commit, written by one thread that
 * commits many requests at once and read by another.
 * Rejects with `LogInUse` when another process has it open, or with what SQLite says about the file.
 */
export async function openSqliteBroker(options: SqliteBrokerOptions): Promise<SqliteBroker> {
  const file = resolve(options.file);
  const data: Omit<ThreadData, 'role'> = { file, retention: { ...DEFAULT_RETENTION, ...options.retention } };
  const writer = await startThread<Opened>({ ...data, role: 'writer' }).catch((error: unknown) => {
    if (error instanceof ThreadRefused && error.refusal === 'LogInUse') throw new LogInUse(error.message);
    throw error;
  });
  try {
    const reader = await startThread<Extract<ReaderReply, { type: 'open' }>>({ ...data, role: 'reader' });
    return new EmbeddedLog(file, writer.thread, writer.first, reader.thread);
  } catch (error) {
    await writer.thread.terminate();
    throw error;
  }
}

class EmbeddedLog implements SqliteBroker {
  readonly #file: string;
  readonly #writer: Worker;
  readonly #reader: Worker;
  readonly #appends: Appends;
  readonly #reads: Reads;
  readonly #epoch: string;
  readonly #listeners = new Set<BatchListener>();
  #head: Position;
  #boundary: Position;
  #detail: string | undefined;
  #closing = false;

  constructor(file: string, writer: Worker, opened: Opened, reader: Worker) {
    this.#file = file;
    this.#writer = writer;
    this.#reader = reader;
    this.#epoch = opened.epoch;
    this.#head = opened.head;
    this.#boundary = opened.boundary;
    this.#appends = new Appends({
      send: (requests) => this.#tell({ type: 'append', requests }),
      stored: (batch, seq, proof) => this.#stored(batch, seq, proof),
      idsOf: (workspace, count, seq, proof) => this.#ids(workspace, count, seq, proof),
    });
    this.#reads = new Reads(reader);
    writer.on('message', (reply: WriterReply) => this.#hear(reply));
    for (const thread of [writer, reader]) {
      thread.on('error', (error) => this.#lost(error.message));
      thread.on('exit', () => this.#lost('a thread of the log has ended'));
    }
  }

  append(batch: Batch): Promise<readonly string[]> {
    if (this.#closing) return Promise.reject(new BrokerUnavailable('the log is closed'));
    return this.#appends.add(batch);
  }

  head(): Position {
    return this.#head;
  }

  cursorAt(workspace: string, position: Position): string {
    return writeCursor(this.#epoch, workspace, position);
  }

  async locate(workspace: string, text: string): Promise<Located> {
    const cursor = parseCursor(text);
    if (!cursor || cursor.epoch !== this.#epoch || comparePlaces(cursor, this.#head) > 0) return { kind: 'unknown' };
    const fits = (position: Position): boolean => this.cursorAt(workspace, position) === text;
    const at = (proof: string): Position => ({ seq: cursor.seq, index: cursor.index, proof });
    // Head and boundary are known here: streams that resume at once after a quiet time ask no thread.
    for (const known of [this.#head, this.#boundary]) {
      if (comparePlaces(cursor, known) === 0)
        return fits(known) ? { kind: 'at', position: known } : { kind: 'unknown' };
    }
    if (comparePlaces(cursor, this.#boundary) < 0) return { kind: 'trimmed', position: this.#boundary };
    const answer = await this.#reads.ask({ type: 'find', seq: cursor.seq });
    if (answer.type !== 'found') throw new BrokerUnavailable('the log gave no record');
    // It may have been trimmed in the meantime, and the reader may know before this thread does.
    if (comparePlaces(cursor, answer.boundary) < 0) return { kind: 'trimmed', position: answer.boundary };
    if (!answer.record || cursor.index >= answer.record.count) return { kind: 'unknown' };
    const position = at(answer.record.proof);
    return fits(position) ? { kind: 'at', position } : { kind: 'unknown' };
  }

  async read(workspace: string, after: Place, limit: number): Promise<Page> {
    const head = this.#head;
    const { seq, index } = after;
    const answer = await this.#reads.ask({
      type: 'read',
      workspace,
      after: { seq, index },
      upTo: head.seq,
      limit,
    });
    if (answer.type !== 'page') throw new BrokerUnavailable('the log gave no page');
    const { records, boundary, complete } = answer;
    const events = records.flatMap((record) => this.#eventsOf(workspace, record, after));
    const last = records.at(-1);
    const through = complete || !last ? head : { seq: last.seq, index: last.count - 1, proof: last.proof };
    return comparePlaces(after, boundary) < 0 ? { events, through, trimmed: boundary } : { events, through };
  }

  #eventsOf(workspace: string, { seq, proof, events }: StoredRecord, after: Place): StoredEvent[] {
    const stored = events
      .split('\n')
      .map((json, index) => ({ workspace, seq, index, id: this.cursorAt(workspace, { seq, index, proof }), json }));
    return seq === after.seq ? stored.slice(after.index + 1) : stored;
  }

  subscribe(listener: BatchListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  status(): { readonly ready: boolean; readonly detail?: string } {
    return this.#detail === undefined ? { ready: true } : { ready: false, detail: this.#detail };
  }

  backup(target: string): Promise<void> {
    return backupLog(this.#file, target);
  }

  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    this.#appends.flush();
    // One after the other: the end of a thread ends what waits, and the writer has answers to give first.
    await endThread(this.#writer);
    await endThread(this.#reader);
    this.#listeners.clear();
  }

  #tell(request: WriterRequest): void {
    this.#writer.postMessage(request);
  }

  #hear(reply: WriterReply): void {
    if (reply.type === 'appended') this.#appends.settle(reply.results);
    else if (reply.type === 'trimmed') this.#boundary = reply.boundary;
    else if (reply.type === 'health') this.#detail = reply.detail ?? undefined;
  }

  #stored(batch: Batch, seq: number, proof: string): readonly string[] {
    const { workspace, events } = batch;
    const head = { seq, index: events.length - 1, proof };
    this.#head = head;
    const ids = this.#ids(workspace, events.length, seq, proof);
    const stored = events.map((json, index) => ({ workspace, seq, index, id: ids[index] ?? '', json }));
    for (const listener of this.#listeners) listener(stored, head);
    return ids;
  }

  #ids(workspace: string, count: number, seq: number, proof: string): string[] {
    return Array.from({ length: count }, (_, index) => this.cursorAt(workspace, { seq, index, proof }));
  }

  /** A thread is gone: nothing works any more until the process is started again. */
  #lost(detail: string): void {
    const words = this.#closing ? 'the log is closed' : `${this.#file}: ${detail}`;
    this.#detail ??= words;
    this.#appends.fail(words);
    this.#reads.fail(words);
  }
}
