import { hash, randomUUID } from 'node:crypto';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Position } from '../port.ts';
import type { AppendRequest, AppendResult } from './messages.ts';
import { mustGo, type Retention } from './retention.ts';
import { readMeta, readPlace, writePlace } from './schema.ts';

/** How long an idempotency key is remembered, in ms. */
export const IDEMPOTENCY_WINDOW: number = 10 * 60 * 1000;
/** Most records and bytes that one trimming transaction takes away, so that appends wait for it only a moment. */
const TRIM_RECORDS = 128;
const TRIM_BYTES = 2 ** 20;
/** What has to find room before a full disk counts as mended. */
const PROBE_BYTES = 2 ** 20;
/** Most idempotency rows that one transaction takes away. */
const TRIM_KEYS = 2000;

/** The writing half of the log: one connection, one transaction at a time. */
export class LogWriter {
  readonly #db: DatabaseSync;
  readonly #retention: Retention;
  readonly #now: () => number;
  readonly #insert: StatementSync;
  readonly #findKey: StatementSync;
  readonly #insertKey: StatementSync;
  readonly #setMeta: StatementSync;
  readonly #oldest: StatementSync;
  readonly #remove: StatementSync;
  readonly #removeKeys: StatementSync;
  #bytes: number;
  #events: number;

  constructor(db: DatabaseSync, retention: Retention, now: () => number) {
    this.#db = db;
    this.#retention = retention;
    this.#now = now;
    this.#insert = db.prepare(
      'INSERT INTO batch (workspace, count, at, bytes, proof, events) VALUES (?, ?, ?, ?, ?, ?)',
    );
    this.#findKey = db.prepare('SELECT body_hash, seq, proof FROM idempotency WHERE key = ? AND at > ?');
    this.#insertKey = db.prepare(
      'INSERT OR REPLACE INTO idempotency (key, body_hash, at, seq, proof) VALUES (?, ?, ?, ?, ?)',
    );
    this.#setMeta = db.prepare('UPDATE meta SET value = ? WHERE key = ?');
    this.#oldest = db.prepare('SELECT seq, count, at, bytes, proof FROM batch ORDER BY seq LIMIT ?');
    this.#remove = db.prepare('DELETE FROM batch WHERE seq <= ?');
    this.#removeKeys = db.prepare(
      'DELETE FROM idempotency WHERE key IN (SELECT key FROM idempotency WHERE at <= ? LIMIT ?)',
    );
    const [bytes, events] = (readMeta(db, 'totals') ?? '').split(' ');
    this.#bytes = Number(bytes ?? 0);
    this.#events = Number(events ?? 0);
  }

  /**
   * Appends the requests in one transaction, in order. Returns after the commit is durable. When it
   * throws, nothing of it was stored.
   */
  append(requests: readonly AppendRequest[]): AppendResult[] {
    return this.#transaction(() => {
      const now = this.#now();
      const results = requests.map((request) => this.#appendOne(request, now));
      this.#saveTotals();
      return results;
    });
  }

  #appendOne(request: AppendRequest, now: number): AppendResult {
    const { id, workspace, count, events, idempotency } = request;
    if (idempotency) {
      // An earlier one of this transaction is found too: a duplicate in flight waits for the first by that.
      const first = this.#findKey.get(idempotency.key, now - IDEMPOTENCY_WINDOW);
      if (first && first.body_hash !== idempotency.bodyHash) return { id, kind: 'conflict' };
      if (first) return { id, kind: 'repeated', seq: Number(first.seq), proof: String(first.proof) };
    }
    const proof = hash('sha256', `${randomUUID()}\n${workspace}\n${events}`, 'hex').slice(0, 32);
    const bytes = Buffer.byteLength(events);
    const seq = Number(this.#insert.run(workspace, count, now, bytes, proof, events).lastInsertRowid);
    if (idempotency) this.#insertKey.run(idempotency.key, idempotency.bodyHash, now, seq, proof);
    this.#bytes += bytes;
    this.#events += count;
    return { id, kind: 'stored', seq, proof };
  }

  /**
   * Takes away what retention does not keep: at most one small transaction. Returns the new boundary,
   * or `undefined` when there was nothing to do.
   */
  trim(): Position | undefined {
    const now = this.#now();
    const oldest = this.#oldest.all(TRIM_RECORDS);
    let boundary: Position | undefined;
    let { bytes, events } = { bytes: this.#bytes, events: this.#events };
    for (const row of oldest) {
      if (!mustGo(Number(row.at), { bytes, events }, now, this.#retention)) break;
      if (this.#bytes - bytes > TRIM_BYTES) break;
      bytes -= Number(row.bytes);
      events -= Number(row.count);
      boundary = { seq: Number(row.seq), index: Number(row.count) - 1, proof: String(row.proof) };
    }
    if (!boundary) return undefined;
    const { seq } = boundary;
    const place = writePlace(boundary);
    this.#transaction(() => {
      this.#remove.run(seq);
      this.#setMeta.run(place, 'boundary');
      this.#bytes = bytes;
      this.#events = events;
      this.#saveTotals();
    });
    return boundary;
  }

  /** Forgets idempotency keys past their window; `true` when there may be more. */
  forgetKeys(): boolean {
    return Number(this.#removeKeys.run(this.#now() - IDEMPOTENCY_WINDOW, TRIM_KEYS).changes) === TRIM_KEYS;
  }

  /** Writes and removes as much as a large request, to find out whether writing works again. Throws what SQLite says. */
  probe(): void {
    this.#transaction(() => {
      this.#db.exec(`INSERT OR REPLACE INTO meta (key, value) VALUES ('probe', printf('%.*c', ${PROBE_BYTES}, 'x'))`);
    });
    this.#transaction(() => this.#db.exec("DELETE FROM meta WHERE key = 'probe'"));
  }

  /** The place up to which all has been trimmed. */
  boundary(): Position {
    return readPlace(readMeta(this.#db, 'boundary'));
  }

  #saveTotals(): void {
    this.#setMeta.run(`${this.#bytes} ${this.#events}`, 'totals');
  }

  #transaction<T>(work: () => T): T {
    const before = { bytes: this.#bytes, events: this.#events };
    try {
      this.#db.exec('BEGIN IMMEDIATE');
      const result = work();
      this.#db.exec('COMMIT');
      return result;
    } catch (error) {
      this.#bytes = before.bytes;
      this.#events = before.events;
      // SQLite has already rolled back after some errors (full disk among them).
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }
}
