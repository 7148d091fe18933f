/**
 * Stands where Centrali would: streams whose next event is written only when the test says so, so that an
 * event that arrives proves that the proxy holds nothing back. No clock is involved.
 */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server on loopback. */
export interface SteppedServer {
  readonly port: number;
  /** The heads of all requests so far, in order. */
  readonly heads: readonly { readonly url: string; readonly headers: IncomingHttpHeaders }[];
  /** How many streams are open. */
  open(): number;
  /** Writes one more event to each open stream. */
  step(data: string): void;
  /** Cuts all open streams in the middle. */
  cut(): void;
  /** Stops listening and cuts what is open. */
  close(): Promise<void>;
}

/** Starts it on a free port. It does not send X-Accel-Buffering: the configuration alone must do. */
export async function startSteppedServer(): Promise<SteppedServer> {
  const heads: { url: string; headers: IncomingHttpHeaders }[] = [];
  const streams = new Set<ServerResponse>();
  const server = createServer({ maxHeaderSize: 64 * 1024 }, (request, response) => {
    heads.push({ url: request.url ?? '', headers: request.headers });
    request.resume();
    if (request.method !== 'GET' || !request.url?.includes('/events?')) {
      response.writeHead(request.method === 'POST' ? 202 : 404, { 'content-type': 'application/json' }).end('{}');
      return;
    }
    streams.add(response);
    response.once('close', () => streams.delete(response));
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store, no-transform' });
    response.write('retry: 3000\n\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    heads,
    open: () => streams.size,
    step: (data) => streams.forEach((stream) => stream.write(`data: ${data}\n\n`)),
    cut: () => streams.forEach((stream) => stream.destroy()),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
