/** When a stream ends by itself, on the monotonic clock (ms). */
export interface Ends {
  /** When its token dies. */
  readonly expiresAt: number;
  /** When its client is told that the token dies soon. */
  readonly expiringAt: number;
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
    ...tokenEndsOf({ now, monotonic, random, tokenExpiresAt }),
    endsAt: monotonic + lifetimeSeconds * 1000 * (0.8 + 0.2 * random),
  };
}

/** Longest time between `expiring` and the end of the token, in ms. */
const MAX_LEAD = 60_000;
/** The same as a part of what is left of the token's life, for short ones. */
const LEAD = 0.2;

/**
 * The end of a token, and the moment of `expiring` before it: a fifth of what is left of its life, at most
 * 60 s, and of that a random 50 to 100 %, so that streams whose tokens die together do not all renew at once.
 */
export function tokenEndsOf({
  now,
  monotonic,
  random,
  tokenExpiresAt,
}: Omit<Times, 'lifetimeSeconds'>): Omit<Ends, 'endsAt'> {
  const left = tokenExpiresAt - now;
  const lead = Math.min(MAX_LEAD, left * LEAD) * (0.5 + 0.5 * random);
  return { expiresAt: monotonic + left, expiringAt: monotonic + left - lead };
}
