/** The public listener: streams, publishing, OAuth, administration and health come in here. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2SecureServer } from 'node:http2';
import { matchRealtimePath, PATHS } from '@centrali-io/protocol';
import { type Connection, type Gateway, isStreamReply } from '../gateway/index.ts';
import type { Iam } from '../iam/index.ts';
import { type Log, Refusal, refusalResponse, type ServerRequest } from '../resource-server/index.ts';
import { limitKey, trustedProxies } from './address.ts';
import { fileResponse, insecure, jsonResponse, newRequestId, type ServedFile, tooMany } from './answers.ts';
import { createCors, type OriginPolicy } from './cors.ts';
import { type AddressLimits, AddressTable } from './limits.ts';
import type { Metrics } from './metrics.ts';
import { isHttp2, type NodeRequest, type NodeResponse, readRequest } from './request.ts';
import { sendResponse, sendStream } from './respond.ts';
import { routeName } from './routes.ts';
import {
  closeServer,
  createNodeServer,
  listen,
  REQUEST_TIMEOUT,
  type ServerOptions,
  type TlsFiles,
  urlOf,
} from './server.ts';
import { ownState, type SocketState, watchSockets } from './sockets.ts';

/** What `createPublicListener` is made from. */
export interface PublicListenerOptions extends ServerOptions {
  readonly origins: OriginPolicy;
  /** IP addresses, networks in CIDR notation, or `loopback`: whose `X-Forwarded-…` is believed. */
  readonly trustedProxies: readonly string[];
  readonly limits: AddressLimits;
  readonly log: Log;
  readonly metrics: Metrics;
  /** How long a body may take, in ms; 10,000 by default. */
  readonly bodyTimeoutMs?: number;
  /** How long a request may stand still, its answer unread, in ms; 30,000 by default. Open streams look after themselves. */
  readonly idleTimeoutMs?: number;
  /** Monotonic clock in ms. */
  readonly monotonic: () => number;
}

/** Whether this process can serve, and the state of its parts beside that. */
export interface Readiness {
  readonly ready: boolean;
  readonly [part: string]: unknown;
}

/** What stands behind the listener. */
export interface Mounted {
  /** The public base URL, without trailing slash. */
  readonly baseUrl: string;
  readonly gateway?: Pick<Gateway, 'handle' | 'refuse'> | undefined;
  readonly iam?: Pick<Iam, 'handlePublic'> | undefined;
  readiness(): Readiness;
  /** Files below `/-/`, for `dev`. */
  file?(path: string): ServedFile | undefined;
}

/** The listener. It listens before anything stands behind it, so that `--port 0` can name its own URL. */
export interface PublicListener {
  /** Binds the port; until `mount`, requests are answered UNAVAILABLE. Rejects when the port is taken. */
  listen(): Promise<{ readonly port: number; readonly url: string }>;
  mount(mounted: Mounted): void;
  /** Takes a renewed certificate for new connections; throws when it is not one. Only with TLS. */
  renew(tls: TlsFiles): void;
  /** Stops accepting, lets answers in flight go out for `graceMs`, cuts the rest. */
  close(graceMs: number): Promise<void>;
}

/** Sockets of one address beyond twice its streams. */
const SPARE_SOCKETS = 256;

/** An origin of which nothing means anything to a shell. */
const PLAIN_ORIGIN = /^https?:\/\/[A-Za-z0-9.-]+(?::\d{1,5})?$/;

