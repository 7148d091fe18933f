/** When a stream ends by itself, on the monotonic clock (ms). */
export interface Ends {
  /** When its token dies. */
  readonly expiresAt: number;
  /** When its lifetime is over. */
  readonly endsAt: number;
}

/** What the ends of a stream are computed from. */
export interface Times {
  /** Wall clock, ms since 1970. */
  readonly now: number;
  readonly monotonic: number;
  /** [0, 1). */
  readonly random: number;
  /** When the token dies, ms since 1970. */
  readonly tokenExpiresAt: number;
  readonly lifetimeSeconds: number;
}

/**
 * The ends of a stream that opens now. The lifetime is a random 80 to 100 % of the allowed one, else
 * all streams that opened together would come back together. The token's end is armed on the monotonic
 * clock: a wall clock that is set back does not lengthen anyone's access.
 */
export function endsOf({ now, monotonic, random, tokenExpiresAt, lifetimeSeconds }: Times): Ends {
  return {
    expiresAt: monotonic + (tokenExpiresAt - now),
    endsAt: monotonic + lifetimeSeconds * 1000 * (0.8 + 0.2 * random),
  };
}
