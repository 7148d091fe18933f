/** Node's servers, with the limits that theirs do not have by default. */
import { createServer, type Server } from 'node:http';
import { createSecureServer, type Http2SecureServer } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { isIPv6 } from 'node:net';
import type { NodeRequest, NodeResponse } from './request.ts';

/** Certificate chain and private key, as PEM. */
export interface TlsFiles {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
}

/** Where a server listens and what it allows. */
export interface ServerOptions {
  readonly host: string;
  /** 0 = any. */
  readonly port: number;
  /** With it: TLS 1.2 and up, HTTP/2 and HTTP/1.1 by ALPN. */
  readonly tls?: TlsFiles | undefined;
  /** Most sockets at once; more are closed at once. 16,384 by default. */
  readonly maxConnections?: number | undefined;
  /** How long a head may take, in ms; 10,000 by default. */
  readonly headersTimeoutMs?: number | undefined;
}

/** Either of Node's servers. */
export type AnyServer = Server | Http2SecureServer;

/** Pending connections that the kernel keeps; it cuts this to its own maximum (`somaxconn`). */
const BACKLOG = 4096;
/** Largest head, in bytes. */
const MAX_HEAD = 16 * 1024;
/** How long a whole request may take, in ms; open streams are requests that have long been read. */
export const REQUEST_TIMEOUT = 30_000;
/** How long an HTTP/2 session without any stream is kept, in ms. */
const IDLE_SESSION = 60_000;

/** Makes a server that calls `onRequest`; it does not listen yet. */
export function createNodeServer(
  options: ServerOptions,
  onRequest: (req: NodeRequest, res: NodeResponse) => void,
): AnyServer {
  const http1 = {
    maxHeaderSize: MAX_HEAD,
    headersTimeout: options.headersTimeoutMs ?? 10_000,
    requestTimeout: REQUEST_TIMEOUT,
    connectionsCheckingInterval: Math.min(1000, options.headersTimeoutMs ?? 1000),
    // `checkHead` counts the hosts itself and answers with a code.
    requireHostHeader: false,
    insecureHTTPParser: false,
    noDelay: true,
  };
  const server: AnyServer = options.tls
    ? createSecureServer({
        ...http1,
        ...options.tls,
        allowHTTP1: true,
        minVersion: 'TLSv1.2',
        handshakeTimeout: 10_000,
        settings: { maxConcurrentStreams: 256, maxHeaderListSize: MAX_HEAD, enablePush: false },
      })
    : createServer(http1);
  // Node drops what exceeds this count without a word; `checkHead` refuses it instead.
  (server as Server).maxHeadersCount = 0;
  server.maxConnections = options.maxConnections ?? 16_384;
  server.on('request', onRequest as (req: object, res: object) => void);
  if (options.tls) {
    (server as Http2SecureServer).on('session', (session) => {
      let streams = 0;
      session.on('stream', (stream) => {
        streams += 1;
        stream.once('close', () => {
          streams -= 1;
        });
      });
      // A quiet stream keeps its session; a session without any is closed.
      session.setTimeout(IDLE_SESSION, () => {
        if (streams === 0) session.close();
      });
    });
  }
  return server;
}

/** Listens; rejects when the port is taken. Returns the port. */
export function listen(server: AnyServer, { host, port }: ServerOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: BACKLOG }, () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/** A URL without trailing slash for where a server listens. */
export function urlOf(scheme: 'http' | 'https', host: string, port: number): string {
  const name = isIPv6(host) ? `[${host}]` : host;
  return new URL(`${scheme}://${name}:${port}`).origin;
}

/** Stops listening, lets answers in flight go out for `graceMs`, then cuts what is left. */
export async function closeServer(server: AnyServer, sockets: ReadonlySet<Socket>, graceMs: number): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  if ('closeIdleConnections' in server) server.closeIdleConnections();
  const timer = setTimeout(() => {
    for (const socket of sockets) socket.destroy();
  }, graceMs);
  await closed;
  clearTimeout(timer);
}
