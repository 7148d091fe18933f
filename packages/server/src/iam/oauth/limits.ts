import { networkOf, RateTable } from '../rate-table.ts';

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
  readonly #requests: RateTable;
  readonly #clientFailures: RateTable;
  readonly #addressFailures: RateTable;
  readonly #known = new Set<string>();

  constructor(options: OAuthLimitOptions) {
    const { randomBytes } = options;
    this.#requests = new RateTable(options.requestsPerMinutePerAddress, randomBytes);
    this.#clientFailures = new RateTable(options.failuresPerMinutePerClient, randomBytes);
    this.#addressFailures = new RateTable(options.failuresPerMinutePerAddress, randomBytes);
  }

  /** Counts a request; seconds to wait when there were too many. */
  async request(address: string): Promise<number | undefined> {
    return await this.#requests.take(networkOf(address));
  }

  /** Seconds to wait when a client has failed too often, from this address or from anywhere. */
  async blocked(clientId: string, address: string): Promise<number | undefined> {
    const waits = [
      await this.#clientFailures.wait(clientId),
      await this.#addressFailures.wait(networkOf(address)),
    ].filter((wait) => wait !== undefined);
    return waits.length === 0 ? undefined : Math.max(...waits);
  }

  /** Counts a failure. */
  async failed(clientId: string, address: string): Promise<void> {
    await this.#clientFailures.take(clientId);
    await this.#addressFailures.take(networkOf(address));
  }

  /** Whether the client has authenticated from this address before. */
  isKnown(clientId: string, address: string): boolean {
    return this.#known.has(`${clientId} ${networkOf(address)}`);
  }

  succeeded(clientId: string, address: string): void {
    const pair = `${clientId} ${networkOf(address)}`;
    this.#known.delete(pair);
    this.#known.add(pair);
    if (this.#known.size > MAX_KNOWN) for (const oldest of this.#known.values()) return void this.#known.delete(oldest);
  }
}
