/** What each signing key is for at a moment. Pure: the times of the keys and the clock decide. */
import type { SigningKeyRecord } from '../store/port.ts';

/** From the publication of a key to its first signature, in seconds, unless the operator says otherwise. */
export const PUBLISH_LEAD_SECONDS = 360;

/** Longest time that a cache is let keep our key set, in seconds. */
const MAX_AGE_SECONDS = 300;

/** Seconds by which a key is published ahead of what caches are told: requests and clocks take their time. */
const SLACK_SECONDS = 60;

/**
 * How long a cache may keep the key set, in seconds: every cache that is not stale then knows a key before it
 * signs. 300 with the default lead; with a lead of a minute or less, caches must ask each time.
 */
export function jwksMaxAgeSeconds(publishLeadSeconds: number): number {
  return Math.max(0, Math.min(MAX_AGE_SECONDS, publishLeadSeconds - SLACK_SECONDS));
}

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
