import { type OutboundGet, Refusal } from '../../resource-server/index.ts';

/** Fetches for administrators that may be under way at once. */
export const MAX_FETCHES = 8;

/**
 * Bounds how many fetches administrators can have under way: each holds a socket for as long as the named
 * server likes, up to the time cap. UNAVAILABLE beyond; nothing waits in a queue.
 */
export function boundedGet(get: OutboundGet, limit: number = MAX_FETCHES): OutboundGet {
  let under = 0;
  return async (url, signal) => {
    if (under >= limit) {
      throw new Refusal('UNAVAILABLE', 'too_many_fetches', {
        message: 'Too many providers are being fetched just now.',
      });
    }
    under += 1;
    try {
      return await get(url, signal);
    } finally {
      under -= 1;
    }
  };
}
