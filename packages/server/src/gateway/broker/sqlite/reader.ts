import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { writeCursor } from '../cursor.ts';
import type { PageRecord, ReaderReply, ReaderRequest, TailRecord } from './messages.ts';
import { readMeta, readPlace } from './schema.ts';

/** A page ends after the record that takes it past this many bytes. */
const PAGE_BYTES = 64 * 1024;

/** The reading half of the log: a connection of its own, no statement left open between requests. */
export class LogReader {
  readonly #db: DatabaseSync;
  readonly #epoch: string;
  readonly #find: StatementSync;
  readonly #read: StatementSync;
  readonly #tail: StatementSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#epoch = readMeta(db, 'epoch') ?? '';
    this.#find = db.prepare('SELECT count, proof FROM batch WHERE seq = ?');
    // `count` is read before `events`, so a record that was wholly considered costs nothing.
    this.#read = db.prepare(
      `SELECT seq, count, proof, events FROM batch
       WHERE workspace = :workspace AND seq >= :seq AND seq <= :upTo AND NOT (seq = :seq AND count <= :index + 1)
       ORDER BY seq`,
    );
    this.#tail = db.prepare(
      'SELECT workspace, seq, count, proof, events FROM batch WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?',
    );
  }

  /** Answers one request; throws what SQLite says. */
  answer(request: Exclude<ReaderRequest, { type: 'close' }>): ReaderReply {
    if (request.type === 'tail') return { type: 'tail', id: request.id, records: this.#records(request) };
    // One snapshot for both: a trim in between would make a hole that nobody sees.
    this.#db.exec('BEGIN');
    try {
      const boundary = readPlace(readMeta(this.#db, 'boundary'));
      if (request.type === 'find')
        return { type: 'found', id: request.id, record: this.#record(request.seq), boundary };
      return { type: 'page', id: request.id, ...this.#page(request), boundary };
    } finally {
      this.#db.exec('COMMIT');
    }
  }

  #records({ after, upTo, limit }: Extract<ReaderRequest, { type: 'tail' }>): TailRecord[] {
    return this.#tail.all(after, upTo, limit).map((row) => ({
      workspace: String(row.workspace),
      seq: Number(row.seq),
      count: Number(row.count),
      proof: String(row.proof),
      events: String(row.events),
    }));
  }

  #record(seq: number): { count: number; proof: string } | null {
    const row = this.#find.get(seq);
    return row ? { count: Number(row.count), proof: String(row.proof) } : null;
  }

  /** The cursors of a record's events: hashes, which are made here so that the main thread has its hands free. */
  #ids(workspace: string, row: Record<string, unknown>): string[] {
    const [seq, proof] = [Number(row.seq), String(row.proof)];
    return Array.from({ length: Number(row.count) }, (_, index) =>
      writeCursor(this.#epoch, workspace, { seq, index, proof }),
    );
  }

  #page(request: Extract<ReaderRequest, { type: 'read' }>): { records: PageRecord[]; complete: boolean } {
    const records: PageRecord[] = [];
    const { workspace, after, upTo, limit } = request;
    let events = 0;
    let bytes = 0;
    for (const row of this.#read.iterate({ workspace, seq: after.seq, index: after.index, upTo })) {
      if (events >= limit || bytes >= PAGE_BYTES) return { records, complete: false };
      const record = {
        seq: Number(row.seq),
        count: Number(row.count),
        proof: String(row.proof),
        events: String(row.events),
        ids: this.#ids(workspace, row),
      };
      records.push(record);
      events += record.count;
      bytes += record.events.length;
    }
    return { records, complete: true };
  }
}
