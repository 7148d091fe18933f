import { createHash } from 'node:crypto';
import {
  type EventInput,
  MAX_REQUEST_BYTES,
  principalKey,
  type RealtimeEvent,
  writePrincipal,
} from '@centrali-io/protocol';
import { ERROR_HEADERS, Refusal, type ServerRequest } from '../resource-server/index.ts';
import type { Access } from './access/access.ts';
import type { Attempt } from './access/attempt.ts';
import type { Authority } from './access/authority.ts';
import { authorize } from './access/authorize.ts';
import { bindGrants, coversEvent } from './access/grants.ts';
import { whileItHolds } from './access/while-it-holds.ts';
import { type Batch, type Broker, BrokerUnavailable, IdempotencyConflict } from './broker/port.ts';
import { idempotencyKeyOf, notationOf, readEvents } from './event-batch.ts';
import { onlyKnown } from './parameters.ts';

/** What publishing stands on. */
export interface PublishParts {
  readonly authority: Authority;
  readonly broker: Pick<Broker, 'append'>;
  /** An append that takes longer is UNAVAILABLE. Default 5,000 ms. */
  readonly appendTimeoutMs?: number;
}

const NO_PARAMETERS: ReadonlySet<string> = new Set();

/** `POST …/events`: authorize, validate, append; 202 with the ids once the batch is durable. */
export async function publish(
  { authority, broker, appendTimeoutMs = 5000 }: PublishParts,
  request: ServerRequest,
  workspace: string,
  attempt: Attempt,
): Promise<Response> {
  const demand = {
    workspace,
    permission: 'realtime:publish',
    query: 'no',
    understand: () => {
      onlyKnown(request.query, NO_PARAMETERS);
      return { notation: notationOf(request), key: idempotencyKeyOf(request) };
    },
  } as const;
  const { access, asked } = await authorize(authority, request, demand, attempt);
  const inputs = readEvents(await request.body(MAX_REQUEST_BYTES), asked.notation);
  // A body may take its time; the right to publish must still hold at its end.
  const { ends } = authority;
  const appended = await whileItHolds(authority, access, (current) => {
    if (!ends.holds(current)) return undefined;
    const events = complete(inputs, current, new Date(authority.now()).toISOString());
    const idempotency = idempotencyOf(current, asked.key, inputs);
    const batch: Batch = { workspace, events, ...(idempotency === undefined ? {} : { idempotency }) };
    return { ids: append(broker, batch, appendTimeoutMs) };
  });
  const ids = await appended.ids;
  return new Response(JSON.stringify({ ids }), {
    status: 202,
    headers: { ...ERROR_HEADERS, 'content-type': 'application/json' },
  });
}

/**
 * The events as they are stored: with workspace, publisher and time, each one covered by a grant.
 *
 * @throws Refusal `BAD_REQUEST` for another workspace; `FORBIDDEN` for another publisher without
 * `realtime:publish-as`, and for an event that no grant covers
 */
function complete(inputs: readonly EventInput[], access: Access, now: string): readonly string[] {
  const self = writePrincipal(access.principal);
  const mayPublishAs = access.permissions.includes('realtime:publish-as');
  const grants = bindGrants(access.grants, access.placeholders);
  return inputs.map((input, index) => {
    const { event, recordSlug, recordId, data, timestamp = now, workspaceSlug, createdBy = self } = input;
    if (workspaceSlug !== undefined && workspaceSlug !== access.workspace) {
      throw new Refusal('BAD_REQUEST', 'event_workspaceSlug', {
        message: `Event ${index}: workspaceSlug is the workspace of the URL.`,
      });
    }
    if (createdBy !== self && !mayPublishAs) {
      throw new Refusal('FORBIDDEN', 'publish_as', {
        message: `Event ${index}: createdBy needs the permission realtime:publish-as.`,
        scope: 'realtime:publish-as',
      });
    }
    const full = {
      event,
      workspaceSlug: access.workspace,
      ...(recordSlug === undefined ? {} : { recordSlug }),
      ...(recordId === undefined ? {} : { recordId }),
      ...(data === undefined ? {} : { data }),
      timestamp,
      createdBy,
    } as RealtimeEvent;
    if (!coversEvent(grants, full)) {
      throw new Refusal('FORBIDDEN', 'grant_does_not_cover', {
        message: `Event ${index} is outside of what this principal may publish.`,
        scope: 'realtime:publish',
      });
    }
    return JSON.stringify(full);
  });
}

/** De-duplication by `Idempotency-Key` or by the `id` of a single event; keys of principals never meet. */
function idempotencyOf(
  { workspace, principal }: Access,
  key: string | undefined,
  inputs: readonly EventInput[],
): Batch['idempotency'] {
  const id = inputs[0]?.id;
  if (key !== undefined && id !== undefined) {
    throw new Refusal('BAD_REQUEST', 'idempotency_twice', { message: 'Send Idempotency-Key or id, not both.' });
  }
  if (key === undefined && id === undefined) return undefined;
  const named = key === undefined ? ['id', id] : ['key', key];
  return {
    key: digest(JSON.stringify([workspace, principalKey(principal), ...named])),
    // What was sent, not what is stored: the time that the server adds differs from try to try.
    bodyHash: digest(JSON.stringify(inputs)),
  };
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

async function append(broker: Pick<Broker, 'append'>, batch: Batch, timeoutMs: number): Promise<readonly string[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Refusal('UNAVAILABLE', 'append_timeout')), timeoutMs);
  });
  try {
    return await Promise.race([broker.append(batch), late]);
  } catch (error) {
    if (error instanceof IdempotencyConflict) {
      throw new Refusal('CONFLICT', 'idempotency_conflict', {
        message: 'This key was used with another body.',
        cause: error,
      });
    }
    if (error instanceof BrokerUnavailable) throw new Refusal('UNAVAILABLE', 'broker_unavailable', { cause: error });
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
