/** The one file that knows `node:sqlite`: kysely's SQLite dialect over it. */
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { SqliteDialect } from 'kysely';

/** Prepared statements that are kept: a program has a few hundred shapes. */
const STATEMENTS = 500;

/** A database file, its dialect for kysely, and a number that changes when another connection writes. */
export interface NodeSqlite {
  readonly dialect: SqliteDialect;
  /** SQLite's `data_version`: differs from the last value when another connection has committed since. */
  dataVersion(): number;
  close(): void;
}

/**
 * Opens the file in WAL mode. `synchronous=FULL`: a commit that was answered survives a power cut, which
 * a revocation must. Waits up to 5 s for another process that writes.
 */
export function openNodeSqlite(file: string): NodeSqlite {
  const database = new DatabaseSync(file, { timeout: 5_000 });
  for (const pragma of ['journal_mode = WAL', 'synchronous = FULL', 'foreign_keys = ON'])
    database.exec(`pragma ${pragma}`);
  const version = database.prepare('pragma data_version');
  const statements = new Map<string, StatementSync>();
  const prepare = (sql: string): StatementSync => {
    const kept = statements.get(sql);
    if (kept) return kept;
    const statement = database.prepare(sql);
    if (statements.size >= STATEMENTS) statements.clear();
    statements.set(sql, statement);
    return statement;
  };
  let open = true;
  const close = (): void => {
    if (open) database.close();
    open = false;
  };
  return {
    dialect: new SqliteDialect({
      database: {
        close,
        prepare(sql) {
          const statement = prepare(sql);
          return {
            reader: statement.columns().length > 0,
            all: (parameters) => statement.all(...(parameters as SQLInputValue[])),
            run: (parameters) => statement.run(...(parameters as SQLInputValue[])),
            iterate: (parameters) => statement.iterate(...(parameters as SQLInputValue[])),
          };
        },
      },
    }),
    dataVersion: () => Number(version.get()?.data_version),
    close,
  };
}
