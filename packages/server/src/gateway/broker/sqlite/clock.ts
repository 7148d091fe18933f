/** A monotonic clock in ms that all threads of the process share (`performance.now` starts with each thread). */
export function sharedClock(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}
