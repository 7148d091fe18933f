/** What the SDK takes from its surroundings, so that tests can bring their own. */
export interface Environment {
  /** Milliseconds since 1970. It goes on while the machine sleeps, which is how sleep is noticed. */
  now(): number;
  /** From 0 up to 1. */
  random(): number;
  /** Calls `run` once after `ms` milliseconds; the answer cancels it. */
  after(ms: number, run: () => void): () => void;
}

/** A timer of more fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** The real surroundings; looked up at each call, so that fake timers work. */
export const systemEnvironment: Environment = {
  now: () => Date.now(),
  random: () => Math.random(),
  after(ms, run) {
    const timer = setTimeout(run, Math.min(ms, MAX_TIMER_MS));
    return () => clearTimeout(timer);
  },
};
