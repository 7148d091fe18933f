import { type EventInput, RealtimeError } from '@centrali-io/protocol';
import { foreignAnswer, post } from '../request.ts';
import type { PublishOptions, PublishResult } from '../types.ts';
import { eventsUrl } from './open-stream.ts';
import type { SubscriptionContext } from './subscription.ts';

/** A token that is not known to be dead. */
async function liveToken({ source }: SubscriptionContext): Promise<string> {
  let token = await source.acquire(false);
  if (token !== null && source.isDead(token) && source.refreshes) token = await source.acquire(true);
  if (token === null) throw new RealtimeError('MISSING_TOKEN');
  if (source.isDead(token)) throw new RealtimeError('TOKEN_EXPIRED');
  return token;
}

/**
 * Publishes. An expired token is replaced once, when the SDK may do so; nothing else is repeated, since
 * only the application knows whether it may be (give an idempotency key, then it may).
 */
export async function publish(
  context: SubscriptionContext,
  events: EventInput | readonly EventInput[],
  { idempotencyKey }: PublishOptions = {},
): Promise<PublishResult> {
  const { config, env, source } = context;
  const url = eventsUrl(config);
  const body = JSON.stringify(events);
  for (let attempt = 0; ; attempt++) {
    const token = await liveToken(context);
    const headers: Record<string, string> = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    if (idempotencyKey !== undefined) headers['idempotency-key'] = idempotencyKey;
    try {
      const { ids } = Object(await post(config, env, url, headers, body));
      if (!Array.isArray(ids)) throw foreignAnswer(url);
      return { ids };
    } catch (error) {
      if (!RealtimeError.is(error) || error.code !== 'TOKEN_EXPIRED') throw error;
      source.markDead(token);
      if (attempt > 0 || !source.refreshes) throw error;
    }
  }
}
