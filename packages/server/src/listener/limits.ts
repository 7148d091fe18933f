/** Limits per client address: they come before anything costly, cryptography above all. */

/** Limits of one listener process. 0 = no limit. */
export interface AddressLimits {
  /** Open event streams of one address; 1,000 by default. */
  readonly connectionsPerAddress: number;
  /** Streams that one address may ask for per second; twice that in a burst. Refused tokens count, too. 100 by default. */
  readonly connectsPerSecondPerAddress: number;
}

/** Most addresses that are remembered; the one not seen for the longest time goes first. */
const MAX_ADDRESSES = 50_000;

interface Entry {
  open: number;
  /** Attempts that are left, refilled as time goes by. */
  tokens: number;
  /** Monotonic ms of the last refill. */
  at: number;
}

/** Counts open streams and attempts per address, in a bounded table. */
export class AddressTable {
  readonly #limits: AddressLimits;
  readonly #monotonic: () => number;
  readonly #capacity: number;
  /** In the order of the last use: the first is the one not seen for the longest time. */
  readonly #entries = new Map<string, Entry>();

  constructor(limits: AddressLimits, monotonic: () => number, capacity: number = MAX_ADDRESSES) {
    this.#limits = limits;
    this.#monotonic = monotonic;
    this.#capacity = capacity;
  }

  /** Takes one attempt. False: there are none left in this second. */
  attempt(key: string): boolean {
    const rate = this.#limits.connectsPerSecondPerAddress;
    if (rate === 0) return true;
    const entry = this.#touch(key);
    if (entry.tokens < 1) return false;
    entry.tokens -= 1;
    return true;
  }

  /** Charges an attempt after the fact (a token that was refused), never below none. */
  charge(key: string): void {
    if (this.#limits.connectsPerSecondPerAddress === 0) return;
    const entry = this.#touch(key);
    entry.tokens = Math.max(0, entry.tokens - 1);
  }

  /** Whether an attempt is left, without taking it. */
  hasAttempts(key: string): boolean {
    return this.#limits.connectsPerSecondPerAddress === 0 || this.#touch(key).tokens >= 1;
  }

  /** Takes a slot for an open stream; returns what gives it back (once), or `undefined` when all are taken. */
  open(key: string): (() => void) | undefined {
    const entry = this.#touch(key);
    const limit = this.#limits.connectionsPerAddress;
    if (limit !== 0 && entry.open >= limit) return undefined;
    entry.open += 1;
    let given = false;
    return () => {
      if (given) return;
      given = true;
      entry.open -= 1;
    };
  }

  /** Addresses in the table. */
  get size(): number {
    return this.#entries.size;
  }

  #touch(key: string): Entry {
    const now = this.#monotonic();
    const burst = this.#limits.connectsPerSecondPerAddress * 2;
    let entry = this.#entries.get(key);
    if (entry) {
      const refill = ((now - entry.at) / 1000) * this.#limits.connectsPerSecondPerAddress;
      entry.tokens = Math.min(burst, entry.tokens + refill);
      entry.at = now;
      this.#entries.delete(key);
    } else {
      if (this.#entries.size >= this.#capacity) this.#forgetOne();
      entry = { open: 0, tokens: burst, at: now };
    }
    this.#entries.set(key, entry);
    return entry;
  }

  /** Forgets the oldest entry without open streams; one with streams goes to the end instead. */
  #forgetOne(): void {
    for (let tries = 0; tries < 64; tries += 1) {
      const oldest = this.#entries.entries().next().value;
      if (!oldest) return;
      const [key, entry] = oldest;
      this.#entries.delete(key);
      if (entry.open === 0) return;
      this.#entries.set(key, entry);
    }
    // All of the oldest hold streams: the table is as large as the streams are many, which are bounded.
  }
}
