import { randomBytes } from 'node:crypto';
import { chmodSync, closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { Position } from '../port.ts';

/** Marks the file as a log of events ("CRlg"), so that another database is not taken for one. */
const APPLICATION_ID = 0x43_52_6c_67;
const VERSION = 1;

// `batch` holds one row per request. `proof` is SHA-256 over a random nonce and the record; cursors are
// checked against it. `idempotency` remembers keys for ten minutes; `meta` holds epoch, totals and
// the boundary: the last trimmed record's place.
const SCHEMA = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE batch (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  workspace TEXT NOT NULL,
  count INTEGER NOT NULL,
  at INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  proof TEXT NOT NULL,
  events TEXT NOT NULL
) STRICT;
CREATE INDEX batch_workspace ON batch (workspace, seq);
CREATE TABLE idempotency (
  key TEXT PRIMARY KEY,
  body_hash TEXT NOT NULL,
  at INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  proof TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_at ON idempotency (at);
`;

/** Thrown when the file is a database, but not a log that this version knows. */
export class NotALog extends Error {
  override readonly name = 'NotALog';
}

function pragma(db: DatabaseSync, name: string): unknown {
  return Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0];
}

/** Reads one value of `meta`. */
export function readMeta(db: DatabaseSync, key: string): string | undefined {
  const value = db.prepare('SELECT value FROM meta WHERE key = ?').get(key)?.value;
  return typeof value === 'string' ? value : undefined;
}

/** Writes one value of `meta`. */
export function writeMeta(db: DatabaseSync, key: string, value: string): void {
  db.prepare('INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value').run(
    key,
    value,
  );
}

/** Writes a place for `meta`. */
export function writePlace({ seq, index, proof }: Position): string {
  return `${seq} ${index} ${proof}`;
}

/** Reads a place as `writePlace` wrote it. */
export function readPlace(text: string | undefined): Position {
  const [seq, index, proof] = (text ?? '').split(' ');
  return { seq: Number(seq ?? 0), index: Number(index ?? 0), proof: proof ?? '' };
}

/**
 * Opens the log for its one writer and makes what is missing. WAL with `synchronous=FULL`: a commit
 * returns after the WAL is synced. Throws `NotALog`, or what SQLite says.
 */
export function openLog(file: string): DatabaseSync {
  // SQLite gives its side files the mode of the database.
  closeSync(openSync(file, 'a', 0o600));
  chmodSync(file, 0o600);
  const db = new DatabaseSync(file, { timeout: 2000 });
  try {
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864;');
    if (pragma(db, 'journal_mode') !== 'wal') throw new NotALog('this file system does not let SQLite keep a WAL');
    if (pragma(db, 'user_version') === 0) {
      if (pragma(db, 'schema_version') !== 0) throw new NotALog('the file is another database, not a log of events');
      db.exec(`BEGIN IMMEDIATE; ${SCHEMA}`);
      const empty: Position = { seq: 0, index: 0, proof: randomBytes(16).toString('hex') };
      writeMeta(db, 'boundary', writePlace(empty));
      writeMeta(db, 'totals', '0 0');
      db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${VERSION}; COMMIT;`);
    }
    if (pragma(db, 'application_id') !== APPLICATION_ID || pragma(db, 'user_version') !== VERSION) {
      throw new NotALog('the file is not a log of events that this version knows');
    }
    // Absent in a new log and in a backup: a restored log has another history, so old cursors must not fit.
    if (readMeta(db, 'epoch') === undefined) writeMeta(db, 'epoch', newEpoch());
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function newEpoch(): string {
  return BigInt(`0x${randomBytes(8).toString('hex')}`).toString(36);
}

/** The place of the newest record; the boundary when none is left. */
export function headOf(db: DatabaseSync): Position {
  const row = db.prepare('SELECT seq, count, proof FROM batch ORDER BY seq DESC LIMIT 1').get();
  if (!row) return readPlace(readMeta(db, 'boundary'));
  return { seq: Number(row.seq), index: Number(row.count) - 1, proof: String(row.proof) };
}
