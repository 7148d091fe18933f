import { type Batch, BrokerUnavailable, IdempotencyConflict } from '../port.ts';
import { sharedClock } from './clock.ts';
import type { AppendRequest, AppendResult } from './messages.ts';

/** Most requests and characters that wait for the disk; beyond them, `BrokerUnavailable`. */
const MAX_WAITING = 16_384;
const MAX_WAITING_CHARACTERS = 64 * 2 ** 20;
/** A publish that is not durable after this many ms is answered `BrokerUnavailable`. */
const PATIENCE = 5000;

/** A request between `append` and its answer. */
interface Waiting {
  readonly batch: Batch;
  readonly characters: number;
  readonly deadline: number;
  readonly resolve: (ids: readonly string[]) => void;
  readonly reject: (error: Error) => void;
  answered: boolean;
}

/** What `Appends` needs of the broker. */
export interface AppendsOptions {
  /** Sends requests to the writer; called once a turn. */
  readonly send: (requests: readonly AppendRequest[]) => void;
  /** Makes head and subscribers know a stored request; returns its ids. */
  readonly stored: (batch: Batch, seq: number, proof: string) => readonly string[];
  /** The ids of an earlier request. */
  readonly idsOf: (workspace: string, count: number, seq: number, proof: string) => readonly string[];
}

/** The requests that wait for the writer: bounded, sent once a turn, answered in order. */
export class Appends {
  readonly #options: AppendsOptions;
  readonly #waiting = new Map<number, Waiting>();
  #outgoing: AppendRequest[] = [];
  #characters = 0;
  #nextId = 1;
  #sending = false;
  #watch: NodeJS.Timeout | undefined;

  constructor(options: AppendsOptions) {
    this.#options = options;
  }

  /** Resolves with the ids once they are durable. Throws a `TypeError` for events that are not one line each. */
  add(batch: Batch): Promise<readonly string[]> {
    if (batch.events.length === 0 || batch.events.some((json) => json.includes('\n') || json.includes('\r'))) {
      throw new TypeError('a batch is one event or more, each a JSON text without line ends');
    }
    const events = batch.events.join('\n');
    if (this.#waiting.size >= MAX_WAITING || this.#characters + events.length > MAX_WAITING_CHARACTERS) {
      return Promise.reject(new BrokerUnavailable('too many appends wait for the disk'));
    }
    const id = this.#nextId++;
    const { workspace, idempotency } = batch;
    const deadline = sharedClock() + PATIENCE;
    const promise = new Promise<readonly string[]>((resolve, reject) => {
      this.#waiting.set(id, { batch, characters: events.length, deadline, resolve, reject, answered: false });
    });
    this.#characters += events.length;
    this.#outgoing.push({
      id,
      workspace,
      count: batch.events.length,
      events,
      deadline,
      ...(idempotency ? { idempotency } : {}),
    });
    this.#sendLater();
    return promise;
  }

  #sendLater(): void {
    if (this.#sending) return;
    this.#sending = true;
    setImmediate(() => {
      this.#sending = false;
      const requests = this.#outgoing;
      this.#outgoing = [];
      if (requests.length > 0) this.#options.send(requests);
    });
    this.#watch ??= setInterval(() => this.#giveUpLate(), 500).unref();
  }

  /** A disk that hangs answers nothing: the publishers get theirs here. What is committed later is still delivered. */
  #giveUpLate(): void {
    const now = sharedClock();
    for (const waiting of this.#waiting.values()) {
      if (waiting.deadline > now) break;
      if (waiting.answered) continue;
      waiting.answered = true;
      waiting.reject(new BrokerUnavailable('the disk did not answer in time'));
    }
    if (this.#waiting.size > 0) return;
    clearInterval(this.#watch);
    this.#watch = undefined;
  }

  /** Takes the writer's answers, in the order of the log. */
  settle(results: readonly AppendResult[]): void {
    for (const result of results) {
      const waiting = this.#waiting.get(result.id);
      if (!waiting) continue;
      this.#waiting.delete(result.id);
      this.#characters -= waiting.characters;
      this.#settleOne(waiting, result);
    }
  }

  #settleOne(waiting: Waiting, result: AppendResult): void {
    const { batch, resolve, reject } = waiting;
    switch (result.kind) {
      case 'stored':
        return resolve(this.#options.stored(batch, result.seq, result.proof));
      case 'repeated':
        return resolve(this.#options.idsOf(batch.workspace, batch.events.length, result.seq, result.proof));
      case 'conflict':
        return reject(new IdempotencyConflict('the key was used with another body'));
      case 'failed':
        return reject(new BrokerUnavailable(`the log cannot be written: ${result.detail}`));
    }
  }

  /** Rejects all that wait: the writer is gone. */
  fail(detail: string): void {
    for (const waiting of this.#waiting.values()) waiting.reject(new BrokerUnavailable(detail));
    this.#waiting.clear();
    this.#outgoing = [];
    this.#characters = 0;
    clearInterval(this.#watch);
    this.#watch = undefined;
  }

  /** Sends what is still here at once, before the writer is told to close. */
  flush(): void {
    const requests = this.#outgoing;
    this.#outgoing = [];
    if (requests.length > 0) this.#options.send(requests);
  }
}