/** Makes the public listener. Throws a `TypeError` for an unreadable entry of `trustedProxies`. */
export function createPublicListener(options: PublicListenerOptions): PublicListener {
  const { log, metrics } = options;
  const isTrustedProxy = trustedProxies(options.trustedProxies);
  const addresses = new AddressTable(options.limits, options.monotonic);
  const cors = createCors(options.origins, (origin) => {
    // People paste what stands here into a shell, and a host in a URL may hold `$(…)`.
    if (PLAIN_ORIGIN.test(origin))
      log.warn({ origin }, `An origin was refused. If it is yours, allow it: --allow-origin ${origin}`);
    else log.warn({}, 'An origin was refused that cannot be allowed.');
  });
  let mounted: Mounted | undefined;

  const server = createNodeServer(options, (req, res) => {
    req.on('error', ignore);
    res.on('error', ignore);
    const state = isHttp2(req) ? ownState() : sockets.stateOf(req.socket);
    // A pipelined request behind a stream would wait for hours, and run under another's eyes.
    if (state.taken) {
      if (!state.closing) req.socket.destroy();
      return;
    }
    state.pending += 1;
    res.once('close', () => {
      state.pending -= 1;
    });
    // Nobody else watches whether an answer is read, nor, in HTTP/2, whether a body comes.
    res.setTimeout(options.idleTimeoutMs ?? REQUEST_TIMEOUT, () => res.destroy());
    answer(req, res, state).catch((error: unknown) => {
      log.error({ error: String(error) }, 'An answer could not be written');
      res.destroy();
    });
  });
  const { connectionsPerAddress } = options.limits;
  const sockets = watchSockets(server, metrics, {
    // Room for as many streams as are allowed, for the requests beside them, and to be refused with a code.
    perAddress: connectionsPerAddress === 0 ? 0 : 2 * connectionsPerAddress + SPARE_SOCKETS,
    isExempt: isTrustedProxy,
  });

  /** Answers one request. */
  async function answer(req: NodeRequest, res: NodeResponse, state: SocketState): Promise<void> {
    const id = newRequestId();
    const origins = req.rawHeaders.filter((_, i, raw) => i % 2 === 1 && raw[i - 1]?.toLowerCase() === 'origin');
    const extra = { ...cors.headers(origins.length === 1 ? origins[0] : undefined) };
    try {
      let request: ServerRequest;
      try {
        request = readRequest(req, id, { isTrustedProxy, ...bodyTimeout(options) });
        if (!request.secure) throw insecure();
      } catch (error) {
        // The connection's framing cannot be trusted any more.
        if (!isHttp2(req)) {
          state.taken = true;
          state.closing = true;
          (res as ServerResponse).shouldKeepAlive = false;
        }
        throw error;
      }
      count(request, res);
      if (isPreflight(request)) {
        const headers = cors.preflight(request.headers.get('origin') ?? '');
        return await sendResponse(res, new Response(null, { status: 204, headers }), {});
      }
      await route(request, req, res, state, extra);
    } catch (error) {
      await refuse(error, id, res, extra, req.method === 'HEAD');
    }
  }

  async function refuse(
    error: unknown,
    requestId: string,
    res: NodeResponse,
    extra: Readonly<Record<string, string>>,
    head: boolean,
  ): Promise<void> {
    const refusal =
      error instanceof Refusal ? error : new Refusal('INTERNAL_ERROR', 'listener_fault', { cause: error });
    metrics.refused('listener', refusal.code, refusal.reason);
    if (refusal.code === 'INTERNAL_ERROR') log.error({ requestId, error: String(error) }, 'The listener failed');
    else log.info({ requestId, code: refusal.code, reason: refusal.reason }, 'Refused at the listener');
    // Half an answer, or a stream that nobody feeds, must not stay.
    if (res.headersSent) res.destroy();
    await sendResponse(res, refusalResponse(refusal, { requestId, baseUrl: mounted?.baseUrl ?? '' }), extra, head);
  }

  function count(request: ServerRequest, res: NodeResponse): void {
    const started = options.monotonic();
    res.once('close', () => {
      const route = routeName(request.path);
      metrics.answered(route, request.method, res.statusCode);
      // Someone who guesses tokens or secrets pays like someone who connects.
      if (res.statusCode === 401) addresses.charge(limitKey(request.address));
      log.info(
        {
          requestId: request.id,
          method: request.method,
          route,
          status: res.statusCode,
          ms: Math.round(options.monotonic() - started),
          address: request.address,
        },
        'Answered',
      );
    });
  }

  async function route(
    request: ServerRequest,
    req: NodeRequest,
    res: NodeResponse,
    state: SocketState,
    extra: Readonly<Record<string, string>>,
  ): Promise<void> {
    const head = request.method === 'HEAD';
    if (request.path === PATHS.healthz || request.path === PATHS.readyz) {
      return await sendResponse(res, health(request), extra, head);
    }
    if (mounted === undefined) throw new Refusal('UNAVAILABLE', 'starting', { retryAfter: 1 });
    const realtime = matchRealtimePath(request.path);
    if (realtime !== undefined) {
      if (realtime === 'invalid') {
        throw new Refusal('BAD_REQUEST', 'workspace_form', { message: 'The workspace in the URL is not a slug.' });
      }
      if (mounted.gateway === undefined) throw new Refusal('NOT_FOUND', 'no_gateway_here');
      return await toGateway(mounted.gateway, request, realtime, res, state, extra);
    }
    const file = mounted.file?.(request.path);
    if (file !== undefined) {
      if (request.method !== 'GET' && !head) {
        throw new Refusal('METHOD_NOT_ALLOWED', 'method', { headers: { allow: 'GET, HEAD' } });
      }
      return await sendResponse(res, fileResponse(file), extra, head);
    }
    if (mounted.iam === undefined) throw new Refusal('NOT_FOUND', 'no_iam_here');
    if (!addresses.hasAttempts(limitKey(request.address))) throw tooMany('attempts_per_address');
    for (const [name, value] of Object.entries(extra)) (res as ServerResponse).setHeader(name, value);
    mounted.iam.handlePublic(req as IncomingMessage, res as ServerResponse, {
      id: request.id,
      address: request.address,
      secure: request.secure,
    });
  }

  async function toGateway(
    gateway: Pick<Gateway, 'handle' | 'refuse'>,
    request: ServerRequest,
    realtime: { readonly workspace: string; readonly rest: string },
    res: NodeResponse,
    state: SocketState,
    extra: Readonly<Record<string, string>>,
  ): Promise<void> {
    const key = limitKey(request.address);
    const refuse = (refusal: Refusal): Promise<void> =>
      sendResponse(res, gateway.refuse(refusal, request, realtime), extra, request.method === 'HEAD');
    if (request.method !== 'GET' || realtime.rest !== 'events') {
      if (!addresses.hasAttempts(key)) return await refuse(tooMany('attempts_per_address'));
      const reply = await gateway.handle(request, realtime);
      if (isStreamReply(reply)) return void sendStream(res, reply, extra, metrics.sent);
      return await sendResponse(res, reply, extra, request.method === 'HEAD');
    }
    if (!addresses.attempt(key)) return await refuse(tooMany('connects_per_address'));
    if (state.pending > 1) throw new Refusal('BAD_REQUEST', 'pipelined', { message: 'A stream cannot be pipelined.' });
    const release = addresses.open(key);
    if (release === undefined) return await refuse(tooMany('connections_per_address'));
    state.taken = true;
    let connection: Connection | undefined;
    try {
      const reply = await gateway.handle(request, realtime);
      if (!isStreamReply(reply)) {
        state.taken = false;
        return await sendResponse(res, reply, extra);
      }
      connection = sendStream(res, reply, extra, metrics.sent);
    } finally {
      if (connection === undefined) release();
    }
    if (connection === undefined) return;
    const closed = metrics.streamOpened();
    connection.onClose(() => {
      closed();
      release();
    });
  }

  function health(request: ServerRequest): Response {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      throw new Refusal('METHOD_NOT_ALLOWED', 'method', { headers: { allow: 'GET, HEAD' } });
    }
    if (request.path === PATHS.healthz) return jsonResponse(200, { status: 'alive' });
    const readiness = mounted?.readiness() ?? { ready: false, detail: 'starting' };
    return jsonResponse(readiness.ready ? 200 : 503, readiness);
  }

  return {
    async listen() {
      const port = await listen(server, options);
      // Running out of file descriptors is reported here and must not end the process.
      server.on('error', (error: NodeJS.ErrnoException) =>
        log.error({ error: error.code }, 'The public listener cannot accept'),
      );
      return { port, url: urlOf(options.tls ? 'https' : 'http', options.host, port) };
    },
    mount(parts) {
      mounted = parts;
    },
    renew: ({ cert, key }) => (server as Http2SecureServer).setSecureContext({ cert, key, minVersion: 'TLSv1.2' }),
    close: (graceMs) => closeServer(server, sockets.open, graceMs),
  };
}

function ignore(): void {
  // 'close' follows, and is listened to where it matters.
}

function bodyTimeout({ bodyTimeoutMs }: PublicListenerOptions): { bodyTimeoutMs?: number } {
  return bodyTimeoutMs === undefined ? {} : { bodyTimeoutMs };
}

function isPreflight({ method, headers }: ServerRequest): boolean {
  return (
    method === 'OPTIONS' &&
    headers.get('origin') !== undefined &&
    headers.get('access-control-request-method') !== undefined
  );
}
