import { resolve } from 'node:path';
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
import type { ReaderReply, StoredRecord, ThreadData, WriterReply } from './messages.ts';
import { Reads } from './reads.ts';
import { DEFAULT_RETENTION, type Retention } from './retention.ts';
import { KeptThread, type Started, startThread, ThreadRefused } from './threads.ts';

/** What the embedded log is opened with. */
export interface SqliteBrokerOptions {
  /** Path of `log.db`; made when absent (0600), beside it `log.db.lock`. One process at a time. */
  readonly file: string;
  readonly retention?: Partial<Retention>;
  /** Told when one of its threads has ended, which is then started again; nobody by default. */
  onFault?(detail: string): void;
}

/** The embedded log. */
export interface SqliteBroker extends Broker {
  /**
   * Writes a consistent copy of the log to a new file, online. Opened as a log, the copy takes an epoch
   * of its own, so that each client of a restored log gets one `gap`.
   */
  backup(file: string): Promise<void>;
  /** Pages that were read from the log so far. */
  readonly pages: number;
}

/**
 * Does what `SqliteBroker.backup` does, also while another process has the log open: it only reads.
 * Rejects with what SQLite says when there is no log, or when the target exists.
 */
export async function backupLog(file: string, target: string): Promise<void> {
  const { thread } = await startThread({ role: 'backup', file, retention: DEFAULT_RETENTION, target: resolve(target) });
  await thread.terminate();
}

type Opened = Extract<WriterReply, { type: 'open' }>;
type ReaderOpened = Extract<ReaderReply, { type: 'open' }>;
/** Most records that are read at once to find out what a thread that has ended had still written. */
const TAIL_RECORDS = 256;

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
    const reader = await startThread<ReaderOpened>({ ...data, role: 'reader' });
    return new EmbeddedLog(data, writer, reader, options.onFault ?? (() => {}));
  } catch (error) {
    await writer.thread.terminate();
    throw error;
  }
}

class EmbeddedLog implements SqliteBroker {
  readonly #file: string;
  readonly #writer: KeptThread<Opened, WriterReply>;
  readonly #reader: KeptThread<ReaderOpened, ReaderReply>;
  readonly #appends: Appends;
  readonly #reads: Reads;
  readonly #epoch: string;
  readonly #onFault: (detail: string) => void;
  readonly #listeners = new Set<BatchListener>();
  #head: Position;
  #boundary: Position;
  /** Why the last write failed. */
  #detail: string | undefined;
  /** Why a thread is not there. */
  readonly #gone = new Map<ThreadData['role'], string>();
  #closing = false;

