import { RealtimeError } from '@centrali-io/protocol';
import { type GrantedToken, requestToken } from './client-credentials.ts';
import type { Environment } from './environment.ts';
import type { ClientConfig } from './options.ts';
import { readClaims } from './token-claims.ts';

/** How many dead tokens are remembered; the oldest is forgotten first. */
const MAX_DEAD = 64;

/** The token in hand. */
interface HeldToken {
  readonly value: string;
  /** When it came. */
  readonly at: number;
  /** Its whole life in milliseconds, counted from `at`, so that a wrong clock here does no harm. */
  readonly lifetimeMs: number | undefined;
  /** Set by the application: `getToken` is not asked as long as it is good. */
  readonly pinned: boolean;
}

/** One client's token: where it comes from, whether it is dead, and when to get the next. */
export class TokenSource {
  /** Whether the SDK may replace a token by itself. */
  readonly refreshes: boolean;
  readonly #config: ClientConfig;
  readonly #env: Environment;
  readonly #dead = new Set<string>();
  readonly #listeners = new Set<(token: string | null) => void>();
  #held: HeldToken | undefined;
  #granted: (GrantedToken & { readonly at: number }) | undefined;
  #asking: Promise<string | null> | undefined;
  #granting: Promise<GrantedToken> | undefined;

  constructor(config: ClientConfig, env: Environment) {
    this.#config = config;
    this.#env = env;
    const { kind } = config.credential;
    this.refreshes = config.refresh !== 'manual' && (kind === 'callback' || kind === 'client');
    if (config.credential.kind === 'token') this.set(config.credential.token);
  }

  /** The present token, dead or not; `null` when there is none. */
  get current(): string | null {
    return this.#held?.value ?? null;
  }

  /** Replaces the token and tells the listeners. The same token again does nothing. */
  set(token: string | null, pinned = true): void {
    if (token === this.current) return;
    // What the token endpoint said of a token's life is better than what its claims and our clock say.
    const granted = this.#granted?.token === token ? this.#granted : undefined;
    this.#held =
      token === null
        ? undefined
        : { value: token, at: granted?.at ?? this.#env.now(), lifetimeMs: granted?.lifetimeMs, pinned };
    for (const listener of [...this.#listeners]) listener(token);
  }

  /** Calls `listener` with each new token; the answer ends that. */
  onChange(listener: (token: string | null) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Whether the service has called this token expired: it is never sent again. */
  isDead(token: string): boolean {
    return this.#dead.has(token);
  }

  /** Remembers that the service has called this token expired. */
  markDead(token: string): void {
    this.#dead.add(token);
    const [oldest] = this.#dead;
    if (this.#dead.size > MAX_DEAD && oldest !== undefined) this.#dead.delete(oldest);
  }

  /** Life and rest of life of the present token in milliseconds; `undefined` when it does not tell. */
  #life(): { readonly total: number; readonly rest: number } | undefined {
    if (!this.#held) return undefined;
    const { at, lifetimeMs, value } = this.#held;
    const age = this.#env.now() - at;
    if (lifetimeMs !== undefined) return { total: lifetimeMs, rest: lifetimeMs - age };
    const { issuedAt = at, expiresAt } = readClaims(value);
    if (expiresAt === undefined) return undefined;
    const total = expiresAt - issuedAt;
    // A token that came expired was most likely good, and our clock is ahead: trust its length.
    return { total, rest: expiresAt > at ? expiresAt - at - age : total - age };
  }

  /**
   * In how many milliseconds the next token should be got, so that it is there before this one dies:
   * some minutes ahead, for short lives a fifth to a third of them. `undefined` when it is not known.
   */
  renewInMs(): number | undefined {
    const life = this.#life();
    if (!life) return undefined;
    const share = life.total * (0.2 + 0.15 * this.#env.random());
    return Math.max(0, life.rest - Math.min(share, 120_000 + 180_000 * this.#env.random()));
  }

  /**
   * The token to use now. With `renew`, a different one than the present is wanted. It may still be
   * the same, or dead: the caller must look. `null` when there is none.
   */
  async acquire(renew: boolean): Promise<string | null> {
    const { credential, refresh } = this.#config;
    const held = this.#held;
    if (credential.kind === 'token' || credential.kind === 'none' || (held && refresh === 'manual')) {
      return this.current;
    }
    const good = held !== undefined && !this.isDead(held.value);
    const soon = refresh === 'beforeExpiry' && this.renewInMs() === 0;
    if (good && !renew && !soon && (held.pinned || credential.kind === 'client')) return held.value;
    try {
      return await this.#ask();
    } catch (error) {
      // One that is not dead yet beats none.
      if (good && !renew) return held.value;
      throw error;
    }
  }

  /** Asks the token endpoint; callers at the same time share one request. Does not set the token. */
  async grant(): Promise<string> {
    this.#granting ??= requestToken(this.#config, this.#env).finally(() => {
      this.#granting = undefined;
    });
    const granted = await this.#granting;
    if (this.#granted?.token !== granted.token) this.#granted = { ...granted, at: this.#env.now() };
    return granted.token;
  }

  #ask(): Promise<string | null> {
    this.#asking ??= this.#askOnce().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #askOnce(): Promise<string | null> {
    const { credential } = this.#config;
    const before = this.#held;
    let token: string | null | undefined;
    if (credential.kind === 'callback') {
      try {
        token = await credential.getToken();
      } catch (cause) {
        if (RealtimeError.is(cause)) throw cause;
        throw new RealtimeError('AUTH_ERROR', { message: 'getToken failed.', cause });
      }
    } else {
      token = await this.grant();
    }
    // What the application has set meanwhile is newer.
    if (this.#held !== before) return this.current;
    if (typeof token !== 'string' || token === '') return null;
    this.set(token, false);
    return token;
  }
}
