import { calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose';
import type { Jwk } from '../store/port.ts';

/** Algorithms that our own tokens can be signed with (RFC 7518 section 3.1, RFC 8037 section 3.1). */
export const SIGNING_ALGORITHMS = ['RS256', 'ES256', 'EdDSA'] as const;
export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number];

/** A new key pair as JSON Web Keys; `kid` is the thumbprint (RFC 7638), so that equal keys have equal names. */
export interface GeneratedKey {
  readonly kid: string;
  readonly privateJwk: Jwk;
  readonly publicJwk: Jwk;
}

/** Makes a key for one algorithm: RSA of 2,048 bits, P-256 or Ed25519. */
export async function generateSigningKey(alg: SigningAlgorithm): Promise<GeneratedKey> {
  const pair = await generateKeyPair(alg, { extractable: true, modulusLength: 2_048 });
  const publicMembers = await exportJWK(pair.publicKey);
  const kid = await calculateJwkThumbprint(publicMembers);
  const names = { kid, alg, use: 'sig' };
  return {
    kid,
    privateJwk: { ...(await exportJWK(pair.privateKey)), ...names },
    publicJwk: { ...publicMembers, ...names },
  };
}
