import { MAX_CHECKS } from '@centrali-io/protocol';
import type { Effects } from '../delivery/effects.ts';
import type { Bound } from './bound.ts';
import { isCurrent, type Known } from './decisions.ts';
import type { Decided, Question } from './question.ts';
import { callIam, type Rpc } from './rpc-call.ts';
import { questionOf } from './subject.ts';

/** What `Recheck` is made from. */
export interface RecheckOptions extends Omit<Rpc, 'effects'> {
  readonly feed: Known;
  readonly effects: Pick<Effects, 'monotonic' | 'timer' | 'afterTurn'>;
  /** A stream's reasons have been decided on anew. */
  readonly onDecided: (bound: Bound, decided: Decided) => void;
}

/** Calls under way at once: more would only take turns from new connects. */
const MAX_CALLS = 4;
/** Pause before a question that was not answered, or by a node that is behind, is asked again: doubles up to the last. In ms. */
const RETRY_FROM = 50;
const RETRY_TO = 800;

/**
 * Asks IAM again about open streams, in batches: whose reasons a change has touched, or whose reasons are
 * unproven while the feed is away. Asks until there is an answer that is new enough; how long a stream may
 * wait for it is its own bound.
 */
export class Recheck {
  readonly #options: RecheckOptions;
  readonly #waiting = new Set<Bound>();
  #queue: Bound[] = [];
  #later: Bound[] = [];
  #calls = 0;
  #failures = 0;
  #planned = false;

  constructor(options: RecheckOptions) {
    this.#options = options;
  }

  /** Streams that wait for their next decision, those that are being asked about included. */
  get waiting(): ReadonlySet<Bound> {
    return this.#waiting;
  }

  /** Asks about a stream at the end of this turn. One that waits already is not asked about twice. */
  add(bound: Bound): void {
    if (bound.queued) return;
    bound.queued = true;
    this.#waiting.add(bound);
    this.#queue.push(bound);
    this.#plan();
  }

  /** The stream is over, or was decided on by a renewal: it is not asked about any more. */
  drop(bound: Bound): void {
    bound.queued = false;
    this.#waiting.delete(bound);
  }

  #plan(): void {
    if (this.#planned) return;
    this.#planned = true;
    this.#options.effects.afterTurn(() => {
      this.#planned = false;
      this.#pump();
    });
  }

  #pump(): void {
    while (this.#calls < MAX_CALLS && this.#queue.length > 0) {
      const batch = this.#queue.splice(0, MAX_CHECKS).filter(({ queued }) => queued);
      if (batch.length > 0) void this.#ask(batch);
    }
  }

  /** One call. Never rejects. */
  async #ask(batch: readonly Bound[]): Promise<void> {
    const { feed, effects, onDecided } = this.#options;
    const { generation, revision: atLeast } = feed;
    const askedAt = effects.monotonic();
    this.#calls += 1;
    try {
      const tokens = batch.map(({ access }) => access.token);
      const questions = batch.map((bound) => questionAbout(bound));
      const answers = await callIam(
        this.#options,
        questions.map((question) => ({ ...question, atLeast })),
      );
      let behind = false;
      answers.forEach((answer, index) => {
        const bound = batch[index];
        const question = questions[index];
        if (!bound?.queued || !question) return;
        const decided = { answer, generation, askedAt };
        if (bound.access.token !== tokens[index]) this.#queue.push(bound);
        else if (isCurrent(feed, question, decided)) {
          this.drop(bound);
          onDecided(bound, decided);
        } else if (answer.revision >= atLeast || feed.generation !== generation) {
          // What it does not know came after the question.
          this.#queue.push(bound);
        } else {
          behind = true;
          this.#later.push(bound);
        }
      });
      this.#failures = behind ? this.#failures + 1 : 0;
    } catch {
      this.#failures += 1;
      this.#later.push(...batch);
    } finally {
      this.#calls -= 1;
      this.#pump();
      this.#again();
    }
  }

  /** Puts what was not decided back into the queue, after a pause. */
  #again(): void {
    if (this.#later.length === 0 || this.#calls > 0) return;
    const later = this.#later;
    this.#later = [];
    const pause = Math.min(RETRY_TO, RETRY_FROM * 2 ** Math.min(this.#failures - 1, 10));
    this.#options.effects.timer(pause, () => {
      this.#queue.push(...later);
      this.#pump();
    });
  }
}

/** The question of step 4, about what a stream lives on. */
function questionAbout({ access: { principal, token, workspace, permission } }: Bound): Question {
  return questionOf({ provider: principal.provider, sub: principal.sub, token }, workspace, permission);
}
