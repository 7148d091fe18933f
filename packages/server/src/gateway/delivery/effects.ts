/** What delivery needs of the outer world; tests pass their own. */
export interface Effects {
  /** Wall clock, ms since 1970. */
  now(): number;
  /** Monotonic clock in ms: ends are armed on it, so that no change of the wall clock moves them. */
  monotonic(): number;
  /** [0, 1). */
  random(): number;
  /** Runs `task` once in a later phase of this loop turn (`setImmediate`). */
  afterTurn(task: () => void): void;
  /** Runs `task` once after `milliseconds`; returns what cancels it. Does not keep the process alive. */
  timer(milliseconds: number, task: () => void): () => void;
}

/** The real clocks, timers and random numbers. */
export const EFFECTS: Effects = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  random: () => Math.random(),
  afterTurn: (task) => {
    setImmediate(task);
  },
  timer: (milliseconds, task) => {
    // A Node timer past 2^31-1 ms fires at once.
    const timer = setTimeout(task, Math.min(milliseconds, 2 ** 31 - 1)).unref();
    return () => clearTimeout(timer);
  },
};
