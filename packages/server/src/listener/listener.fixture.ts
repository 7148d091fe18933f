/** A public listener with a fake gateway and IAM behind it, and raw clients for it. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach } from 'vitest';
import type { Connection, Reply, StreamReply } from '../gateway/index.ts';
import { type Log, refusalResponse, type ServerRequest, SILENT } from '../resource-server/index.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { createPublicListener, type Mounted, type PublicListener, type PublicListenerOptions } from './public.ts';

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (let close = closers.pop(); close; close = closers.pop()) await close();
});

/** What a test starts. */
export interface Started {
  readonly url: string;
  readonly port: number;
  readonly metrics: Metrics;
  readonly renew: PublicListener['renew'];
  /** Requests that reached the gateway or IAM, as `POST /path`. */
  readonly reached: string[];
  /** Connections that streams were attached with. */
  readonly connections: Connection[];
  /** Sends bytes on a new socket; `text()` waits until the answer holds `until`, or for the end. */
  raw(bytes: string): { readonly socket: Socket; text(until?: string): Promise<string> };
}

/** A stream that keeps its connection for the test. */
export function streamReply(connections: Connection[]): StreamReply {
  return {
    status: 200,
    headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store, no-transform' },
    attach(connection) {
      connections.push(connection);
      connection.write(Buffer.from(': hello\n\n'));
    },
    abandon() {},
  };
}

/** Starts a listener; it ends with the test. */
export async function startListener(
  options: Partial<PublicListenerOptions> & {
    readonly handle?: (request: ServerRequest, connections: Connection[]) => Reply | Promise<Reply>;
    readonly file?: Mounted['file'];
    readonly log?: Log;
  } = {},
): Promise<Started> {
  const metrics = createMetrics();
  const reached: string[] = [];
  const connections: Connection[] = [];
  const listener = createPublicListener({
    host: '127.0.0.1',
    port: 0,
    origins: { allowed: ['https://app.example.com'] },
    trustedProxies: [],
    limits: { connectionsPerAddress: 0, connectsPerSecondPerAddress: 0 },
    log: SILENT,
    metrics,
    monotonic: () => performance.now(),
    ...options,
  });
  const { url, port } = await listener.listen();
  closers.push(() => listener.close(0));
  listener.mount({
    baseUrl: url,
    readiness: () => ({ ready: true }),
    ...(options.file ? { file: options.file } : {}),
    gateway: {
      refuse: (refusal, request) => refusalResponse(refusal, { requestId: request.id, baseUrl: url }),
      async handle(request) {
        reached.push(`${request.method} ${request.path}`);
        if (options.handle) return await options.handle(request, connections);
        if (request.method === 'GET') return streamReply(connections);
        return new Response(await text(request, 1000), { status: 202 });
      },
    },
    iam: {
      handlePublic(req: IncomingMessage, res: ServerResponse) {
        reached.push(`${req.method} ${req.url?.split('?')[0]}`);
        res.writeHead(req.url === '/oidc/token' ? 401 : 404, { 'content-type': 'application/json' });
        res.end('{}');
      },
    },
  });
  return {
    url,
    port,
    metrics,
    renew: listener.renew,
    reached,
    connections,
    raw(bytes) {
      const socket = connect(port, '127.0.0.1');
      closers.push(() => void socket.destroy());
      let received = '';
      let wake = (): void => {};
      let ended = false;
      socket.on('error', () => {});
      socket.setEncoding('utf8').on('data', (chunk: string) => {
        received += chunk;
        wake();
      });
      socket.on('close', () => {
        ended = true;
        wake();
      });
      socket.write(bytes);
      return {
        socket,
        async text(until) {
          for (;;) {
            if (ended || (until !== undefined && received.includes(until))) return received;
            await new Promise<void>((resolve) => (wake = resolve));
          }
        },
      };
    },
  };
}

/** A request's body as text. */
export async function text(request: ServerRequest, maxBytes: number): Promise<string> {
  return Buffer.from(await request.body(maxBytes)).toString();
}

/** The path of the stream. */
export const EVENTS = '/realtime/workspace/demo/events';

/** A head for `raw`. */
export function headOf(first: string, ...fields: string[]): string {
  return `${[`${first} HTTP/1.1`, 'Host: localhost', ...fields].join('\r\n')}\r\n\r\n`;
}
