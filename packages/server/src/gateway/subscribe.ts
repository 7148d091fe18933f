import { ERROR_CODES, encodeEvent, encodeRetry, errorBody, principalKey, SYSTEM } from '@centrali-io/protocol';
import { type QueryTokenPolicy, Refusal, retryAfterOf, type ServerRequest } from '../resource-server/index.ts';
import type { Access } from './access/access.ts';
import type { Slot } from './access/admit.ts';
import type { Attempt } from './access/attempt.ts';
import { actorOf, auditEntry } from './access/audit-entry.ts';
import type { Authority } from './access/authority.ts';
import { authorize } from './access/authorize.ts';
import { whileItHolds } from './access/while-it-holds.ts';
import type { Delivery, StreamEnd } from './delivery/port.ts';
import type { Reply } from './reply.ts';
import { readSubscription } from './selection.ts';

/** What subscribing stands on. */
export interface SubscribeParts {
  readonly authority: Authority;
  readonly delivery: Delivery;
  readonly queryTokens: QueryTokenPolicy;
  /** Whether a request's cookie may count as a token; never, when absent. */
  readonly mayUseCookie?: ((headers: ServerRequest['headers']) => boolean) | undefined;
}

/** `GET …/events`: the seven steps of the connection flow. */
export async function subscribe(
  { authority, delivery, queryTokens, mayUseCookie }: SubscribeParts,
  request: ServerRequest,
  workspace: string,
  attempt: Attempt,
): Promise<Reply> {
  // Steps 0 to 5.
  const demand = {
    workspace,
    permission: 'realtime:subscribe',
    query: queryTokens,
    ticket: true,
    cookie: mayUseCookie?.(request.headers) ?? false,
    understand: () => readSubscription(request),
  } as const;
  const { access: admitted, asked } = await authorize(authority, request, demand, attempt);
  const { ends } = authority;
  // From here on the stream is found by every change of what it lives on.
  const bound = await whileItHolds(authority, admitted, (access) => ends.bind(access));
  let slot: Slot;
  try {
    const place = { access: admitted, address: request.address, resumes: asked.cursor !== undefined };
    slot = takeSlot({ authority, delivery }, place);
  } catch (error) {
    ends.release(bound);
    throw error;
  }
  let opened = false;

  // Step 6: open the stream.
  const record = (entry: { kind: 'connect' | 'close' } & Partial<StreamEnd>): void =>
    authority.audit.add(auditEntry(actorOf(admitted, request), { at: authority.now(), workspace, ...entry }));
  try {
    const stream = await delivery.openStream({
      access: bound.access,
      hold: bound,
      selection: asked.selection,
      ...(asked.cursor === undefined ? {} : { cursor: asked.cursor }),
      requestId: request.id,
      address: request.address,
      onOpen: (connectionId) => record({ kind: 'connect', connectionId }),
      onEnd: ({ connectionId, code, reason }) => {
        slot.release();
        ends.release(bound);
        if (opened) record({ kind: 'close', connectionId, reason, ...(code === undefined ? {} : { code }) });
      },
    });
    try {
      ends.opened(bound, stream.connectionId);
    } catch (error) {
      stream.abandon();
      throw error;
    }
    opened = true;
    return stream;
  } catch (error) {
    slot.release();
    ends.release(bound);
    throw error;
  }
}

/**
 * A place among the open streams. A client that comes back with its cursor before its old stream was seen to
 * be gone must not be locked out by itself: with all places of its principal taken, it takes that of the
 * principal's oldest stream from the same address.
 *
 * @throws Refusal `RATE_LIMIT_EXCEEDED`
 */
function takeSlot(
  { authority, delivery }: Pick<SubscribeParts, 'authority' | 'delivery'>,
  { access, address, resumes }: { readonly access: Access; readonly address: string; readonly resumes: boolean },
): Slot {
  const take = (): Slot => authority.admission.stream(access.workspace, access.principal);
  try {
    return take();
  } catch (error) {
    if (!(error instanceof Refusal) || error.reason !== 'principal_full' || !resumes) throw error;
    const key = principalKey(access.principal);
    for (const stream of delivery.list(access.workspace)) {
      if (stream.address !== address || principalKey(stream.access.principal) !== key) continue;
      delivery.end(stream.connectionId, { kind: 'closing', reason: 'replaced' });
      return take();
    }
    throw error;
  }
}

/** A native EventSource reconnects for ever; a final refusal tells it to come back tomorrow. */
const ONE_DAY_SECONDS = 86_400;

/**
 * A refusal as a stream of one event, for `errors=stream`: `retry:` first, so that the client does not
 * hammer. Where the same URL can never succeed (also with an expired token), that is a day.
 */
export function refusalStream(refusal: Refusal, requestId: string, random: () => number): Response {
  const retryAfter = retryAfterOf(refusal, random);
  const wait = ERROR_CODES[refusal.code].action === 'retry' ? (retryAfter ?? 1 + random() * 4) : ONE_DAY_SECONDS;
  const body = errorBody(refusal.code, requestId, refusal.init.message, retryAfter);
  const event = encodeEvent(undefined, SYSTEM, JSON.stringify({ type: 'error', ...body }));
  return new Response(encodeRetry(wait * 1000) + event, {
    status: 200,
    headers: {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
    },
  });
}
