import type { Effects } from '../delivery/effects.ts';
import type { Random } from './random.fixture.ts';

interface Task {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
  /** Tasks of one channel keep their order: they are bytes of one connection. */
  readonly channel: string | undefined;
  readonly isTimer: boolean;
  cancelled: boolean;
}

/**
 * The world's clock and everything that is going to happen. What is due at the same time happens in an order
 * that the seed chooses, except along one channel. After each task every promise that can go on goes on.
 */
export class Scheduler implements Effects {
  readonly #random: Random;
  /** Whole milliseconds since the beginning of the world. */
  time = 1000;
  #tasks: Task[] = [];
  #order = 0;
  readonly #channels = new Map<string, number>();

  constructor(random: Random) {
    this.#random = random;
  }

  now(): number {
    return Date.UTC(2025, 0, 1) + this.time;
  }

  monotonic(): number {
    return this.time;
  }

  random(): number {
    return this.#random.next();
  }

  afterTurn(task: () => void): void {
    this.post(0, task);
  }

  timer(milliseconds: number, task: () => void): () => void {
    const timer = this.#add(this.time + Math.ceil(Math.max(0, milliseconds)), task, undefined, true);
    return () => {
      timer.cancelled = true;
    };
  }

  /** Lets something happen after a while. */
  post(milliseconds: number, run: () => void, channel?: string): void {
    let at = this.time + milliseconds;
    if (channel !== undefined) {
      at = Math.max(at, this.#channels.get(channel) ?? 0);
      this.#channels.set(channel, at);
    }
    this.#add(at, run, channel);
  }

  #add(at: number, run: () => void, channel?: string, isTimer = false): Task {
    const task: Task = { at, order: this.#order++, run, channel, isTimer, cancelled: false };
    this.#tasks.push(task);
    return task;
  }

  /** Does what comes next, up to a time; `false` when nothing is left before it. */
  async step(until: number): Promise<boolean> {
    this.#tasks = this.#tasks.filter(({ cancelled }) => !cancelled);
    let due = this.#tasks.filter(({ at }) => at <= this.time);
    if (due.length === 0) {
      const next = this.#tasks.reduce((soonest, { at }) => Math.min(soonest, at), Number.POSITIVE_INFINITY);
      if (next > until) {
        this.time = Math.max(this.time, until);
        return false;
      }
      this.time = next;
      due = this.#tasks.filter(({ at }) => at <= next);
    }
    // A loop that was stalled begins its next turn with the timers that are overdue.
    const overdue = due.filter(({ at, isTimer }) => isTimer && at < this.time);
    const chosen = this.#random.pick(overdue.length > 0 ? overdue : due);
    const task =
      chosen.channel === undefined
        ? chosen
        : due.filter(({ channel }) => channel === chosen.channel).reduce((a, b) => (a.order < b.order ? a : b));
    this.#tasks.splice(this.#tasks.indexOf(task), 1);
    task.run();
    await this.settle();
    return true;
  }

  /** Lets promises settle: whatever they wait for, other than a task of this world, is done then. */
  settle(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }
}
