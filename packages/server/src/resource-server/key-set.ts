import { JwkSetError, readJwkSet, type VerificationKey } from './jwk-set.ts';
import { Refusal } from './refusal.ts';

/** What a `KeySet` is made from. All times in milliseconds. */
export interface KeySetOptions {
  /** Gets the set (RFC 7517 section 5) as parsed JSON. Rejects when there is no whole, good answer. */
  readonly load: (signal: AbortSignal) => Promise<unknown>;
  /** The issuer's algorithms; the first that fits is that of a key which names none. */
  readonly algorithms: readonly string[];
  /** Monotonic clock. */
  readonly monotonic: () => number;
  /** A set older than this is loaded again before it is used. Default 5 minutes; from half of it in the background. */
  readonly maxAgeMs?: number;
  /** While loading fails, a set this much older than `maxAgeMs` still serves; then AUTH_ERROR. Default 1 hour. */
  readonly staleIfErrorMs?: number;
  /** Least time between two loads for unknown kids and bad signatures, failed ones included. Default 30 s. */
  readonly cooldownMs?: number;
  /** A load that takes longer has failed. Default 2 s. */
  readonly timeoutMs?: number;
  /** Told of every load that fails, with its inner reason. */
  readonly onFailure?: (reason: string) => void;
}

/** Longest pause after failed loads; it begins with 1 s and doubles. */
const MAX_BACK_OFF_MS = 30_000;

/**
 * The keys of one issuer: loaded when needed, one load at a time for all who wait, kept while loading
 * fails, and never driven by what strangers send: random kids and bad signatures cost at most one load
 * per cooldown. A load that brings a bad set (`JwkSetError`) counts as failed; the good set stays.
 */
export class KeySet {
  readonly #load: KeySetOptions['load'];
  readonly #algorithms: readonly string[];
  readonly #monotonic: () => number;
  readonly #maxAge: number;
  readonly #staleIfError: number;
  readonly #cooldown: number;
  readonly #timeout: number;
  readonly #onFailure: (reason: string) => void;

  #keys: ReadonlyMap<string, VerificationKey> | undefined;
  #loadedAt = Number.NEGATIVE_INFINITY;
  /** How often the issuer said that its keys have changed, and how often when the present set began to load. */
  #changes = 0;
  #loadedChanges = 0;
  #failures = 0;
  #failedLoads = 0;
  #retryAt = Number.NEGATIVE_INFINITY;
  #provokedAt = Number.NEGATIVE_INFINITY;
  #pending: Promise<void> | undefined;

  constructor(options: KeySetOptions) {
    this.#load = options.load;
    this.#algorithms = options.algorithms;
    this.#monotonic = options.monotonic;
    this.#maxAge = options.maxAgeMs ?? 5 * 60_000;
    this.#staleIfError = options.staleIfErrorMs ?? 60 * 60_000;
    this.#cooldown = options.cooldownMs ?? 30_000;
    this.#timeout = options.timeoutMs ?? 2000;
    this.#onFailure = options.onFailure ?? (() => {});
  }

