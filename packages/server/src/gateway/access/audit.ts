import type { AuditEntry, Decisions } from '@centrali-io/protocol';
import type { Log } from '../../resource-server/index.ts';

/** What `AuditSpool` is made from. */
export interface AuditSpoolOptions {
  readonly decisions: Pick<Decisions, 'record'>;
  readonly log: Log;
  /** Entries that may wait for IAM; when full, new admissions are refused. Default 10,000. */
  readonly capacity?: number;
  /** Pause between two calls, which collect what comes in between. Default 100 ms. */
  readonly intervalMs?: number;
  /** A call that takes longer has failed. Default 5,000 ms. */
  readonly deadlineMs?: number;
}

/** Most entries in one call; the port's limit. */
const BATCH = 256;
/** Most different sums (workspace, address, code) that wait at once. */
const MAX_SUMS = 1000;

/**
 * Takes the gateway's audit entries and hands them to IAM in batches. An answer never waits for it. What
 * IAM does not take is kept and tried again; when the spool is full, `isFull` says so and admissions stop.
 * Refusals of strangers are summed by workspace, address and code while they wait, and take no place of
 * the others, so that nobody can stop admissions or flood the log without a token.
 */
export class AuditSpool {
  readonly #options: AuditSpoolOptions;
  readonly #capacity: number;
  #entries: AuditEntry[] = [];
  #sums = new Map<string, AuditEntry & { count: number }>();
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<boolean> | undefined;
  #failures = 0;
  #dropped = 0;

  constructor(options: AuditSpoolOptions) {
    this.#options = options;
    this.#capacity = options.capacity ?? 10_000;
  }

  /** Whether new admissions must be refused, because they could not be recorded. */
  get isFull(): boolean {
    return this.#entries.length >= this.#capacity;
  }

  /** Entries that wait, sums included. */
  get waiting(): number {
    return this.#entries.length + this.#sums.size;
  }

  /**
   * Records what a verified principal did or was refused. Refusals take at most half of the room, then they are
   * summed: nobody is limited in being refused, and one principal must not stop the admissions of all others.
   */
  add(entry: AuditEntry): void {
    if (entry.kind === 'refuse' && this.#entries.length * 2 >= this.#capacity) return this.addStranger(entry);
    if (this.isFull) {
      this.#dropped += 1;
      return;
    }
    this.#entries.push(entry);
    this.#schedule();
  }

  /** Counts a refusal without a verified principal. Where there are too many kinds, the address is left out. */
  addStranger(entry: AuditEntry): void {
    const { address: _, ...rest } = entry;
    const known = this.#count(entry) || this.#count(rest) || this.#begin(entry) || this.#begin(rest);
    if (!known) this.#dropped += 1;
    this.#schedule();
  }

  /** Sends what waits, once, and stops. For the end of the process. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#sending;
    while (this.waiting > 0 && (await this.#send()));
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#sending !== undefined) return;
    const { intervalMs = 100 } = this.#options;
    const wait = intervalMs * 2 ** Math.min(this.#failures, 6);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#sending = this.#send();
      void this.#sending.then(() => {
        this.#sending = undefined;
        if (this.waiting > 0) this.#schedule();
      });
    }, wait).unref();
  }

  /** Adds to a sum that waits. */
  #count(entry: AuditEntry): boolean {
    const present = this.#sums.get(kindOf(entry));
    if (present) present.count += entry.count ?? 1;
    return present !== undefined;
  }

  /** Begins a sum; one that has no address has room of its own. */
  #begin(entry: AuditEntry): boolean {
    if (this.#sums.size >= (entry.address === undefined ? 2 * MAX_SUMS : MAX_SUMS)) return false;
    this.#sums.set(kindOf(entry), { ...entry, count: entry.count ?? 1 });
    return true;
  }

  /** One call. Never rejects; what was not taken stays, entries in their order. */
  async #send(): Promise<boolean> {
    const entries = this.#entries.slice(0, BATCH);
    const sums = [...this.#sums.values()].slice(0, BATCH - entries.length);
    for (const sum of sums) this.#sums.delete(kindOf(sum));
    const { decisions, log, deadlineMs = 5000 } = this.#options;
    try {
      await decisions.record([...entries, ...sums], AbortSignal.timeout(deadlineMs));
      this.#entries = this.#entries.slice(entries.length);
      if (this.#dropped > 0)
        log.error({ entries: this.#dropped }, 'Audit entries were lost while IAM did not take them');
      this.#dropped = 0;
      this.#failures = 0;
      return true;
    } catch (error) {
      for (const sum of sums) if (!this.#count(sum)) this.#sums.set(kindOf(sum), sum);
      this.#failures += 1;
      if (this.#failures === 1) {
        log.warn({ error: error instanceof Error ? error.name : 'unknown' }, 'IAM does not take audit entries');
      }
      return false;
    }
  }
}

function kindOf({ workspace, address, code, provider, sub }: AuditEntry): string {
  return JSON.stringify([workspace, address, code, provider, sub]);
}
