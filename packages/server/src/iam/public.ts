import type { IncomingMessage, ServerResponse } from 'node:http';
import fastify, { type FastifyInstance } from 'fastify';
import { type Log, Refusal, refusalResponse } from '../resource-server/index.ts';
import type { RequestContext } from './services.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** What the listener knows of the request. */
    context: RequestContext;
  }
}

/** IAM's public side: one fastify instance without a socket of its own. */
export interface PublicServer {
  readonly handle: (req: IncomingMessage, res: ServerResponse, context: RequestContext) => void;
  close(): Promise<void>;
}

/** Options of `openPublicServer`. */
export interface PublicServerOptions {
  /** The public base URL, for challenges. */
  readonly baseUrl: string;
  readonly log: Log;
  /** Registers the routes, in order. */
  readonly routes: readonly ((app: FastifyInstance) => Promise<void>)[];
}

/** Statuses of fastify's own errors, and what we say instead. */
const FRAMEWORK_ERRORS: ReadonlyMap<number, Refusal> = new Map([
  [400, new Refusal('BAD_REQUEST', 'http')],
  [404, new Refusal('NOT_FOUND', 'path')],
  [413, new Refusal('PAYLOAD_TOO_LARGE', 'body_size')],
  [414, new Refusal('BAD_REQUEST', 'url_size')],
  [415, new Refusal('BAD_REQUEST', 'content_type', { message: 'The Content-Type is not supported here.' })],
]);

/** Makes the server. Every error is answered as docs/errors.md says; no route can forget it. */
export async function openPublicServer({ baseUrl, log, routes }: PublicServerOptions): Promise<PublicServer> {
  const contexts = new WeakMap<IncomingMessage, RequestContext>();
  const contextOf = (raw: IncomingMessage): RequestContext => {
    const context = contexts.get(raw);
    if (!context) throw new Error('A request without its context.');
    return context;
  };
  const app = fastify({
    logger: false,
    // A `sub` of 255 bytes, each of them percent-encoded.
    routerOptions: { maxParamLength: 3 * 255 },
    genReqId: (raw) => contextOf(raw).id,
    frameworkErrors: (error, request, reply) => {
      void answer(error, request.raw, reply.raw);
    },
  });
  const answer = async (error: unknown, raw: IncomingMessage, res: ServerResponse): Promise<void> => {
    const { id } = contextOf(raw);
    const refusal = refusalOf(error);
    if (refusal.code === 'INTERNAL_ERROR')
      log.error({ requestId: id, error: textOf(error) }, 'A request of IAM failed');
    const response = refusalResponse(refusal, { requestId: id, baseUrl });
    if (res.headersSent) return void res.destroy();
    res.writeHead(response.status, Object.fromEntries(response.headers));
    res.end(await response.text());
  };
  app.decorateRequest('context');
  app.addHook('onRequest', async (request) => {
    request.context = contextOf(request.raw);
  });
  app.setErrorHandler(async (error, request, reply) => {
    reply.hijack();
    await answer(error, request.raw, reply.raw);
  });
  app.setNotFoundHandler(async () => {
    throw new Refusal('NOT_FOUND', 'path');
  });
  for (const register of routes) await register(app);
  await app.ready();
  return {
    handle(req, res, context) {
      contexts.set(req, context);
      app.routing(req, res);
    },
    close: () => app.close(),
  };
}

function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  const status = (error as { statusCode?: unknown }).statusCode;
  const known = typeof status === 'number' ? FRAMEWORK_ERRORS.get(status) : undefined;
  return known ?? new Refusal('INTERNAL_ERROR', 'iam_fault', { cause: error });
}

/** Name and message, for the log; never what was sent. */
function textOf(error: unknown): string {
  const cause = error instanceof Refusal ? (error.init.cause ?? error) : error;
  return cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
}
