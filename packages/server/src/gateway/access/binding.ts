import {
  type Bearer,
  DpopError,
  type ProofMemory,
  Refusal,
  readProof,
  type ServerRequest,
  type VerifiedToken,
} from '../../resource-server/index.ts';

/** What the check of bindings stands on. */
export interface BindingParts {
  /** The public base URL: proofs name it. */
  readonly baseUrl: string;
  readonly proofs: ProofMemory;
  /** Wall clock, ms. */
  readonly now: () => number;
}

/**
 * Part of step 2: a token that is bound to a key comes with the scheme `DPoP` and a proof of that key, in the
 * header and nowhere else; one that is not bound comes as a bearer's (RFC 9449 sections 7.1 and 7.2).
 *
 * @throws Refusal `INVALID_TOKEN` with the challenge of RFC 9449; `RATE_LIMIT_EXCEEDED` when no proof can be remembered
 */
export async function checkBinding(
  { baseUrl, proofs, now }: BindingParts,
  { token, scheme }: Bearer,
  { claims }: VerifiedToken,
  { method, path, headers }: Pick<ServerRequest, 'method' | 'path' | 'headers'>,
): Promise<void> {
  const bound = claims.cnf?.jkt;
  if (bound === undefined) {
    if (scheme === 'DPoP') throw new Refusal('INVALID_TOKEN', 'dpop_unbound_token', { scheme: 'DPoP' });
    return;
  }
  if (scheme !== 'DPoP') throw new Refusal('INVALID_TOKEN', 'bound_token', { scheme: 'DPoP' });
  try {
    const proof = await readProof(headers.all('dpop'), { method, url: `${baseUrl}${path}`, token }, now());
    if (proof.jkt !== bound) throw new DpopError('dpop_other_key');
    const memory = proofs.take(proof);
    if (memory === 'full') throw new Refusal('RATE_LIMIT_EXCEEDED', 'dpop_memory_full');
    if (memory === 'replayed') throw new DpopError('dpop_replayed');
  } catch (error) {
    if (!(error instanceof DpopError)) throw error;
    throw new Refusal('INVALID_TOKEN', error.reason, { scheme: 'DPoP', challenge: 'invalid_dpop_proof' });
  }
}
