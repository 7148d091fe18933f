import { chmodSync, closeSync, openSync } from 'node:fs';
import { Kysely, sql } from 'kysely';
import { auditKeyOf } from './audit-chain.ts';
import { openNodeSqlite } from './node-sqlite.ts';
import type { Store } from './port.ts';
import { countOf } from './sql/counter.ts';
import { migrate } from './sql/migrate.ts';
import type { Database, Schema } from './sql/schema.ts';
import { storeTransaction } from './sql/transaction.ts';

/** Options of `openSqliteStore`. */
export interface SqliteStoreOptions {
  /** Path of `state.db`, made with mode 0600 unless it is there; `:memory:` for a state that goes with the process. */
  readonly file: string;
  readonly randomBytes: (size: number) => Uint8Array;
  /** How often to look for changes by other processes, in milliseconds. Default 200; 0 = never. */
  readonly pollMilliseconds?: number;
}

/**
 * The embedded adapter. One connection; reads and transactions take turns on it, so that each sees one
 * moment of the state. What runs inside them should await nothing but the store.
 */
export async function openSqliteStore({
  file,
  randomBytes,
  pollMilliseconds = 200,
}: SqliteStoreOptions): Promise<Store> {
  // SQLite gives its side files the mode of the main one.
  if (file !== ':memory:') {
    closeSync(openSync(file, 'a', 0o600));
    // Also one that was copied here: signing keys and hashed secrets are in it.
    chmodSync(file, 0o600);
  }
  const sqlite = openNodeSqlite(file);
  const db = new Kysely<Schema>({ dialect: sqlite.dialect });
  const listeners = new Set<(revision: number) => void>();
  let last: Promise<unknown> = Promise.resolve();
  let closed = false;
  let head = 0;

  /** Runs `fn` when everything before it is through. */
  const inTurn = <T>(fn: () => Promise<T>): Promise<T> => {
    if (closed) return Promise.reject(new Error('The store is closed.'));
    const turn = last.then(fn);
    last = turn.catch(() => {});
    return turn;
  };
  /** `immediate`: takes the write lock at once, since a read that turns into a write can find it taken for good. */
  const within = <T>(begin: 'begin' | 'begin immediate', fn: (connection: Database) => Promise<T>): Promise<T> =>
    inTurn(() =>
      db.connection().execute(async (connection) => {
        await sql.raw(begin).execute(connection);
        try {
          const result = await fn(connection);
          await sql`commit`.execute(connection);
          return result;
        } catch (error) {
          await sql`rollback`.execute(connection).catch(() => {});
          throw error;
        }
      }),
    );
  const announce = (revision: number): void => {
    if (revision <= head) return;
    head = revision;
    for (const listener of listeners) listener(revision);
  };

  const { epoch, pepper } = await within('begin immediate', async (connection) => {
    const pepperOf = async (): Promise<Uint8Array> =>
      Buffer.from(await fact(connection, 'pepper', () => Buffer.from(randomBytes(32)).toString('hex')), 'hex');
    await migrate(connection, pepperOf);
    head = await countOf(connection, 'revision');
    return {
      epoch: await fact(connection, 'epoch', () => Buffer.from(randomBytes(12)).toString('hex')),
      pepper: await pepperOf(),
    };
  }).catch(async (error: unknown) => {
    await db.destroy();
    throw error;
  });

  const facts = { epoch, auditKey: auditKeyOf(pepper) };
  let version = sqlite.dataVersion();
  const look = (): void => {
    const seen = sqlite.dataVersion();
    if (seen === version) return;
    version = seen;
    void within('begin', (connection) => countOf(connection, 'revision')).then(announce, () => {});
  };
  const poll = pollMilliseconds > 0 && file !== ':memory:' ? setInterval(look, pollMilliseconds) : undefined;
  poll?.unref();

  return {
    pepper,
    read: (fn) => within('begin', (connection) => fn(storeTransaction(connection, facts, () => {}))),
    async transaction(fn) {
      let newest = 0;
      const result = await within('begin immediate', (connection) =>
        fn(
          storeTransaction(connection, facts, (revision) => {
            newest = revision;
          }),
        ),
      );
      announce(newest);
      return result;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      if (closed) return;
      clearInterval(poll);
      closed = true;
      await last;
      await db.destroy();
    },
  };
}

/** A fact of the state, made when it is first asked for. */
async function fact(db: Database, name: string, make: () => string): Promise<string> {
  const row = await db.selectFrom('facts').select('value').where('name', '=', name).executeTakeFirst();
  if (row) return row.value;
  const value = make();
  await db.insertInto('facts').values({ name, value }).execute();
  return value;
}
