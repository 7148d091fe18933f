import { type Principal, principalKey } from '@centrali-io/protocol';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { Refusal } from '../../resource-server/index.ts';

/** Limits of one gateway process. 0 = no limit. */
export interface GatewayLimits {
  /** Open streams per workspace. Default 1,000. */
  readonly connectionsPerWorkspace: number;
  /** Open streams per principal and workspace. Default 100. */
  readonly connectionsPerPrincipal: number;
  /** Authorized requests (streams opened, publishes) per second, workspace and principal. Default 500. */
  readonly requestsPerSecondPerPrincipal: number;
}

/** A place among the open streams. */
export interface Slot {
  /** Gives the place back; further calls do nothing. */
  release(): void;
}

/** Seconds after which a full workspace or principal is worth another try. */
const FULL_RETRY_SECONDS = 10;

/**
 * Step 5 of the connection flow: limits per workspace and per principal, counted by verified identities
 * only, so that a stranger cannot use them up. Its tables hold who is connected or was seen this second.
 */
export class Admission {
  readonly #limits: GatewayLimits;
  readonly #open = new Map<string, number>();
  readonly #rate: RateLimiterMemory | undefined;

  constructor(limits: Partial<GatewayLimits> = {}) {
    this.#limits = {
      connectionsPerWorkspace: limits.connectionsPerWorkspace ?? 1000,
      connectionsPerPrincipal: limits.connectionsPerPrincipal ?? 100,
      requestsPerSecondPerPrincipal: limits.requestsPerSecondPerPrincipal ?? 500,
    };
    const points = this.#limits.requestsPerSecondPerPrincipal;
    if (points > 0) this.#rate = new RateLimiterMemory({ points, duration: 1 });
  }

  /**
   * Counts one request of a principal.
   *
   * @throws Refusal `RATE_LIMIT_EXCEEDED`
   */
  async request(workspace: string, principal: Principal): Promise<void> {
    try {
      await this.#rate?.consume(`${workspace} ${principalKey(principal)}`);
    } catch (exceeded) {
      if (!(exceeded instanceof RateLimiterRes)) throw exceeded;
      throw new Refusal('RATE_LIMIT_EXCEEDED', 'principal_rate', { retryAfter: exceeded.msBeforeNext / 1000 });
    }
  }

  /**
   * Takes a place for a stream.
   *
   * @throws Refusal `RATE_LIMIT_EXCEEDED`
   */
  stream(workspace: string, principal: Principal): Slot {
    const places = [
      { key: workspace, limit: this.#limits.connectionsPerWorkspace, reason: 'workspace_full' },
      // A slug holds no blank, so the two kinds of key cannot meet.
      {
        key: `${workspace} ${principalKey(principal)}`,
        limit: this.#limits.connectionsPerPrincipal,
        reason: 'principal_full',
      },
    ];
    for (const { key, limit, reason } of places) {
      if (limit > 0 && (this.#open.get(key) ?? 0) >= limit) {
        throw new Refusal('RATE_LIMIT_EXCEEDED', reason, { retryAfter: FULL_RETRY_SECONDS });
      }
    }
    for (const { key } of places) this.#open.set(key, (this.#open.get(key) ?? 0) + 1);
    let held = true;
    return {
      release: () => {
        if (!held) return;
        held = false;
        for (const { key } of places) this.#leave(key);
      },
    };
  }

  /** Open streams of a workspace. */
  streamsOf(workspace: string): number {
    return this.#open.get(workspace) ?? 0;
  }

  #leave(key: string): void {
    const left = (this.#open.get(key) ?? 0) - 1;
    if (left > 0) this.#open.set(key, left);
    else this.#open.delete(key);
  }
}
