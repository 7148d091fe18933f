import { createHmac } from 'node:crypto';
import { RateLimiterMemory } from 'rate-limiter-flexible';

/** Buckets of a table: its size is bounded whatever comes, and a salt keeps anyone from choosing a neighbour. */
const BUCKETS = 65_536;

/** Counts what happens per minute, by any key. */
export class RateTable {
  readonly #salt: Uint8Array;
  readonly #limiter: RateLimiterMemory | undefined;

  /** `perMinute`: 0 = no limit. */
  constructor(perMinute: number, randomBytes: (size: number) => Uint8Array) {
    this.#salt = randomBytes(16);
    this.#limiter = perMinute > 0 ? new RateLimiterMemory({ points: perMinute, duration: 60 }) : undefined;
  }

  /** Counts one; seconds to wait when there were too many. */
  async take(key: string): Promise<number | undefined> {
    try {
      await this.#limiter?.consume(this.#bucket(key));
      return undefined;
    } catch (refused) {
      return secondsOf(refused);
    }
  }

  /** Seconds to wait when the next one would be too many. */
  async wait(key: string): Promise<number | undefined> {
    const state = await this.#limiter?.get(this.#bucket(key));
    return this.#limiter && state && state.consumedPoints >= this.#limiter.points ? secondsOf(state) : undefined;
  }

  #bucket(key: string): string {
    return String(createHmac('sha256', this.#salt).update(key).digest().readUInt32BE() % BUCKETS);
  }
}

function secondsOf(state: unknown): number {
  const { msBeforeNext = 1_000 } = state as { msBeforeNext?: number };
  return Math.max(1, Math.ceil(msBeforeNext / 1_000));
}

/** What stands for an address in limits: an IPv6 client has a whole /64 to itself, its first four groups. */
export function networkOf(address: string): string {
  if (!address.includes(':') || address.includes('.')) return address;
  const [head = '', tail] = address.split('::');
  const left = head.split(':').filter(Boolean);
  const right = (tail ?? '').split(':').filter(Boolean);
  const groups = tail === undefined ? left : [...left, ...Array(8 - left.length - right.length).fill('0'), ...right];
  return groups.slice(0, 4).join(':');
}
