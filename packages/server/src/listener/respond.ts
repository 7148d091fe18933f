/** From the server's answers to Node's response objects. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';
import type { Connection, StreamReply } from '../gateway/index.ts';
import { openHttp1, openHttp2 } from './connection.ts';
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
 * Sends an answer. A body is passed on chunk by chunk with back-pressure, and cancelled when the client
 * goes. `extra` (CORS) joins the answer's own headers.
 */
export async function sendResponse(
  res: NodeResponse,
  response: Response,
  extra: Readonly<Record<string, string>>,
  head = false,
): Promise<void> {
  if (res.destroyed || res.headersSent) {
    await response.body?.cancel();
    return;
  }
  const http = res as ServerResponse;
  http.writeHead(response.status, { ...fieldsOf(response.headers), ...extra });
  if (response.body === null || head) {
    await response.body?.cancel();
    http.end();
    return;
  }
  const reader: ReadableStreamDefaultReader<Uint8Array> = response.body.getReader();
  const gone = new AbortController();
  const onClose = (): void => {
    gone.abort();
    reader.cancel().catch(() => {});
  };
  http.once('close', onClose);
  http.flushHeaders();
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      if (http.destroyed) return;
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
): Connection | undefined {
  const headers = { ...reply.headers, ...extra };
  const connection = overHttp2(res) ? openHttp2(res, headers) : openHttp1(res, headers);
  if (connection === undefined) reply.abandon();
  else reply.attach(connection);
  return connection;
}
