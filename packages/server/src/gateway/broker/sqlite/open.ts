import type { Broker } from '../port.ts';

/** How much of the log is kept. Each bound counts on its own; 0 = no limit. */
export interface Retention {
  /** Seconds; 604,800 (a week) by default. */
  readonly maxAgeSeconds: number;
  /** Bytes of events as stored; 1 GiB by default. */
  readonly maxBytes: number;
  /** Number of events; 0 by default. */
  readonly maxEvents: number;
}

/** What the embedded log is opened with. */
export interface SqliteBrokerOptions {
  /** Path of `log.db`; made when absent (0600). One process at a time. */
  readonly file: string;
  readonly retention?: Partial<Retention>;
  /** Wall clock in ms, for retention and de-duplication; `Date.now` by default. */
  readonly now?: () => number;
}

/** The embedded log. */
export interface SqliteBroker extends Broker {
  /** Writes a consistent copy of the log to a new file, online. */
  backup(file: string): Promise<void>;
}

/** Thrown by `openSqliteBroker` when another process has the log open. */
export class LogInUse extends Error {
  override readonly name = 'LogInUse';
}

/** Opens the embedded log. Rejects with `LogInUse`, or with what SQLite says about the file. */
export async function openSqliteBroker(options: SqliteBrokerOptions): Promise<SqliteBroker> {
  throw new Error(`not built: ${options.file}`);
}
