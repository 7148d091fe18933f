import { type AccessTokenClaims, DEV_CLIENT, OPERATOR_CLIENT, type ProviderRecord } from '@centrali-io/protocol';
import type { GatedToken } from './form-gate.ts';
import { KeySet, type KeySetOptions } from './key-set.ts';
import type { OutboundGet } from './outbound.ts';
import { Refusal } from './refusal.ts';
import { decodeUtf8 } from './strict-json.ts';
import { type Issuer, type VerifiedToken, verifyToken } from './verify.ts';

/** Longest `exp - iat` of own tokens, in seconds. */
export interface OwnLifetimes {
  /** Of a service account's token. Default 25,200. */
  readonly service: number;
  /** Of a user's token. Default 3,600. */
  readonly user: number;
  /** Of a token from `dev-tokens` or the operator's command. Default 86,400. */
  readonly dev: number;
}

/** What `ownIssuer` is made from. */
export interface OwnIssuerOptions {
  /** The public base URL: issuer and audience. */
  readonly baseUrl: string;
  readonly keys: KeySet;
  readonly lifetimes?: Partial<OwnLifetimes>;
  /** See `ClaimRules`. */
  readonly acceptsBound?: boolean;
  readonly isWithdrawn: (kid: string) => boolean;
}

/** The algorithms that our IAM signs with. */
export const OWN_ALGORITHMS: readonly string[] = ['RS256', 'ES256', 'EdDSA'];

/** Our own IAM as an issuer: RFC 9068 in full. */
export function ownIssuer({ baseUrl, keys, lifetimes, acceptsBound = false, isWithdrawn }: OwnIssuerOptions): Issuer {
  const { service = 25_200, user = 3600, dev = 86_400 } = lifetimes ?? {};
  return {
    provider: 'centrali',
    issuer: baseUrl,
    audiences: [baseUrl],
    typ: ['at+jwt'],
    algorithms: OWN_ALGORITHMS,
    keys,
    required: ['jti', 'client_id'],
    namesWorkspaces: true,
    acceptsBound,
    maxLifetimeSeconds: ({ client_id, sub }: AccessTokenClaims) => {
      if (client_id === DEV_CLIENT || client_id === OPERATOR_CLIENT) return dev;
      return client_id === sub ? service : user;
    },
    isWithdrawn,
  };
}

/** What `IssuerDirectory` is made from. */
export interface IssuerDirectoryOptions {
  readonly own: Issuer;
  /** Whether bound tokens of providers pass; see `ClaimRules`. `false` by default. */
  readonly acceptsBound?: boolean;
  /** Fetches providers' key sets. */
  readonly get: OutboundGet;
  readonly monotonic: () => number;
  /** Ages, bounds and the cooldown of providers' key sets; the defaults of `KeySet`. */
  readonly keySets?: Partial<Pick<KeySetOptions, 'maxAgeMs' | 'staleIfErrorMs' | 'cooldownMs' | 'timeoutMs'>>;
  /** Told of each failed load of a provider's key set. */
  readonly onFailure?: (provider: string, reason: string) => void;
}

/** At most so many issuers of other workspaces are tried, to tell a wrong workspace from a bad token. */
const MAX_ELSEWHERE = 4;

interface Entry {
  readonly record: ProviderRecord;
  readonly issuer: Issuer;
}

/**
 * The issuers that each workspace trusts. A provider vouches for its own workspaces alone: the verifier
 * is chosen by the URL's workspace and `iss`, and never by `iss` alone.
 */
export class IssuerDirectory {
  readonly #options: IssuerDirectoryOptions;
  readonly #providers = new Map<string, Entry>();
  /** By `iss`: a look-up must not cost by the number of providers. */
  readonly #byIssuer = new Map<string, Set<Entry>>();

  constructor(options: IssuerDirectoryOptions) {
    this.#options = options;
  }

