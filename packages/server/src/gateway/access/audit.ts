import type { AuditEntry, Decisions } from '@centrali-io/protocol';
import type { Log } from '../../resource-server/index.ts';

/** What `AuditSpool` is made from. */
export interface AuditSpoolOptions {
  readonly decisions: Pick<Decisions, 'record'>;
  readonly log: Log;
  /** Wall clock, ms. */
  readonly now: () => number;
  /** Entries that may wait for IAM; when full, new admissions are refused. Default 10,000. */
  readonly capacity?: number;
  /** Pause between two calls, which collect what comes in between. Default 100 ms. */
  readonly intervalMs?: number;
  /** A call that takes longer has failed. Default 5,000 ms. */
  readonly deadlineMs?: number;
}

/** Most entries in one call; the port's limit. */
const BATCH = 256;
/** Most different sums (workspace, address, code) of refusals without a principal per minute. */
const MAX_SUMS = 10_000;
const MINUTE = 60_000;

/**
 * Takes the gateway's audit entries and hands them to IAM in batches. An answer never waits for it. What
 * IAM does not take is kept and tried again; when the spool is full, `isFull` says so and admissions stop.
 * Refusals of strangers are recorded once per workspace, address, code and minute, so that they can
 * neither fill the spool nor flood the log.
 */
export class AuditSpool {
  readonly #options: AuditSpoolOptions;
  readonly #capacity: number;
  #entries: AuditEntry[] = [];
  #sums = new Set<string>();
  #minute = 0;
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
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

  /** Entries that wait. */
  get waiting(): number {
    return this.#entries.length;
  }

  /** Records what a verified principal did or was refused. */
  add(entry: AuditEntry): void {
    if (this.isFull) {
      this.#dropped += 1;
      return;
    }
    this.#entries.push(entry);
    this.#schedule();
  }

  /** Records a refusal without a verified principal, if it is the first of its kind in this minute. */
  addStranger(entry: AuditEntry): void {
    const minute = Math.floor(this.#options.now() / MINUTE);
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#sums.clear();
    }
    const key = `${entry.workspace} ${entry.code ?? ''} ${entry.address ?? ''}`;
    if (this.#sums.has(key) || this.#sums.size >= MAX_SUMS) return;
    this.#sums.add(key);
    this.add(entry);
  }

  /** Sends what waits, once, and stops. For the end of the process. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#sending;
    for (let before = Number.POSITIVE_INFINITY; this.#entries.length > 0 && this.#entries.length < before; ) {
      before = this.#entries.length;
      await this.#send();
    }
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#sending !== undefined) return;
    const { intervalMs = 100 } = this.#options;
    const wait = intervalMs * 2 ** Math.min(this.#failures, 6);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#sending = this.#send().finally(() => {
        this.#sending = undefined;
        if (this.#entries.length > 0) this.#schedule();
      });
    }, wait).unref();
  }

  /** One call. Never rejects; what was not taken stays, in order. */
  async #send(): Promise<void> {
    const batch = this.#entries.slice(0, BATCH);
    const { decisions, log, deadlineMs = 5000 } = this.#options;
    try {
      await decisions.record(batch, AbortSignal.timeout(deadlineMs));
      this.#entries = this.#entries.slice(batch.length);
      if (this.#dropped > 0)
        log.error({ entries: this.#dropped }, 'Audit entries were lost while IAM did not take them');
      this.#dropped = 0;
      this.#failures = 0;
    } catch (error) {
      this.#failures += 1;
      if (this.#failures === 1) {
        log.warn({ error: error instanceof Error ? error.name : 'unknown' }, 'IAM does not take audit entries');
      }
    }
  }
}
