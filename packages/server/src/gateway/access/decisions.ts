import {
  type CheckAnswer,
  type CheckRequest,
  type Decisions,
  MAX_CHECKS,
  parseCheckAnswers,
} from '@centrali-io/protocol';
import { Refusal } from '../../resource-server/index.ts';

/** A check without the gateway's place in the feed, which is added when it is sent. */
export type Question = Omit<CheckRequest, 'atLeast'>;

/** What `DecisionQueue` is made from. */
export interface DecisionQueueOptions {
  readonly decisions: Pick<Decisions, 'check'>;
  readonly feed: { readonly revision: number; newestChange(workspace: string): number };
  /** A call that takes longer has failed. Default 2,000 ms. */
  readonly deadlineMs?: number;
  /** Most questions that wait at once; beyond it AUTH_ERROR. Default 10,000. */
  readonly maxWaiting?: number;
  /** Runs a task at the end of this loop turn; `setImmediate` by default. */
  readonly afterTurn?: (task: () => void) => void;
}

interface Waiting {
  readonly question: Question;
  readonly resolve: (answer: CheckAnswer) => void;
  readonly reject: (refusal: Refusal) => void;
}

/** An answer older than the newest change of its workspace is asked for again, so often. */
const REPEATS = 2;

/**
 * Step 4 of the connection flow: asks IAM. The questions of one loop turn go out in one call. Whatever
 * is not an answer to the question (failure, time-out, garbage, a number of answers that does not fit)
 * is `AUTH_ERROR`: nobody is let in on a doubt, nobody's token is called invalid for our outage.
 */
export class DecisionQueue {
  readonly #decisions: DecisionQueueOptions['decisions'];
  readonly #feed: DecisionQueueOptions['feed'];
  readonly #deadline: number;
  readonly #maxWaiting: number;
  readonly #afterTurn: (task: () => void) => void;
  #waiting: Waiting[] = [];
  #count = 0;

  constructor(options: DecisionQueueOptions) {
    this.#decisions = options.decisions;
    this.#feed = options.feed;
    this.#deadline = options.deadlineMs ?? 2000;
    this.#maxWaiting = options.maxWaiting ?? 10_000;
    this.#afterTurn = options.afterTurn ?? ((task) => void setImmediate(task));
  }

  /**
   * The answer to one question.
   *
   * @throws Refusal `AUTH_ERROR`
   */
  async ask(question: Question): Promise<CheckAnswer> {
    for (let asked = 0; asked <= REPEATS; asked++) {
      const answer = await this.#enqueue(question);
      if (answer.revision >= this.#feed.newestChange(question.workspace)) return answer;
    }
    throw new Refusal('AUTH_ERROR', 'decision_stale');
  }

  async #enqueue(question: Question): Promise<CheckAnswer> {
    if (this.#count >= this.#maxWaiting) throw new Refusal('AUTH_ERROR', 'rpc_overload');
    this.#count += 1;
    try {
      return await new Promise<CheckAnswer>((resolve, reject) => {
        if (this.#waiting.push({ question, resolve, reject }) === 1) this.#afterTurn(() => this.#flush());
      });
    } finally {
      this.#count -= 1;
    }
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (let at = 0; at < waiting.length; at += MAX_CHECKS) void this.#send(waiting.slice(at, at + MAX_CHECKS));
  }

  /** One call. Never rejects: each of the batch gets its answer or its refusal. */
  async #send(batch: readonly Waiting[]): Promise<void> {
    const deadline = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new Refusal('AUTH_ERROR', 'rpc_timeout'));
        deadline.abort();
      }, this.#deadline);
    });
    try {
      const atLeast = this.#feed.revision;
      const requests = batch.map(({ question }) => ({ ...question, atLeast }));
      // In a function of its own, so that a synchronous throw of an adapter is a failure like any other.
      const call = (async () => this.#decisions.check(requests, deadline.signal))();
      const answers = parseCheckAnswers(await Promise.race([call, late]), batch.length);
      if (!answers) throw new Refusal('AUTH_ERROR', 'rpc_garbage');
      answers.forEach((answer, index) => batch[index]?.resolve(answer));
    } catch (error) {
      const refusal = error instanceof Refusal && error.code === 'AUTH_ERROR' ? error : undefined;
      const reason = refusal ?? new Refusal('AUTH_ERROR', 'rpc_failed', { cause: error });
      for (const { reject } of batch) reject(reason);
    } finally {
      clearTimeout(timer);
    }
  }
}
