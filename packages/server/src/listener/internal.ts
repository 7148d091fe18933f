/** The internal listener: the RPC between gateway and IAM behind its credential, metrics, health. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { PATHS } from '@centrali-io/protocol';
import type { Iam } from '../iam/index.ts';
import { type Log, Refusal, refusalResponse, type ServerRequest } from '../resource-server/index.ts';
import { jsonResponse, newRequestId } from './answers.ts';
import type { Metrics } from './metrics.ts';
import type { Readiness } from './public.ts';
import { type NodeRequest, type NodeResponse, readRequest } from './request.ts';
import { sendResponse } from './respond.ts';
import { closeServer, createNodeServer, listen, type ServerOptions, urlOf } from './server.ts';
import { watchSockets } from './sockets.ts';

/** What `createInternalListener` is made from. */
export interface InternalListenerOptions extends ServerOptions {
  /** The shared secret of gateway and IAM, at least 32 characters. Without it, every RPC is refused. */
  readonly credential: string | undefined;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** What stands behind the internal listener. */
export interface InternalMounted {
  readonly iam?: Pick<Iam, 'handleInternal'> | undefined;
  readiness(): Readiness;
}

/** The internal listener; loopback unless configured otherwise. */
export interface InternalListener {
  listen(): Promise<{ readonly port: number; readonly url: string }>;
  mount(mounted: InternalMounted): void;
  close(graceMs: number): Promise<void>;
}

/** Makes the internal listener. */
export function createInternalListener(options: InternalListenerOptions): InternalListener {
  const { log, metrics } = options;
  const expected = options.credential === undefined ? undefined : digest(options.credential);
  let mounted: InternalMounted | undefined;

  const server = createNodeServer(options, (req, res) => {
    req.on('error', ignore);
    res.on('error', ignore);
    const state = sockets.stateOf(req.socket);
    state.pending += 1;
    res.once('close', () => {
      state.pending -= 1;
    });
    answer(req, res).catch((error: unknown) => {
      log.error({ error: String(error) }, 'An answer could not be written');
      res.destroy();
    });
  });
  const sockets = watchSockets(server, metrics);

  async function answer(req: NodeRequest, res: NodeResponse): Promise<void> {
    const id = newRequestId();
    try {
      await sendResponse(res, await route(readRequest(req, id, { isTrustedProxy: () => false })), {});
    } catch (error) {
      const refusal =
        error instanceof Refusal ? error : new Refusal('INTERNAL_ERROR', 'listener_fault', { cause: error });
      metrics.refused('listener', refusal.code, refusal.reason);
      if (!(error instanceof Refusal)) log.error({ requestId: id, error: String(error) }, 'The RPC failed');
      await sendResponse(res, refusalResponse(refusal, { requestId: id, baseUrl: '' }), {});
    }
  }

  async function route(request: ServerRequest): Promise<Response> {
    if (request.path === PATHS.healthz) return jsonResponse(200, { status: 'alive' });
    if (request.path === PATHS.readyz) {
      const readiness = mounted?.readiness() ?? { ready: false, detail: 'starting' };
      return jsonResponse(readiness.ready ? 200 : 503, readiness);
    }
    if (request.path === PATHS.metrics) {
      const { body, type } = await metrics.text();
      return new Response(body, { headers: { 'content-type': type, 'cache-control': 'no-store' } });
    }
    // The credential comes before the question whether anything is there.
    if (!knows(request)) throw new Refusal('INVALID_TOKEN', 'internal_credential', { challenge: 'bare' });
    if (mounted?.iam === undefined) throw new Refusal('NOT_FOUND', 'no_iam_here');
    return await mounted.iam.handleInternal(request);
  }

  /** Whether the request carries the credential, compared in constant time. */
  function knows({ headers }: ServerRequest): boolean {
    const [value, ...more] = headers.all('authorization');
    const given = /^Bearer ([\x21-\x7e]+)$/i.exec(value ?? '')?.[1];
    if (given === undefined || more.length > 0 || expected === undefined) return false;
    return timingSafeEqual(digest(given), expected);
  }

  return {
    async listen() {
      const port = await listen(server, options);
      server.on('error', (error: NodeJS.ErrnoException) =>
        log.error({ error: error.code }, 'The internal listener cannot accept'),
      );
      return { port, url: urlOf(options.tls ? 'https' : 'http', options.host, port) };
    },
    mount(parts) {
      mounted = parts;
    },
    close: (graceMs) => closeServer(server, sockets.open, graceMs),
  };
}

function ignore(): void {
  // 'close' follows.
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
