import { writePrincipal } from '@centrali-io/protocol';
import { ERROR_HEADERS, Refusal, type ServerRequest } from '../resource-server/index.ts';
import type { Access } from './access/access.ts';
import type { Attempt } from './access/attempt.ts';
import { actorOf, auditEntry } from './access/audit-entry.ts';
import type { Authority } from './access/authority.ts';
import { authorize } from './access/authorize.ts';
import type { Delivery, StreamInfo } from './delivery/port.ts';
import { badParameter, onlyKnown } from './parameters.ts';
import type { Place } from './routes.ts';

/** What the routes of open streams stand on. */
export interface ConnectionsParts {
  readonly authority: Authority;
  readonly delivery: Delivery;
}

/** Items of a page: by default, and at most. */
const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1000;

const LIST_PARAMETERS: ReadonlySet<string> = new Set(['after', 'limit']);
const NO_PARAMETERS: ReadonlySet<string> = new Set();

/** Where a page begins and how long it is. */
interface PageQuery {
  readonly after: number;
  readonly limit: number;
}

/**
 * `GET …/connections`: the open streams of the workspace, oldest first, as `{items, next, partial}`.
 * `partial` says that a gateway did not answer; one gateway alone always has all.
 */
export async function listConnections(
  { authority, delivery }: ConnectionsParts,
  request: ServerRequest,
  { workspace }: Place,
  attempt: Attempt,
): Promise<Response> {
  const understand = (): PageQuery => {
    onlyKnown(request.query, LIST_PARAMETERS);
    return {
      after: wholeOf(request.query, 'after', 0, Number.MAX_SAFE_INTEGER),
      limit: wholeOf(request.query, 'limit', DEFAULT_LIMIT, MAX_LIMIT),
    };
  };
  const demand = { workspace, permission: 'realtime:connections', query: 'no', understand } as const;
  const { asked } = await authorize(authority, request, demand, attempt);
  const page: StreamInfo[] = [];
  for (const stream of delivery.list(workspace)) {
    if (stream.serial > asked.after) page.push(stream);
    if (page.length > asked.limit) break;
  }
  const shown = page.slice(0, asked.limit);
  const next = page.length > asked.limit ? String(shown.at(-1)?.serial) : null;
  return new Response(JSON.stringify({ items: shown.map(itemOf), next, partial: false }), {
    headers: { ...ERROR_HEADERS, 'content-type': 'application/json' },
  });
}

/**
 * `GET …/connections/{id}`: one open stream.
 *
 * @throws Refusal `NOT_FOUND`, the same one for an unknown id and for a stream of another workspace
 */
export async function showConnection(
  parts: ConnectionsParts,
  request: ServerRequest,
  place: Place,
  attempt: Attempt,
): Promise<Response> {
  const { stream } = await findConnection(parts, request, place, attempt);
  return new Response(JSON.stringify(itemOf(stream)), {
    headers: { ...ERROR_HEADERS, 'content-type': 'application/json' },
  });
}

/**
 * `DELETE …/connections/{id}`: ends the stream with `closing closed`; 204.
 *
 * @throws Refusal `NOT_FOUND`, the same one for an unknown id and for a stream of another workspace
 */
export async function closeConnection(
  parts: ConnectionsParts,
  request: ServerRequest,
  place: Place,
  attempt: Attempt,
): Promise<Response> {
  const { authority, delivery } = parts;
  const { workspace, connectionId } = place;
  const { access } = await findConnection(parts, request, place, attempt);
  // The row of the stream's own end follows; this one says who ended it.
  const closed = { at: authority.now(), kind: 'close', reason: 'closed_by_request', workspace, connectionId } as const;
  authority.audit.add(auditEntry(actorOf(access, request), closed));
  delivery.end(connectionId, { kind: 'closing', reason: 'closed' });
  return new Response(null, { status: 204, headers: ERROR_HEADERS });
}

/** The stream that a route names, for whoever may list them. */
async function findConnection(
  { authority, delivery }: ConnectionsParts,
  request: ServerRequest,
  { workspace, connectionId }: Place,
  attempt: Attempt,
): Promise<{ readonly access: Access; readonly stream: StreamInfo }> {
  const understand = (): void => onlyKnown(request.query, NO_PARAMETERS);
  const demand = { workspace, permission: 'realtime:connections', query: 'no', understand } as const;
  const { access } = await authorize(authority, request, demand, attempt);
  const stream = delivery.find(connectionId);
  if (stream?.access.workspace !== workspace) throw noConnection();
  return { access, stream };
}

/** The one answer for a stream that is unknown, of another workspace, or on a gateway that is silent. */
export function noConnection(): Refusal {
  return new Refusal('NOT_FOUND', 'no_connection');
}

/** An open stream, as the list shows it. */
function itemOf(stream: StreamInfo): Readonly<Record<string, unknown>> {
  const { connectionId, access, address, openedAt, state, unsentBytes, requestId } = stream;
  return {
    id: connectionId,
    principal: writePrincipal(access.principal),
    kind: access.principal.kind,
    clientId: access.token.clientId ?? null,
    address,
    openedAt: new Date(openedAt).toISOString(),
    expiresAt: new Date(access.token.expiresAt).toISOString(),
    state,
    unsentBytes,
    requestId,
  };
}

function wholeOf(query: URLSearchParams, name: string, fallback: number, max: number): number {
  const text = query.get(name);
  if (text === null) return fallback;
  const value = /^[1-9]\d{0,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= max)) throw badParameter(name, `is a whole number from 1 to ${max}.`);
  return value;
}
