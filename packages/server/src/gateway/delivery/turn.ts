import type { Effects } from './effects.ts';

/** Most milliseconds of a loop turn that go to what can wait: heads of new streams, catching up, pings. */
const BUDGET = 4;

/** Something that is worked off in slices. */
export interface Work {
  /** Does one small piece; `false` when there is nothing left to do. */
  step(): boolean;
}

/**
 * What delivery does at the end of a loop turn: the flush of what this turn's events wait for, then
 * slices of other work, one after another, within a budget.
 */
export class Turn {
  readonly #effects: Effects;
  readonly #flush: () => void;
  #queue: Work[] = [];
  #planned = false;

  constructor(effects: Effects, flush: () => void) {
    this.#effects = effects;
    this.#flush = flush;
  }

  /** Sees to it that there is a flush at the end of this turn. */
  plan(): void {
    if (this.#planned) return;
    this.#planned = true;
    this.#effects.afterTurn(() => this.#run());
  }

  /** Queues work; what is queued already stays where it is. */
  add(work: Work): void {
    if (!this.#queue.includes(work)) this.#queue.push(work);
    this.plan();
  }

  #run(): void {
    this.#planned = false;
    this.#flush();
    const until = this.#effects.monotonic() + BUDGET;
    while (this.#queue.length > 0) {
      const work = this.#queue.shift();
      if (work?.step()) this.#queue.push(work);
      if (this.#effects.monotonic() >= until) break;
    }
    if (this.#queue.length > 0) this.plan();
  }
}
