import type { ProviderRecord } from '@centrali-io/protocol';
import { type GatedToken, type Issuer, passFormGate, Refusal, verifySignedBy } from '../../resource-server/index.ts';
import { isSub } from '../admin/fields.ts';
import { LEEWAY_SECONDS, SignalFault } from './signal.ts';

/** What every signal says of itself, verified. */
export interface SignedSignal {
  readonly claims: Readonly<Record<string, unknown>>;
  readonly jti: string;
  /** Seconds since 1970. */
  readonly iat: number;
}

/** What a signal is verified with. */
export interface SignalRules {
  readonly provider: ProviderRecord;
  /** The provider with its keys. */
  readonly issuer: Issuer;
  /** Accepted `typ`: those of this kind of signal and no others (RFC 8725 section 3.11). */
  readonly typ: readonly string[];
  /** Milliseconds since 1970. */
  readonly now: number;
}

/**
 * Verifies that a provider has signed a signal, for us, and not for another day: form, type, key, signature,
 * then `iss`, `aud`, `jti`, `iat` and, where it is there, `exp`.
 *
 * @throws SignalFault; `Refusal` AUTH_ERROR when the provider's keys are out of reach, so that the signal comes again
 */
export async function verifySigned(
  compact: string,
  { provider, issuer, typ, now }: SignalRules,
): Promise<SignedSignal> {
  const token = gated(compact);
  if (!typ.includes(token.typ))
    throw new SignalFault('invalid_request', 'typ_refused', 'The typ is not accepted here.');
  const claims = token.payload;
  // Before the key is looked for: a signal of another issuer must not make us load keys.
  if (claims.iss !== provider.issuer)
    throw new SignalFault('invalid_issuer', 'iss_mismatch', 'The issuer is not that of this provider.');
  await verifySignedBy(token, { ...issuer, typ }).catch((error: unknown) => {
    if (!(error instanceof Refusal) || error.code === 'AUTH_ERROR') throw error;
    throw new SignalFault(
      'invalid_key',
      error.reason,
      'The signature could not be verified with the keys of the issuer.',
    );
  });
  const { aud, jti, iat, exp } = claims;
  const audiences: unknown[] = Array.isArray(aud) ? aud : [aud];
  if (!provider.audiences.some((audience) => audiences.includes(audience)))
    throw new SignalFault('invalid_audience', 'aud_mismatch', 'The audience is not one of this provider.');
  if (!isSub(jti)) throw malformed('jti');
  if (!isTime(iat) || (exp !== undefined && !isTime(exp))) throw malformed('time');
  if (iat > now / 1_000 + LEEWAY_SECONDS)
    throw new SignalFault('invalid_request', 'iat_in_future', 'It was issued in the future.');
  if (exp !== undefined && now >= exp * 1_000) throw new SignalFault('invalid_request', 'expired', 'It has expired.');
  return { claims, jti, iat };
}

function gated(compact: string): GatedToken {
  try {
    return passFormGate(compact);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new SignalFault('invalid_request', error.reason, 'It is not a signed token in compact form.');
  }
}

function malformed(what: string): SignalFault {
  return new SignalFault('invalid_request', `${what}_malformed`, 'A claim is missing or malformed.');
}

/** NumericDate (RFC 7519 section 2). */
export function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
