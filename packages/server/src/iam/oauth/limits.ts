import { createHmac } from 'node:crypto';
import { RateLimiterMemory } from 'rate-limiter-flexible';

/** Buckets of a table: its size is bounded whatever comes, and a salt keeps anyone from choosing a neighbour. */
const BUCKETS = 65_536;

/** Pairs of client and address that authenticated before; the oldest is forgotten first. */
const MAX_KNOWN = 10_000;

/** Options of `OAuthLimits`; 0 = no limit. */
export interface OAuthLimitOptions {
  readonly requestsPerMinutePerAddress: number;
  readonly failuresPerMinutePerClient: number;
  readonly failuresPerMinutePerAddress: number;
  readonly randomBytes: (size: number) => Uint8Array;
}

/**
 * Limits of the OAuth endpoints, by address and by client id (RFC 6749 section 2.3.1). Failures are what
 * counts; a client that has authenticated from an address before is never locked out there by failures
 * of others, since its right secret is let through.
 */
export class OAuthLimits {
  readonly #salt: Uint8Array;
  readonly #requests: RateLimiterMemory | undefined;
  readonly #clientFailures: RateLimiterMemory | undefined;
  readonly #addressFailures: RateLimiterMemory | undefined;
  readonly #known = new Set<string>();

  constructor(options: OAuthLimitOptions) {
    this.#salt = options.randomBytes(16);
    this.#requests = limiter(options.requestsPerMinutePerAddress);
    this.#clientFailures = limiter(options.failuresPerMinutePerClient);
    this.#addressFailures = limiter(options.failuresPerMinutePerAddress);
  }

  /** Counts a request; seconds to wait when there were too many. */
  async request(address: string): Promise<number | undefined> {
    return await consume(this.#requests, this.#bucket(network(address)));
  }

  /** Seconds to wait when a client has failed too often, from this address or from anywhere. */
  async blocked(clientId: string, address: string): Promise<number | undefined> {
    const waits = [
      await peek(this.#clientFailures, this.#bucket(clientId)),
      await peek(this.#addressFailures, this.#bucket(network(address))),
    ].filter((wait) => wait !== undefined);
    return waits.length === 0 ? undefined : Math.max(...waits);
  }

  /** Counts a failure. */
  async failed(clientId: string, address: string): Promise<void> {
    await consume(this.#clientFailures, this.#bucket(clientId));
    await consume(this.#addressFailures, this.#bucket(network(address)));
  }

  /** Whether the client has authenticated from this address before. */
  isKnown(clientId: string, address: string): boolean {
    return this.#known.has(`${clientId} ${network(address)}`);
  }

  succeeded(clientId: string, address: string): void {
    const pair = `${clientId} ${network(address)}`;
    this.#known.delete(pair);
    this.#known.add(pair);
    if (this.#known.size > MAX_KNOWN) for (const oldest of this.#known.values()) return void this.#known.delete(oldest);
  }

  #bucket(key: string): string {
    return String(createHmac('sha256', this.#salt).update(key).digest().readUInt32BE() % BUCKETS);
  }
}

function limiter(points: number): RateLimiterMemory | undefined {
  return points > 0 ? new RateLimiterMemory({ points, duration: 60 }) : undefined;
}

async function consume(table: RateLimiterMemory | undefined, key: string): Promise<number | undefined> {
  try {
    await table?.consume(key);
    return undefined;
  } catch (refused) {
    return secondsOf(refused);
  }
}

async function peek(table: RateLimiterMemory | undefined, key: string): Promise<number | undefined> {
  const state = await table?.get(key);
  return table && state && state.consumedPoints >= table.points ? secondsOf(state) : undefined;
}

function secondsOf(state: unknown): number {
  const { msBeforeNext = 1_000 } = state as { msBeforeNext?: number };
  return Math.max(1, Math.ceil(msBeforeNext / 1_000));
}

/** An IPv6 client has a whole /64 to itself; its first four groups stand for it. */
function network(address: string): string {
  if (!address.includes(':') || address.includes('.')) return address;
  const [head = '', tail] = address.split('::');
  const left = head.split(':').filter(Boolean);
  const right = (tail ?? '').split(':').filter(Boolean);
  const groups = tail === undefined ? left : [...left, ...Array(8 - left.length - right.length).fill('0'), ...right];
  return groups.slice(0, 4).join(':');
}
