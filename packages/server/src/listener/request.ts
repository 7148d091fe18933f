/** From Node's request objects to the server's own `ServerRequest`. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { HeaderFields, Refusal, type ServerRequest } from '../resource-server/index.ts';
import { findPeer } from './address.ts';
import { checkHead } from './check-head.ts';

/** A request as Node hands it over, of either protocol. */
export type NodeRequest = IncomingMessage | Http2ServerRequest;
/** The response that belongs to it. */
export type NodeResponse = ServerResponse | Http2ServerResponse;

/** How requests are read. */
export interface RequestOptions {
  readonly isTrustedProxy: (address: string) => boolean;
  /** How long a body may take, in ms; 10,000 by default. */
  readonly bodyTimeoutMs?: number;
}

/** Whether the request came as HTTP/2. */
export function isHttp2(req: NodeRequest): req is Http2ServerRequest {
  return req.httpVersionMajor === 2;
}

/**
 * Reads the head and checks it (`checkHead`). Throws a `Refusal` when it is not clean. The body is read
 * later, by whoever wants it.
 */
export function readRequest(req: NodeRequest, id: string, options: RequestOptions): ServerRequest {
  const headers = new HeaderFields(req.rawHeaders);
  const target = req.url ?? '';
  const length = headers.get('content-length');
  checkHead({
    httpVersion: req.httpVersion,
    method: req.method ?? '',
    target,
    all: (name) => headers.all(name),
    fieldCount: req.rawHeaders.length / 2,
    authority: isHttp2(req) && req.authority !== '' ? req.authority : undefined,
    hasBody: isHttp2(req)
      ? !req.stream.endAfterHeaders && length !== '0'
      : headers.get('transfer-encoding') !== undefined || (length !== undefined && length !== '0'),
  });
  const { socket } = req;
  const tls = (socket as Partial<TLSSocket>).encrypted === true;
  const peer = findPeer(socket.remoteAddress ?? '', tls, (name) => headers.all(name), options.isTrustedProxy);
  const question = target.indexOf('?');
  return {
    id,
    method: req.method ?? '',
    path: question === -1 ? target : target.slice(0, question),
    query: new URLSearchParams(question === -1 ? '' : target.slice(question + 1)),
    headers,
    ...peer,
    body: (maxBytes) => readBody(req, maxBytes, options.bodyTimeoutMs ?? 10_000),
    get aborted() {
      return req.aborted || socket.destroyed;
    },
  };
}

/** Reads a body whole, within `maxBytes` and `timeoutMs`; nothing of it is kept when it is refused. */
function readBody(req: NodeRequest, maxBytes: number, timeoutMs: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const finish = (refusal?: Refusal): void => {
      clearTimeout(timer);
      req.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose);
      if (refusal === undefined) return resolve(Buffer.concat(chunks, size));
      // What is still coming is thrown away, so that the client gets to read the answer.
      req.on('error', () => {}).resume();
      reject(refusal);
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > maxBytes) finish(new Refusal('PAYLOAD_TOO_LARGE', 'body_too_large'));
      else chunks.push(chunk);
    };
    const onEnd = (): void => finish();
    const onClose = (): void =>
      finish(new Refusal('BAD_REQUEST', 'body_incomplete', { message: 'The body broke off.' }));
    const timer = setTimeout(
      () => finish(new Refusal('BAD_REQUEST', 'body_timeout', { message: 'The body took too long.' })),
      timeoutMs,
    );
    if (Number(req.headers['content-length'] ?? 0) > maxBytes) {
      return finish(new Refusal('PAYLOAD_TOO_LARGE', 'body_too_large'));
    }
    req.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
  });
}
