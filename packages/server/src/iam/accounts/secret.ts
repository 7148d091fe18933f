import { createHmac, timingSafeEqual } from 'node:crypto';

/** Where names and secrets come from. */
export type RandomBytes = (size: number) => Uint8Array;

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** `ci_` and 24 hex digits. */
export function newClientId(random: RandomBytes): string {
  return `ci_${hex(random(12))}`;
}

/** `sk_` and 64 hex digits: 256 bits, beyond the 160 that RFC 6749 section 10.10 asks for. */
export function newClientSecret(random: RandomBytes): string {
  return `sk_${hex(random(32))}`;
}

/** `cr_` and 16 hex digits: the name of a secret or key, as the claim `cred` holds it. */
export function newCredentialName(random: RandomBytes): string {
  return `cr_${hex(random(8))}`;
}

/**
 * What is kept of a secret. A fast hash suffices: the secret is 256 random bits, so that there is nothing
 * to guess, and a slow one would let anybody keep the processor busy.
 */
export function hashSecret(secret: string, pepper: Uint8Array): string {
  return createHmac('sha256', pepper).update(secret).digest('hex');
}

/** Compares two hashes in a time that says nothing about where they differ. */
export function sameHash(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