  /**
   * The key named `kid`.
   *
   * @throws Refusal `INVALID_TOKEN` when the issuer has no such key; `AUTH_ERROR` when that cannot be
   * known: no set, one past its bound, or an unknown kid while loading fails.
   */
  async key(kid: string): Promise<VerificationKey> {
    const fresh = await this.#ensure();
    const known = this.#keys?.get(kid);
    if (known) return known;
    // A set that was loaded for this very call has the last word; one whose load began earlier may be older than the key.
    if (!fresh && this.#pending) await this.#pending;
    if (!fresh && !this.#keys?.has(kid) && this.#mayBeProvoked()) await this.#reload();
    const found = this.#keys?.get(kid);
    if (found) return found;
    throw this.#failures > 0 ? outOfReach('jwks_unreachable') : new Refusal('INVALID_TOKEN', 'kid_unknown');
  }

  /**
   * After a signature did not verify: the key that has taken `failed`'s kid since, if any. Loads at most
   * once per cooldown, together with unknown kids.
   */
  async replacement(failed: VerificationKey): Promise<VerificationKey | undefined> {
    if (this.#keys?.get(failed.kid)?.material === failed.material && this.#mayBeProvoked()) await this.#reload();
    const now = this.#keys?.get(failed.kid);
    return now && now.material !== failed.material ? now : undefined;
  }

  /** Milliseconds since the set was loaded; `Infinity`: never. */
  get age(): number {
    return this.#monotonic() - this.#loadedAt;
  }

  /** Loads that have failed since the start. */
  get failedLoads(): number {
    return this.#failedLoads;
  }

  /** Lets the next `key` load anew: the issuer said that its keys have changed. A load under way does not count. */
  expire(): void {
    this.#changes += 1;
    this.#retryAt = Number.NEGATIVE_INFINITY;
  }

  /** Makes sure that there is a set that may be used. Returns whether it was loaded by this call. */
  async #ensure(): Promise<boolean> {
    const age = this.#monotonic() - this.#loadedAt;
    let fresh = false;
    if (!this.#isDue() && age >= this.#maxAge / 2 && this.#mayRetry()) void this.#reload();
    // Twice at most: the load that was under way when the keys changed, then one that knows of the change.
    for (let loads = 0; loads < 2 && this.#isDue() && (this.#pending || this.#mayRetry()); loads++)
      fresh = await this.#reload();
    const bound = this.#maxAge + this.#staleIfError;
    if (!this.#keys || this.#monotonic() - this.#loadedAt >= bound) throw outOfReach('jwks_unreachable');
    return fresh;
  }

  #isDue(): boolean {
    return this.#changes !== this.#loadedChanges || this.#monotonic() - this.#loadedAt >= this.#maxAge;
  }

  #mayRetry(): boolean {
    return this.#monotonic() >= this.#retryAt;
  }

  /** Whether a stranger's token may cause a load now; if so, notes that it has. */
  #mayBeProvoked(): boolean {
    const now = this.#monotonic();
    if (this.#pending) return true;
    if (now - this.#provokedAt < this.#cooldown || !this.#mayRetry()) return false;
    this.#provokedAt = now;
    return true;
  }

  /** Loads, or waits for the load under way. Never rejects. Returns whether there is a new set that this call loaded. */
  async #reload(): Promise<boolean> {
    if (this.#pending) {
      await this.#pending;
      return false;
    }
    this.#pending = this.#loadOnce().finally(() => {
      this.#pending = undefined;
    });
    await this.#pending;
    return this.#failures === 0;
  }

  async #loadOnce(): Promise<void> {
    const changes = this.#changes;
    const controller = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    // The race, and not the signal alone, ends the wait: a loader that ignores its signal must not hold anyone.
    const limit = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('jwks_timeout')), this.#timeout);
    });
    try {
      const loaded = this.#load(controller.signal).then((set) => readJwkSet(set, this.#algorithms));
      this.#keys = await Promise.race([loaded, limit]);
      this.#loadedAt = this.#monotonic();
      this.#loadedChanges = changes;
      this.#failures = 0;
      this.#retryAt = Number.NEGATIVE_INFINITY;
    } catch (error) {
      this.#failures += 1;
      this.#failedLoads += 1;
      const pause = Math.min(MAX_BACK_OFF_MS, 1000 * 2 ** Math.min(this.#failures - 1, 5));
      this.#retryAt = this.#monotonic() + pause;
      this.#onFailure(reasonOf(error));
    } finally {
      clearTimeout(timer);
      controller.abort();
    }
  }
}

function outOfReach(reason: string): Refusal {
  return new Refusal('AUTH_ERROR', reason);
}

/** A word for the log: the reason of an error that has one, never a foreign message, which may hold anything. */
function reasonOf(error: unknown): string {
  if (error instanceof JwkSetError) return error.reason;
  if (typeof error === 'object' && error !== null && 'reason' in error && typeof error.reason === 'string') {
    return error.reason;
  }
  return error instanceof Error && error.message === 'jwks_timeout' ? 'jwks_timeout' : 'jwks_failed';
}
