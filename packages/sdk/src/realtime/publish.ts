import { type EventInput, RealtimeError } from '@centrali-io/protocol';
import { foreignAnswer, post } from '../request.ts';
import type { PublishOptions, PublishResult } from '../types.ts';
import { realtimeUrl } from './open-stream.ts';
import type { SubscriptionContext } from './subscription.ts';

/**
 * Publishes. An expired token is replaced once, when the SDK may do so; nothing else is repeated, since
 * only the application knows whether it may be (give an idempotency key, then it may).
 */
export async function publish(
  context: SubscriptionContext,
  events: EventInput | readonly EventInput[],
  { idempotencyKey }: PublishOptions = {},
): Promise<PublishResult> {
  const { config, source } = context;
  const url = realtimeUrl(config);
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (idempotencyKey !== undefined) headers['idempotency-key'] = idempotencyKey;
  const body = JSON.stringify(events);
  for (let attempt = 0; ; attempt++) {
    const token = await source.acquire(false);
    if (token === null) throw new RealtimeError('MISSING_TOKEN');
    if (source.isDead(token)) throw new RealtimeError('TOKEN_EXPIRED');
    try {
      const { ids } = await post(context, url, `Bearer ${token}`, headers, body);
      if (!Array.isArray(ids)) throw foreignAnswer(url);
      return { ids };
    } catch (cause) {
      if (!RealtimeError.is(cause) || cause.code !== 'TOKEN_EXPIRED') throw cause;
      source.bury(token);
      if (attempt > 0 || !source.refreshes) throw cause;
    }
  }
}
