import { type CheckAnswer, MAX_CHECKS } from '@centrali-io/protocol';
import { Refusal } from '../../resource-server/index.ts';
import type { Effects } from '../delivery/effects.ts';
import { DecisionCache, keyOfQuestion } from './decision-cache.ts';
import { type NewestChanges, namesOfDecision } from './newest-changes.ts';
import type { Allowed, Decided, Question } from './question.ts';
import { callIam, type Rpc } from './rpc-call.ts';

/** What the change feed knows, as far as answers are held against it. */
export interface Known {
  readonly revision: number;
  readonly generation: number;
  readonly isLive: boolean;
  readonly newest: Pick<NewestChanges, 'of'>;
}

/** What `DecisionQueue` is made from. */
export interface DecisionQueueOptions extends Omit<Rpc, 'effects'> {
  readonly feed: Known;
  readonly effects: Pick<Effects, 'monotonic' | 'timer' | 'afterTurn'>;
  /** Most questions that wait at once; beyond it AUTH_ERROR. Default 10,000. */
  readonly maxWaiting?: number;
  readonly cache?: DecisionCache;
  /** Told of each question whether it was answered from the cache. */
  readonly onCache?: ((hit: boolean) => void) | undefined;
}

interface Waiting {
  readonly question: Question;
  readonly resolve: (decided: Decided) => void;
  readonly reject: (refusal: unknown) => void;
}

/** An answer that is too old is asked for again so often, after a pause: another node may be behind. In ms. */
const REPEATS: readonly number[] = [25, 100];

/**
 * Step 4 of the connection flow: what IAM says, or has said and nothing has changed since. The questions of
 * one loop turn go out in one call.
 */
export class DecisionQueue {
  readonly #options: DecisionQueueOptions;
  readonly #cache: DecisionCache;
  #waiting: Waiting[] = [];
  #count = 0;

  constructor(options: DecisionQueueOptions) {
    this.#options = options;
    this.#cache = options.cache ?? new DecisionCache();
  }

  /**
   * The answer to one question: not older than the newest change seen of anything it hangs on.
   *
   * @throws Refusal `AUTH_ERROR`
   */
  async ask(question: Question): Promise<Decided> {
    const key = keyOfQuestion(question);
    const cached = this.#cached(key, question);
    this.#options.onCache?.(cached !== undefined);
    if (cached) return cached;
    for (let asked = 0; ; asked++) {
      const decided = await this.#enqueue(question);
      if (isCurrent(this.#options.feed, question, decided)) {
        const { answer } = decided;
        // What comes while the feed is away may be kept: it is looked at only when the feed knows all again.
        if (answer.decision === 'allowed') this.#cache.set(key, { ...decided, answer });
        return decided;
      }
      const pause = REPEATS[asked];
      if (pause === undefined) throw new Refusal('AUTH_ERROR', 'decision_stale');
      await new Promise<void>((resolve) => this.#options.effects.timer(pause, resolve));
    }
  }

  /** Decisions that are kept. */
  get kept(): number {
    return this.#cache.size;
  }

  #cached(key: string, question: Question): Decided<Allowed> | undefined {
    const { feed } = this.#options;
    if (!feed.isLive) return undefined;
    const cached = this.#cache.get(key);
    if (!cached || (isCurrent(feed, question, cached) && this.#holds(cached))) return cached;
    this.#cache.delete(key);
    return undefined;
  }

  /** Counted from before IAM was asked: the end is never later than IAM's. */
  #holds({ answer, askedAt }: Decided<Allowed>): boolean {
    return answer.holdsMs === undefined || this.#options.effects.monotonic() - askedAt < answer.holdsMs;
  }

  async #enqueue(question: Question): Promise<Decided> {
    const { maxWaiting = 10_000, effects } = this.#options;
    if (this.#count >= maxWaiting) throw new Refusal('AUTH_ERROR', 'rpc_overload');
    this.#count += 1;
    try {
      return await new Promise<Decided>((resolve, reject) => {
        if (this.#waiting.push({ question, resolve, reject }) === 1) effects.afterTurn(() => this.#flush());
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
    const { feed, effects } = this.#options;
    const { generation, revision: atLeast } = feed;
    const askedAt = effects.monotonic();
    try {
      const answers = await callIam(
        this.#options,
        batch.map(({ question }) => ({ ...question, atLeast })),
      );
      answers.forEach((answer, index) => batch[index]?.resolve({ answer, generation, askedAt }));
    } catch (refusal) {
      for (const { reject } of batch) reject(refusal);
    }
  }
}

/** Whether a decision is not older than the newest change seen of anything that it hangs on. */
export function isCurrent(
  { generation, newest }: Pick<Known, 'generation' | 'newest'>,
  question: Parameters<typeof namesOfDecision>[0],
  decided: {
    readonly generation: number;
    readonly answer: Pick<CheckAnswer, 'revision'> & { roles?: readonly string[] };
  },
): boolean {
  const { revision, roles } = decided.answer;
  return decided.generation === generation && revision >= newest.of(namesOfDecision(question, roles));
}
