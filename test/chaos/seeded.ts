/** Random numbers from a seed (mulberry32), so that a run that failed can be made again. */
export interface Seeded {
  /** [0, 1). */
  (): number;
  /** A number from `from` up to, not including, `to`. */
  between(from: number, to: number): number;
  /** One of a list that is not empty. */
  pick<T>(list: readonly T[]): T;
}

/** The numbers of one seed, a 32-bit integer. */
export function seeded(seed: number): Seeded {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (from: number, to: number): number => from + next() * (to - from);
  return Object.assign(next, {
    between,
    pick: <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T,
  });
}
