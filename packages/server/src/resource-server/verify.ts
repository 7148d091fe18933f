import type { AccessTokenClaims, ProviderMapping } from '@centrali-io/protocol';
import { compactVerify } from 'jose';
import { type ClaimRules, checkClaims } from './claims.ts';
import type { GatedToken } from './form-gate.ts';
import type { VerificationKey } from './jwk-set.ts';
import type { KeySet } from './key-set.ts';
import { Refusal } from './refusal.ts';

/** An issuer whose tokens are taken, with all that judges them: rules of one kind of token (RFC 8725 section 3.12). */
export interface Issuer extends ClaimRules {
  /** `centrali` for our own IAM, else the provider's id. */
  readonly provider: string;
  /** Accepted `typ`, lower case, without `application/`. */
  readonly typ: readonly string[];
  /** Accepted `alg`, exact (RFC 8725 section 3.1). */
  readonly algorithms: readonly string[];
  readonly keys: KeySet;
  /** Whether a key was withdrawn: beats every cache. */
  isWithdrawn(kid: string): boolean;
  /** How claims become rights; absent for our own. */
  readonly mapping?: ProviderMapping;
}

/** A token that its issuer has signed, for us, now. */
export interface VerifiedToken {
  readonly issuer: Issuer;
  readonly kid: string;
  readonly claims: AccessTokenClaims;
}

/**
 * Verifies a token that has passed the form gate against one issuer (RFC 9068 section 4): type and
 * algorithm, key, signature, then claims.
 *
 * @throws Refusal `INVALID_TOKEN`; `TOKEN_EXPIRED` after all else was found good; `AUTH_ERROR` when the
 * issuer's keys are out of reach.
 */
export async function verifyToken(token: GatedToken, issuer: Issuer, nowMs: number): Promise<VerifiedToken> {
  await verifySignedBy(token, issuer);
  return { issuer, kid: token.kid, claims: checkClaims(token.payload, issuer, nowMs) };
}

/**
 * Verifies type, algorithm, key and signature, and nothing of the claims: for tokens of another kind than access
 * tokens, each with rules of its own (RFC 8725 section 3.12).
 *
 * @throws Refusal `INVALID_TOKEN`; `AUTH_ERROR` when the issuer's keys are out of reach.
 */
export async function verifySignedBy(
  token: GatedToken,
  issuer: Pick<Issuer, 'typ' | 'algorithms' | 'keys' | 'isWithdrawn'>,
): Promise<void> {
  if (!issuer.typ.includes(token.typ)) throw new Refusal('INVALID_TOKEN', 'typ_refused');
  if (!issuer.algorithms.includes(token.alg)) throw new Refusal('INVALID_TOKEN', 'alg_refused');
  if (issuer.isWithdrawn(token.kid)) throw new Refusal('INVALID_TOKEN', 'key_withdrawn');
  await verifySignature(token, issuer.keys);
}

async function verifySignature(token: GatedToken, keys: KeySet): Promise<void> {
  const key = await keys.key(token.kid);
  if (key.alg !== token.alg) throw new Refusal('INVALID_TOKEN', 'alg_mismatch');
  if (await isSignedBy(token, key)) return;
  const replacement = await keys.replacement(key);
  if (replacement?.alg === token.alg && (await isSignedBy(token, replacement))) return;
  throw new Refusal('INVALID_TOKEN', 'signature_invalid');
}

async function isSignedBy({ compact, alg }: GatedToken, { key }: VerificationKey): Promise<boolean> {
  try {
    await compactVerify(compact, key, { algorithms: [alg] });
    return true;
  } catch {
    return false;
  }
}
