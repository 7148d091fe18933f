/** The handlers of the internal listener: the Decisions port as JSON over HTTP. */
import {
  type Decisions,
  type FeedFrame,
  type FeedPosition,
  isTicketHash,
  MAX_CHECKS,
  PATHS,
  parseAuditEntries,
  parseCheckRequests,
  parseTicket,
} from '@centrali-io/protocol';
import { Refusal, type ServerRequest } from '../../resource-server/index.ts';

/** Bytes of a body: 256 checks, each with claims of a token of 8 KiB. */
const MAX_BODY_BYTES = 4 * 1_024 * 1_024;

const HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } as const;

type Handler = (request: ServerRequest, decisions: Decisions) => Promise<Response>;

const ROUTES: ReadonlyMap<string, { readonly method: string; readonly handle: Handler }> = new Map([
  [PATHS.check, { method: 'POST', handle: check }],
  [PATHS.changes, { method: 'GET', handle: changes }],
  [PATHS.audit, { method: 'POST', handle: audit }],
  [PATHS.tickets, { method: 'POST', handle: putTicket }],
  [PATHS.takeTicket, { method: 'POST', handle: takeTicket }],
  [PATHS.internalJwks, { method: 'GET', handle: jwks }],
]);

/**
 * Answers one request of the internal listener, which has checked its credential. Throws a `Refusal` for
 * what it does not understand, and `AUTH_ERROR` when IAM cannot decide.
 */
export async function handleInternal(request: ServerRequest, decisions: Decisions): Promise<Response> {
  const route = ROUTES.get(request.path);
  if (!route) throw new Refusal('NOT_FOUND', 'internal_path');
  if (request.method !== route.method)
    throw new Refusal('METHOD_NOT_ALLOWED', 'internal_method', { headers: { allow: route.method } });
  try {
    return await route.handle(request, decisions);
  } catch (cause) {
    if (cause instanceof Refusal) throw cause;
    throw new Refusal('AUTH_ERROR', 'iam_failed', { cause });
  }
}

async function check(request: ServerRequest, decisions: Decisions): Promise<Response> {
  const requests = parseCheckRequests(await readJson(request));
  if (!requests) throw malformed(`The body must be an array of 1 to ${MAX_CHECKS} checks.`);
  return json(await decisions.check(requests));
}

async function audit(request: ServerRequest, decisions: Decisions): Promise<Response> {
  const entries = parseAuditEntries(await readJson(request));
  if (!entries) throw malformed(`The body must be an array of 1 to ${MAX_CHECKS} entries.`);
  await decisions.record(entries);
  return new Response(null, { status: 204, headers: HEADERS });
}

async function putTicket(request: ServerRequest, decisions: Decisions): Promise<Response> {
  const { hash, ticket } = Object(await readJson(request)) as { hash?: unknown; ticket?: unknown };
  const record = parseTicket(ticket);
  if (!isTicketHash(hash) || !record) throw malformed('The body must be a hash and a ticket.');
  return json({ kept: await decisions.putTicket(hash, record) });
}

async function takeTicket(request: ServerRequest, decisions: Decisions): Promise<Response> {
  const { hash } = Object(await readJson(request)) as { hash?: unknown };
  if (!isTicketHash(hash)) throw malformed('The body must be a hash.');
  return json({ ticket: (await decisions.takeTicket(hash)) ?? null });
}

async function jwks(_request: ServerRequest, decisions: Decisions): Promise<Response> {
  return json(await decisions.jwks(), 'application/jwk-set+json');
}

async function changes(request: ServerRequest, decisions: Decisions): Promise<Response> {
  const position = readPosition(request.query);
  const stop = new AbortController();
  const frames = decisions.changes(position, stop.signal)[Symbol.asyncIterator]();
  // The first frame is awaited, so that a store that does not answer is a 503 and not a broken stream.
  const first = await frames.next();
  return new Response(ndjson(first, frames, stop), { headers: { ...HEADERS, 'content-type': 'application/x-ndjson' } });
}

/** One frame a line, each read only when the peer has taken the one before. */
function ndjson(
  first: IteratorResult<FeedFrame>,
  frames: AsyncIterator<FeedFrame>,
  stop: AbortController,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let next: IteratorResult<FeedFrame> | undefined = first;
  return new ReadableStream(
    {
      async pull(controller) {
        const result: IteratorResult<FeedFrame> = next ?? (await frames.next());
        next = undefined;
        if (result.done) controller.close();
        else controller.enqueue(encoder.encode(`${JSON.stringify(result.value)}\n`));
      },
      async cancel() {
        stop.abort();
        await frames.return?.();
      },
    },
    { highWaterMark: 1 },
  );
}

/** `after` and `epoch`, both or neither; anything else is refused. */
function readPosition(query: URLSearchParams): FeedPosition | undefined {
  for (const name of new Set(query.keys()))
    if (!['after', 'epoch'].includes(name) || query.getAll(name).length > 1) throw malformed(`Parameter ${name}.`);
  const after = query.get('after');
  const epoch = query.get('epoch');
  if (after === null && epoch === null) return undefined;
  if (after === null || epoch === null || !/^\d{1,15}$/.test(after)) throw malformed('Parameters after and epoch.');
  return { epoch, revision: Number(after) };
}

async function readJson(request: ServerRequest): Promise<unknown> {
  const bytes = await request.body(MAX_BODY_BYTES);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw malformed('The body is not JSON.');
  }
}

function json(value: unknown, type = 'application/json'): Response {
  return new Response(JSON.stringify(value), { headers: { ...HEADERS, 'content-type': type } });
}

function malformed(message: string): Refusal {
  return new Refusal('BAD_REQUEST', 'rpc_malformed', { message });
}
