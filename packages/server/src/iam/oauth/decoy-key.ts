import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { Jwk } from '../store/port.ts';

const decoys = new Map<string, Jwk>();

/**
 * A public key for an algorithm that a client could have, to check a signature with where there is none: what
 * fails then takes as long as what fails for a client that exists. Undefined for algorithms that no client has.
 */
export function decoyKey(alg: string): Jwk | undefined {
  const known = decoys.get(alg);
  if (known) return known;
  const made = make(alg);
  if (made) decoys.set(alg, made);
  return made;
}

function make(alg: string): Jwk | undefined {
  switch (alg) {
    case 'RS256':
    case 'RS384':
    case 'RS512':
    case 'PS256':
    case 'PS384':
    case 'PS512':
      return randomModulus();
    case 'ES256':
      return elliptic('P-256');
    case 'ES384':
      return elliptic('P-384');
    case 'ES512':
      return elliptic('P-521');
    case 'EdDSA':
    case 'Ed25519':
      return { ...generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }) };
    default:
      return undefined;
  }
}

/** No product of two primes, hence made at once; to check a signature with it is the same work. */
function randomModulus(): Jwk {
  const n = randomBytes(256);
  n[0] = (n[0] ?? 0) | 0x80;
  n[255] = (n[255] ?? 0) | 1;
  return { kty: 'RSA', n: n.toString('base64url'), e: 'AQAB' };
}

function elliptic(namedCurve: string): Jwk {
  return { ...generateKeyPairSync('ec', { namedCurve }).publicKey.export({ format: 'jwk' }) };
}
