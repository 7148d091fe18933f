/** From the server's answers to Node's response objects. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';
import type { Connection, StreamReply } from '../gateway/index.ts';
import { openHttp1, openHttp2 } from './connection.ts';
import type { Sent } from './metrics.ts';
import type { NodeResponse } from './request.ts';

/** Whether the response belongs to an HTTP/2 request. */
function overHttp2(res: NodeResponse): res is Http2ServerResponse {
  return 'stream' in res && res.req.httpVersionMajor === 2;
}

/** Header fields of an answer in the form that `writeHead` takes: `Set-Cookie` and other repeated ones as lists. */
function fieldsOf(headers: Headers): Record<string, string | string[]> {
  const fields: Record<string, string | string[]> = {};
  for (const [name, value] of headers) {
    const before = fields[name];
    fields[name] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value];
  }
  return fields;
}

/**
 * Sends an answer. A body that is there at once goes out with its length; another one is passed on chunk
 * by chunk with back-pressure, and cancelled when the client goes. `extra` (CORS) joins the answer's own
 * headers.
 */
export async function sendResponse(
  res: NodeResponse,
  response: Response,
  extra: Readonly<Record<string, string>>,
  head = false,
): Promise<void> {
  const http = res as ServerResponse;
  if (http.destroyed || http.headersSent) {
    await response.body?.cancel();
    return;
  }
  const fields = { ...fieldsOf(response.headers), ...extra };
  if (response.body === null || head) {
    await response.body?.cancel();
    http.writeHead(response.status, fields).end();
    return;
  }
  const reader: Reader = response.body.getReader();
  const first = await reader.read();
  const second = first.done ? undefined : reader.read();
  const whole = second === undefined || (await Promise.race([second, nextTurn()]))?.done === true;
  if (http.destroyed) return void reader.cancel().catch(() => {});
  if (whole) {
    const length = first.value?.byteLength ?? 0;
    http.writeHead(response.status, { ...fields, 'content-length': String(length) }).end(first.value);
    return;
  }
  http.writeHead(response.status, fields);
  await pass(http, reader, first.value ?? new Uint8Array(), second);
}

type Reader = ReadableStreamDefaultReader<Uint8Array>;

function nextTurn(): Promise<undefined> {
  return new Promise((resolve) => setImmediate(resolve, undefined));
}

/** Passes a body on as it comes. */
async function pass(
  http: ServerResponse,
  reader: Reader,
  first: Uint8Array,
  second: ReturnType<Reader['read']>,
): Promise<void> {
  const gone = new AbortController();
  const onClose = (): void => {
    gone.abort();
    reader.cancel().catch(() => {});
  };
  http.once('close', onClose);
  try {
    http.write(first);
    for (let part = await second; !part.done; part = await reader.read()) {
      if (!http.write(part.value)) await once(http, 'drain', { signal: gone.signal });
    }
    http.end();
  } catch {
    // Half an answer must not look like a whole one.
    if (!gone.signal.aborted) http.destroy();
  } finally {
    http.off('close', onClose);
  }
}

/** Sends the head of a stream and attaches its connection; abandons it when the client has gone. */
export function sendStream(
  res: NodeResponse,
  reply: StreamReply,
  extra: Readonly<Record<string, string>>,
  sent: Sent,
): Connection | undefined {
  const headers = { ...reply.headers, ...extra };
  const connection = overHttp2(res) ? openHttp2(res, headers, sent) : openHttp1(res, headers, sent);
  if (connection === undefined) reply.abandon();
  else reply.attach(connection);
  return connection;
}
