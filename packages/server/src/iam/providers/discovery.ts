import {
  decodeUtf8,
  isVerifiableAlgorithm,
  JwkSetError,
  loadJwks,
  OutboundError,
  type OutboundGet,
  Refusal,
  readJwkSet,
  type VerificationKey,
} from '../../resource-server/index.ts';

/** What an OpenID configuration says that we use. */
export interface Discovered {
  readonly jwksUri: string;
  /** Algorithms it signs with that we can verify; empty when it does not say. */
  readonly algorithms: readonly string[];
}

/** Why a provider's metadata or keys are not to be had, in a word for its administrator. */
export class ProviderFault extends Error {
  override readonly name = 'ProviderFault';
  readonly step: 'discovery' | 'key-set';
  readonly reason: string;

  constructor(step: 'discovery' | 'key-set', reason: string) {
    super(`${step} failed (${reason})`);
    this.step = step;
    this.reason = reason;
  }
}

/** Longest wait for one document, in milliseconds. */
const TIMEOUT_MS = 5000;

/**
 * OpenID Connect Discovery 1.0 section 4: reads the issuer's configuration. Its `issuer` must be the one
 * asked, exactly (section 4.3), or another server could speak for it.
 */
export async function discover(get: OutboundGet, issuer: string): Promise<Discovered> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  let document: unknown;
  try {
    const { status, body } = await get(url, AbortSignal.timeout(TIMEOUT_MS));
    if (status !== 200) throw new ProviderFault('discovery', 'status_not_200');
    document = JSON.parse(decodeUtf8(body));
  } catch (error) {
    if (error instanceof ProviderFault || error instanceof Refusal) throw error;
    throw new ProviderFault('discovery', error instanceof OutboundError ? error.reason : 'not_json');
  }
  if (typeof document !== 'object' || document === null) throw new ProviderFault('discovery', 'not_json');
  const { issuer: named, jwks_uri: jwksUri, ...rest } = document as Record<string, unknown>;
  if (named !== issuer) throw new ProviderFault('discovery', 'issuer_mismatch');
  if (typeof jwksUri !== 'string' || !URL.canParse(jwksUri) || jwksUri.length > 1024) {
    throw new ProviderFault('discovery', 'jwks_uri_missing');
  }
  const signs = rest.id_token_signing_alg_values_supported;
  const algorithms = Array.isArray(signs)
    ? signs.filter((alg) => typeof alg === 'string' && isVerifiableAlgorithm(alg))
    : [];
  return { jwksUri, algorithms: [...new Set(algorithms as string[])].slice(0, 8) };
}

/** The usable keys of a provider's set, as it is right now. */
export async function fetchKeys(
  get: OutboundGet,
  jwksUri: string,
  algorithms: readonly string[],
): Promise<readonly VerificationKey[]> {
  try {
    const set = await loadJwks(get, jwksUri, AbortSignal.timeout(TIMEOUT_MS));
    return [...(await readJwkSet(set, algorithms)).values()];
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new ProviderFault('key-set', reasonOf(error));
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof OutboundError || error instanceof JwkSetError) return error.reason;
  // `loadJwks` says why in `reason`; anything else is not told.
  const reason = error instanceof Error && 'reason' in error ? error.reason : undefined;
  return typeof reason === 'string' ? reason : 'failed';
}
