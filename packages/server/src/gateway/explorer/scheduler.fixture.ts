import type { Effects } from '../delivery/effects.ts';
import type { Random } from './random.fixture.ts';

interface Task {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
  /** Tasks of one channel keep their order: they are bytes of one connection. */
  readonly channel: string | undefined;
  /** A timer of the gateway, something that comes to it, or something that happens elsewhere. */
  readonly kind: 'timer' | 'message' | 'elsewhere';
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
    const timer = this.#add(this.time + Math.ceil(Math.max(0, milliseconds)), task, undefined, 'timer');
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

  /** Lets something happen in another process after a while. */
  elsewhere(milliseconds: number, run: () => void): void {
    this.#add(this.time + milliseconds, run, undefined, 'elsewhere');
  }

  /** The gateway's loop stands still for a while, in which the other processes go on. */
  stall(milliseconds: number): void {
    const until = this.time + milliseconds;
    for (;;) {
      const next = this.#tasks
        .filter(({ at, kind, cancelled }) => kind === 'elsewhere' && !cancelled && at <= until)
        .toSorted((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#tasks.splice(this.#tasks.indexOf(next), 1);
      this.time = Math.max(this.time, next.at);
      next.run();
    }
    this.time = until;
  }

  #add(at: number, run: () => void, channel?: string, kind: Task['kind'] = 'message'): Task {
    const task: Task = { at, order: this.#order++, run, channel, kind, cancelled: false };
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
    const overdue = due.filter(({ at, kind }) => kind === 'timer' && at < this.time);
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