  /** Takes a provider in, or its new state. The key set stays while URL and algorithms do. */
  put(record: ProviderRecord): void {
    const old = this.#providers.get(record.id);
    this.remove(record.id);
    const keep =
      old?.record.jwksUri === record.jwksUri && old.record.algorithms.join() === record.algorithms.join()
        ? old.issuer.keys
        : undefined;
    const entry = { record, issuer: this.#issuer(record, keep ?? this.#keySet(record)) };
    this.#providers.set(record.id, entry);
    const same = this.#byIssuer.get(record.issuer) ?? new Set();
    this.#byIssuer.set(record.issuer, same.add(entry));
  }

  /** Forgets a provider and its keys. */
  remove(id: string): void {
    const entry = this.#providers.get(id);
    if (!entry) return;
    this.#providers.delete(id);
    const same = this.#byIssuer.get(entry.record.issuer);
    same?.delete(entry);
    if (same?.size === 0) this.#byIssuer.delete(entry.record.issuer);
  }

  /** A provider as an issuer, by its id. */
  get(id: string): Issuer | undefined {
    return this.#providers.get(id)?.issuer;
  }

  /** Exactly these providers from now on. */
  replaceAll(records: readonly ProviderRecord[]): void {
    const ids = new Set(records.map(({ id }) => id));
    for (const id of this.#providers.keys()) if (!ids.has(id)) this.remove(id);
    for (const record of records) this.put(record);
  }

  /** Lets a provider's key set, or our own, be loaded anew before it is used again. */
  expireKeys(provider: string): void {
    const { own } = this.#options;
    (provider === own.provider ? own : this.#providers.get(provider)?.issuer)?.keys.expire();
  }

  /** The provider that a token names as its issuer, if the workspace knows it. Nothing of the token is believed. */
  providerOf({ payload: { iss } }: GatedToken, workspace: string): string | undefined {
    if (typeof iss !== 'string') return undefined;
    if (iss === this.#options.own.issuer) return this.#options.own.provider;
    for (const { record } of this.#byIssuer.get(iss) ?? []) if (record.workspaces.includes(workspace)) return record.id;
    return undefined;
  }

  /** The configured name of a provider. */
  nameOf(provider: string): string | undefined {
    const { own } = this.#options;
    return provider === own.provider ? own.provider : this.#providers.get(provider)?.record.name;
  }

  /**
   * Whether a provider's keys have one of this name, after they were loaded anew if they had expired; `undefined`
   * when that cannot be known.
   */
  async hasKey(provider: string, kid: string): Promise<boolean | undefined> {
    const keys = this.#providers.get(provider)?.issuer.keys;
    try {
      await keys?.key(kid);
      return keys !== undefined;
    } catch (error) {
      return error instanceof Refusal && error.code === 'INVALID_TOKEN' ? false : undefined;
    }
  }

  /** Each key set with the configured name of its issuer. */
  *keySets(): Iterable<{ readonly provider: string; readonly keys: KeySet }> {
    const { own } = this.#options;
    yield { provider: own.provider, keys: own.keys };
    for (const { record, issuer } of this.#providers.values()) yield { provider: record.name, keys: issuer.keys };
  }

  /**
   * Step 2 of the connection flow: verifies a token for the workspace of the URL.
   *
   * @throws Refusal as `verifyToken`; `WORKSPACE_MISMATCH` for a good token of an issuer that vouches
   * for other workspaces only; `INVALID_TOKEN` for one that nobody here knows.
   */
  async verify(token: GatedToken, workspace: string, nowMs: number): Promise<VerifiedToken> {
    const { iss } = token.payload;
    if (typeof iss !== 'string') throw new Refusal('INVALID_TOKEN', 'iss_malformed');
    // First of all: no provider speaks for our own issuer.
    if (iss === this.#options.own.issuer) return verifyToken(token, this.#options.own, nowMs);
    const known = [...(this.#byIssuer.get(iss) ?? [])];
    const here = known.find(({ record }) => record.workspaces.includes(workspace));
    if (here) return verifyToken(token, here.issuer, nowMs);
    return this.#refuseForeign(token, known, nowMs);
  }

  async #refuseForeign(token: GatedToken, elsewhere: readonly Entry[], nowMs: number): Promise<never> {
    let refusal = new Refusal('INVALID_TOKEN', 'iss_unknown');
    for (const { issuer } of elsewhere.slice(0, MAX_ELSEWHERE)) {
      try {
        await verifyToken(token, issuer, nowMs);
      } catch (error) {
        // An expired token, or keys out of reach: worth more to the caller than "invalid".
        if (error instanceof Refusal && error.code !== 'INVALID_TOKEN') refusal = error;
        continue;
      }
      throw new Refusal('WORKSPACE_MISMATCH', 'provider_of_other_workspace');
    }
    throw refusal;
  }

  #issuer(record: ProviderRecord, keys: KeySet): Issuer {
    return {
      provider: record.id,
      issuer: record.issuer,
      audiences: record.audiences,
      typ: record.typ,
      algorithms: record.algorithms,
      keys,
      required: [],
      namesWorkspaces: false,
      acceptsBound: this.#options.acceptsBound ?? false,
      maxLifetimeSeconds: () => record.maxLifetimeSeconds,
      // Only our own IAM withdraws keys by name; a provider's key goes when its set no longer holds it.
      isWithdrawn: () => false,
      mapping: record.mapping,
    };
  }

  #keySet({ id, jwksUri, algorithms }: ProviderRecord): KeySet {
    const { get, monotonic, keySets, onFailure } = this.#options;
    return new KeySet({
      ...keySets,
      load: (signal) => loadJwks(get, jwksUri, signal),
      algorithms,
      monotonic,
      ...(onFailure ? { onFailure: (reason) => onFailure(id, reason) } : {}),
    });
  }
}

/** A key set that was not answered with 200 and JSON. */
class JwksAnswerError extends Error {
  override readonly name = 'JwksAnswerError';
  readonly reason: string;

  constructor(reason: string) {
    super(reason);
    this.reason = reason;
  }
}

/** Fetches a key set as parsed JSON: 200 only. Caps on bytes, time, redirects and addresses are `get`'s. */
export async function loadJwks(get: OutboundGet, url: string, signal: AbortSignal): Promise<unknown> {
  const { status, body } = await get(url, signal);
  if (status !== 200) throw new JwksAnswerError('jwks_status');
  try {
    return JSON.parse(decodeUtf8(body));
  } catch {
    throw new JwksAnswerError('jwks_not_json');
  }
}