  constructor(
    data: Omit<ThreadData, 'role'>,
    writer: Started<Opened>,
    reader: Started<ReaderOpened>,
    onFault: (detail: string) => void,
  ) {
    this.#file = data.file;
    this.#epoch = writer.first.epoch;
    this.#head = writer.first.head;
    this.#boundary = writer.first.boundary;
    this.#onFault = onFault;
    this.#appends = new Appends({
      send: (requests) => this.#writer.tell({ type: 'append', requests }),
      stored: (batch, seq, proof) => this.#stored(batch, seq, proof),
      idsOf: (workspace, count, seq, proof) => this.#ids(workspace, count, seq, proof),
    });
    this.#reads = new Reads((request) => this.#reader.tell(request));
    this.#reader = new KeptThread(reader.thread, {
      data: { ...data, role: 'reader' },
      onStarted: async () => {
        this.#gone.delete('reader');
        this.#reads.resume();
      },
      onMessage: (reply) => this.#reads.hear(reply),
      onLost: (detail) => this.#reads.fail(this.#lost('reader', detail)),
    });
    this.#writer = new KeptThread(writer.thread, {
      data: { ...data, role: 'writer' },
      onStarted: (first) => this.#takeOver(first),
      onMessage: (reply) => this.#hear(reply),
      onLost: (detail) => this.#appends.fail(this.#lost('writer', detail)),
    });
    this.#writer.tell({ type: 'begin' });
  }

  get pages(): number {
    return this.#reads.pages;
  }

  append(batch: Batch): Promise<readonly string[]> {
    if (this.#closing) return Promise.reject(new BrokerUnavailable('the log is closed'));
    const gone = this.#gone.get('writer');
    if (gone !== undefined) return Promise.reject(new BrokerUnavailable(gone));
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
    const events = records.flatMap((record) => eventsOf(workspace, record, record.ids, after));
    const last = records.at(-1);
    const through = complete || !last ? head : { seq: last.seq, index: last.count - 1, proof: last.proof };
    return comparePlaces(after, boundary) < 0 ? { events, through, trimmed: boundary } : { events, through };
  }

  subscribe(listener: BatchListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  status(): { readonly ready: boolean; readonly detail?: string } {
    const detail = this.#gone.get('writer') ?? this.#gone.get('reader') ?? this.#detail;
    return detail === undefined ? { ready: true } : { ready: false, detail };
  }

  backup(target: string): Promise<void> {
    return backupLog(this.#file, target);
  }

  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    this.#appends.flush();
    // One after the other: the end of a thread ends what waits, and the writer has answers to give first.
    await this.#writer.close();
    this.#appends.fail('the log is closed');
    await this.#reader.close();
    this.#reads.fail('the log is closed');
    this.#listeners.clear();
  }

  #hear(reply: WriterReply): void {
    if (reply.type === 'appended') this.#appends.settle(reply.results);
    else if (reply.type === 'trimmed') this.#boundary = reply.boundary;
    else if (reply.type === 'health') this.#detail = reply.detail ?? undefined;
  }

  #stored({ workspace, events }: Batch, seq: number, proof: string): readonly string[] {
    const ids = this.#ids(workspace, events.length, seq, proof);
    const head = { seq, index: events.length - 1, proof };
    this.#dispatch(
      events.map((json, index) => ({ workspace, seq, index, id: ids[index] ?? '', json })),
      head,
    );
    return ids;
  }

  #dispatch(events: readonly StoredEvent[], head: Position): void {
    this.#head = head;
    for (const listener of this.#listeners) listener(events, head);
  }

  #ids(workspace: string, count: number, seq: number, proof: string): string[] {
    return Array.from({ length: count }, (_, index) => this.cursorAt(workspace, { seq, index, proof }));
  }

  /** A thread is gone; it is started again. Returns what those are told who waited for it. */
  #lost(role: ThreadData['role'], detail: string): string {
    if (this.#closing) return 'the log is closed';
    const words = `${this.#file}: ${detail}`;
    this.#gone.set(role, words);
    this.#onFault(`${role}: ${words}`);
    return words;
  }

  /**
   * A new writer has taken over. What the old one committed without being able to say so is in the log,
   * so it is dispatched before anything new: no stream skips it.
   */
  async #takeOver({ epoch, head, boundary }: Opened): Promise<void> {
    if (epoch !== this.#epoch) throw new Error('the log was replaced by another one');
    while (this.#head.seq < head.seq) {
      const after = this.#head.seq;
      const answer = await this.#reads.ask({ type: 'tail', after, upTo: head.seq, limit: TAIL_RECORDS });
      const records = answer.type === 'tail' ? answer.records : [];
      // Sequences are dense, and the writer trims nothing before `begin`.
      if (records[0]?.seq !== after + 1) throw new Error('the log has lost what it held');
      for (const record of records) {
        const { workspace, seq, count, proof } = record;
        const ids = this.#ids(workspace, count, seq, proof);
        this.#dispatch(eventsOf(workspace, record, ids), { seq, index: count - 1, proof });
      }
    }
    this.#boundary = boundary;
    this.#detail = undefined;
    this.#gone.delete('writer');
    this.#writer.tell({ type: 'begin' });
  }
}

/** The events of a record, or those after a place in it. */
function eventsOf(workspace: string, record: StoredRecord, ids: readonly string[], after?: Place): StoredEvent[] {
  const { seq, events } = record;
  const stored = events.split('\n').map((json, index) => ({ workspace, seq, index, id: ids[index] ?? '', json }));
  return after?.seq === seq ? stored.slice(after.index + 1) : stored;
}
