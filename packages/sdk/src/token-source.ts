import { RealtimeError } from '@centrali-io/protocol';
import { type GrantedToken, requestToken } from './client-credentials.ts';
import type { RequestContext } from './request.ts';
import { readClaims } from './token-claims.ts';

/** How many dead tokens are remembered; the oldest is forgotten first. */
const MAX_DEAD = 64;

/** One client's token: where it comes from, whether it is dead, and when to get the next. */
export interface TokenSource {
  /** Whether the SDK may replace a token by itself. */
  readonly refreshes: boolean;
  /** The present token, dead or not; `null` when there is none. */
  current(): string | null;
  /** Replaces the token and tells the listeners. The same token again does nothing. */
  set(token: string | null): void;
  /** Calls `listener` with each new token; the answer ends that. */
  onChange(listener: (token: string | null) => void): () => void;
  /** Whether the service has called this token expired: it is never sent again. */
  isDead(token: string | null): boolean;
  /** Remembers that the service has called this token expired. */
  bury(token: string): void;
  /**
   * In how many milliseconds the next token should be got, so that it is there before this one dies:
   * some minutes ahead, for short lives a fifth to a third of them. `undefined` when it is not known.
   */
  renewInMs(): number | undefined;
  /**
   * The token to use now. With `renew`, a different one than the present is wanted. It may still be
   * the same, or dead: the caller must look. `null` when there is none. Rejects with a `RealtimeError`.
   */
  acquire(renew?: boolean): Promise<string | null>;
  /** Asks the token endpoint and does not set the token; single flight. */
  grant(): Promise<string>;
}

/** Runs `work` once for all who ask while it runs. */
function singleFlight<T>(work: () => Promise<T>): () => Promise<T> {
  let flight: Promise<T> | undefined;
  return () => {
    flight ??= work().finally(() => {
      flight = undefined;
    });
    return flight;
  };
}

/** Makes the token source of a client. */
export function createTokenSource(context: RequestContext): TokenSource {
  const { config, env } = context;
  const { getToken, client, refresh } = config;
  const dead = new Set<string>();
  const listeners = new Set<(token: string | null) => void>();
  let held: string | null = config.token ?? null;
  /** When it came. */
  let at = env.now();
  /** Its whole life, counted from then, so that a wrong clock here does no harm. */
  let lifetimeMs: number | undefined;
  /** Set by the application: `getToken` is not asked as long as it is good. */
  let pinned = true;
  let granted: (GrantedToken & { readonly at: number }) | undefined;

  const isDead = (token: string | null): boolean => dead.has(token ?? '');

  function set(token: string | null, byApplication = true): void {
    if (token === held) return;
    held = token;
    pinned = byApplication;
    // What the token endpoint said of a token's life is better than what its claims and our clock say.
    const known = granted?.token === token ? granted : undefined;
    at = known?.at ?? env.now();
    lifetimeMs = known?.lifetimeMs;
    for (const listener of listeners) listener(token);
  }

  function renewInMs(): number | undefined {
    const { issuedAt = at, expiresAt = NaN } = readClaims(held ?? '');
    const total = lifetimeMs ?? expiresAt - issuedAt;
    // A token that came expired was most likely good, and our clock is ahead: trust its length.
    const left = (lifetimeMs ?? (expiresAt > at ? expiresAt - at : total)) - (env.now() - at);
    // Of a short life more, so that a token of some seconds outlives one slow answer.
    const lead = Math.min(total * (0.35 + 0.15 * env.random()), 120_000 + 180_000 * env.random());
    return isNaN(total) ? undefined : Math.max(0, left - lead);
  }

  const grant = singleFlight(async () => {
    granted = { ...(await requestToken(context)), at: env.now() };
    return granted.token;
  });

  const ask = singleFlight(async () => {
    const before = held;
    const token = (await (getToken ? getToken() : grant())) || null;
    // What the application has set meanwhile is newer.
    if (held !== before) return held;
    if (token) set(token, false);
    return token;
  });

  return {
    refreshes: refresh !== 'manual' && !!(getToken || client),
    current: () => held,
    set,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    isDead,
    bury(token) {
      dead.add(token);
      for (const oldest of dead) if (dead.size > MAX_DEAD) dead.delete(oldest);
    },
    renewInMs,
    async acquire(renew) {
      if (!(getToken || client) || (held && refresh === 'manual')) return held;
      const good = held && !renew && !isDead(held) ? held : null;
      const soon = refresh === 'beforeExpiry' && renewInMs() === 0;
      if (good && !soon && (pinned || client)) return good;
      try {
        return await ask();
      } catch (cause) {
        // One that is not dead yet beats none.
        if (good) return good;
        throw RealtimeError.is(cause) ? cause : new RealtimeError('AUTH_ERROR', { message: 'getToken failed.', cause });
      }
    },
    grant,
  };
}
