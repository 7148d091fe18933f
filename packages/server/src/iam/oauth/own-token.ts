import type { AccessTokenClaims } from '@centrali-io/protocol';
import {
  type Issuer,
  KeySet,
  OWN_ALGORITHMS,
  type OwnLifetimes,
  ownIssuer,
  passFormGate,
  Refusal,
  verifyToken,
} from '../../resource-server/index.ts';
import type { KeyRing } from '../keys/key-ring.ts';

/** A token of ours that was verified. */
export interface OwnToken {
  readonly kid: string;
  readonly claims: AccessTokenClaims & { readonly jti: string };
}

/** Verifies tokens of our own: undefined for everything that is not one, is dead, or is malformed. */
export type OwnTokenVerifier = (token: string) => Promise<OwnToken | undefined>;

/** What the verifier stands on. */
export interface OwnTokenOptions {
  readonly issuer: Issuer;
  readonly now: () => number;
}

/** The resource server's own verification, so that introspection judges as a real use does (RFC 7662 section 4). */
export function createOwnTokenVerifier({ issuer, now }: OwnTokenOptions): OwnTokenVerifier {
  return async (token) => {
    try {
      const { claims, kid } = await verifyToken(passFormGate(token), issuer, now());
      return typeof claims.jti === 'string' ? { kid, claims: { ...claims, jti: claims.jti } } : undefined;
    } catch (error) {
      if (error instanceof Refusal && error.code !== 'AUTH_ERROR') return undefined;
      throw error;
    }
  };
}

/** Our own issuer over the keys in memory: an unknown kid looks again at once, since looking costs nothing. */
export function ownIssuerOf(
  baseUrl: string,
  keys: Pick<KeyRing, 'jwks' | 'list'>,
  lifetimes: OwnLifetimes,
  monotonic: () => number,
): Issuer {
  return ownIssuer({
    baseUrl,
    keys: new KeySet({ load: async () => keys.jwks(), algorithms: OWN_ALGORITHMS, monotonic, cooldownMs: 0 }),
    lifetimes,
    // Here a token is what is asked about, not what opens a door.
    acceptsBound: true,
    isWithdrawn: (kid) => keys.list().some((key) => key.kid === kid && key.withdrawnAt !== null),
  });
}
