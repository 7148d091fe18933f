/** What each signing key is for at a moment. Pure: the times of the keys and the clock decide. */
import type { SigningKeyRecord } from '../store/port.ts';

/** How long a cache may keep our key set, in seconds. A new key signs only after that and some slack. */
export const JWKS_MAX_AGE_SECONDS = 300;

/** From the publication of a key to its first signature, in milliseconds: every cache that is not stale knows it then. */
export const PUBLISH_LEAD_MILLISECONDS = (JWKS_MAX_AGE_SECONDS + 60) * 1_000;

/** Whether the key belongs into the key set: neither withdrawn nor retired. */
export function isPublished(key: SigningKeyRecord, now: number): boolean {
  return key.withdrawnAt === null && (key.retireAt === null || now < key.retireAt);
}

/** The key that signs: the newest of those that are published and due. */
export function signingKeyAt(keys: readonly SigningKeyRecord[], now: number): SigningKeyRecord | undefined {
  let newest: SigningKeyRecord | undefined;
  for (const key of keys)
    if (isPublished(key, now) && key.signFrom <= now && (!newest || key.signFrom >= newest.signFrom)) newest = key;
  return newest;
}

/** Whether nothing can still depend on the key's record: it is retired, or the last token it signed is dead. */
export function isForgettable(key: SigningKeyRecord, now: number, longestLifetimeMilliseconds: number): boolean {
  if (key.withdrawnAt !== null) return now >= key.withdrawnAt + longestLifetimeMilliseconds;
  return key.retireAt !== null && now >= key.retireAt;
}
