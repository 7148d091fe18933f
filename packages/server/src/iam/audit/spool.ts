import type { Log } from '../../resource-server/index.ts';
import type { NewAuditRow, Store } from '../store/port.ts';

/** Rows that wait for their commit at most. */
const MAX_WAITING = 10_000;

/** Sums that are kept at most; past it they are written before their minute is over. */
const MAX_SUMS = 1_000;

/** Options of `AuditSpool`. */
export interface AuditSpoolOptions {
  readonly store: Store;
  readonly log: Log;
  /** Milliseconds that rows wait for others to share a commit with. Default 50. */
  readonly gatherMilliseconds?: number;
}

/**
 * Audit rows on their way into the store: written in groups and not awaited. What nobody verified is
 * summed, one row per workspace, address, code and minute, so that nobody can flood the log.
 */
export class AuditSpool {
  readonly #store: Store;
  readonly #log: Log;
  readonly #gather: number;
  readonly #sums = new Map<string, NewAuditRow & { count: number }>();
  #minute = 0;
  #waiting: NewAuditRow[] = [];
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor({ store, log, gatherMilliseconds = 50 }: AuditSpoolOptions) {
    this.#store = store;
    this.#log = log;
    this.#gather = gatherMilliseconds;
  }

  /** Whether rows can be taken; when not, nothing that must be recorded may be let in. */
  get open(): boolean {
    return this.#waiting.length < MAX_WAITING;
  }

  /** Takes a row about a verified principal. When the spool is full it is dropped: ask `open` before. */
  push(row: NewAuditRow): void {
    if (!this.open) return;
    this.#waiting.push(row);
    this.#schedule();
  }

  /** Takes a row about a refusal that no verified principal stands behind. */
  sum(row: NewAuditRow): void {
    const minute = Math.floor(row.at / 60_000);
    if (minute !== this.#minute || this.#sums.size >= MAX_SUMS) this.#release();
    this.#minute = minute;
    const key = JSON.stringify([row.workspace, row.address, row.kind, row.code]);
    const present = this.#sums.get(key);
    if (present) present.count += row.count ?? 1;
    else this.#sums.set(key, { ...row, count: row.count ?? 1 });
    this.#schedule();
  }

  /** Writes everything that is here, sums too. */
  async flush(): Promise<void> {
    this.#release();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#write();
  }

  /** Writes the sums of past minutes; call it at least once a minute. */
  async tick(now: number): Promise<void> {
    if (Math.floor(now / 60_000) !== this.#minute) this.#release();
    await this.#write();
  }

  #release(): void {
    for (const row of this.#sums.values()) if (this.open) this.#waiting.push(row);
    this.#sums.clear();
  }

  #schedule(): void {
    if (this.#timer || this.#waiting.length === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#write();
    }, this.#gather);
    this.#timer.unref();
  }

  /** One write at a time; rows that it could not write go back to the front. */
  #write(): Promise<void> {
    this.#writing = this.#writing.then(async () => {
      const rows = this.#waiting;
      if (rows.length === 0) return;
      this.#waiting = [];
      try {
        await this.#store.transaction(async (tx) => {
          const known = new Set<string | null>([null]);
          for (const slug of new Set(rows.map(({ workspace }) => workspace)))
            if (slug !== null && (await tx.workspaces.get(slug))) known.add(slug);
          await tx.audit.append(rows.filter(({ workspace }) => known.has(workspace)));
        });
      } catch (error) {
        this.#waiting = [...rows, ...this.#waiting].slice(0, MAX_WAITING);
        this.#log.error({ error: String(error), rows: this.#waiting.length }, 'Audit rows could not be written');
        this.#schedule();
      }
    });
    return this.#writing;
  }
}
