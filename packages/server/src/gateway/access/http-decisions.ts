import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest, Agent as TlsAgent } from 'node:https';
import {
  type AuditEntry,
  type CheckAnswer,
  type CheckRequest,
  type Decisions,
  type FeedFrame,
  type FeedPosition,
  PATHS,
  parseCheckAnswers,
  parseFeedFrame,
  parseTicket,
  type TicketRecord,
} from '@centrali-io/protocol';
import { Refusal } from '../../resource-server/index.ts';

/** What `createHttpDecisions` takes. */
export interface HttpDecisionsOptions {
  /** Where IAM's internal listener is: `http://127.0.0.1:9090`. */
  readonly url: string;
  /** The internal credential. */
  readonly credential: string;
  /** From the start to the last byte of one call, ms; the feed has none. Default 2,000. */
  readonly deadlineMs?: number;
  /** Connections kept open. Default 8. */
  readonly maxSockets?: number;
  /** Certificate authorities to trust instead of the system's, PEM. */
  readonly ca?: string;
}

/** Most bytes of an answer: 256 answers with many grants each fit well. */
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;
/** Most bytes of one line of the feed: a snapshot with all revocations. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;

/** The RPC failed: our outage. `reason` is the gateway's inner reason. */
function failed(reason: string, cause?: unknown): Refusal {
  return new Refusal('AUTH_ERROR', reason, cause === undefined ? {} : { cause });
}

/** `Decisions` over IAM's internal listener: JSON on kept-alive connections, the feed as NDJSON. */
export function createHttpDecisions(options: HttpDecisionsOptions): Decisions & { close(): void } {
  const { url, credential, deadlineMs = 2000, maxSockets = 8, ca } = options;
  const base = new URL(url);
  const tls = base.protocol === 'https:';
  const agent = tls
    ? new TlsAgent({ keepAlive: true, maxSockets, ...(ca === undefined ? {} : { ca }) })
    : new Agent({ keepAlive: true, maxSockets });
  // The feed must not take a place from the checks.
  const feedAgent = tls ? new TlsAgent(ca === undefined ? {} : { ca }) : new Agent();

  function open(path: string, signal: AbortSignal, body?: string, streams = false): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const request = (tls ? httpsRequest : httpRequest)(new URL(path, base), {
        method: body === undefined ? 'GET' : 'POST',
        agent: streams ? feedAgent : agent,
        signal,
        headers: {
          authorization: `Bearer ${credential}`,
          accept: streams ? 'application/x-ndjson' : 'application/json',
          ...(body === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
        },
      });
      request.on('response', resolve);
      request.on('error', reject);
      request.end(body);
    });
  }

  /** One call with its deadline. A connection that IAM had just closed is worth one more try. */
  async function call(path: string, signal: AbortSignal | undefined, body?: string): Promise<unknown> {
    const limits = AbortSignal.any([AbortSignal.timeout(deadlineMs), ...(signal ? [signal] : [])]);
    for (let attempt = 0; ; attempt++) {
      try {
        return await readJson(await open(path, limits, body));
      } catch (error) {
        if (error instanceof Refusal) throw error;
        if (limits.aborted) throw failed('rpc_timeout', error);
        const code = error instanceof Error && 'code' in error ? error.code : undefined;
        if (attempt > 0 || code !== 'ECONNRESET') throw failed('rpc_failed', error);
      }
    }
  }

  return {
    async check(requests: readonly CheckRequest[], signal?: AbortSignal): Promise<readonly CheckAnswer[]> {
      const answers = parseCheckAnswers(await call(PATHS.check, signal, JSON.stringify(requests)), requests.length);
      if (!answers) throw failed('rpc_garbage');
      return answers;
    },
    async *changes(position: FeedPosition | undefined, signal: AbortSignal): AsyncIterable<FeedFrame> {
      const query = position && `?after=${position.revision}&epoch=${encodeURIComponent(position.epoch)}`;
      const response = await open(`${PATHS.changes}${query ?? ''}`, signal, undefined, true);
      try {
        if (response.statusCode !== 200) throw failed(statusReason(response.statusCode));
        for await (const line of lines(response)) yield frameOf(line);
      } finally {
        response.destroy();
      }
    },
    async record(entries: readonly AuditEntry[], signal?: AbortSignal): Promise<void> {
      await call(PATHS.audit, signal, JSON.stringify(entries));
    },
    async putTicket(hash: string, ticket: TicketRecord, signal?: AbortSignal) {
      const answer = await call(PATHS.tickets, signal, JSON.stringify({ hash, ticket }));
      const { kept } = Object(answer) as { kept?: unknown };
      if (typeof kept !== 'boolean') throw failed('rpc_garbage');
      return kept;
    },
    async takeTicket(hash: string, signal?: AbortSignal) {
      const { ticket } = Object(await call(PATHS.takeTicket, signal, JSON.stringify({ hash }))) as { ticket?: unknown };
      if (ticket === null) return undefined;
      const record = parseTicket(ticket);
      if (!record) throw failed('rpc_garbage');
      return record;
    },
    async jwks(signal?: AbortSignal) {
      const set = await call(PATHS.internalJwks, signal);
      if (typeof set !== 'object' || set === null || !('keys' in set) || !Array.isArray(set.keys)) {
        throw failed('rpc_garbage');
      }
      return set as Awaited<ReturnType<Decisions['jwks']>>;
    },
    close() {
      agent.destroy();
      feedAgent.destroy();
    },
  };
}

function statusReason(status: number | undefined): string {
  return status === 401 ? 'rpc_unauthorized' : 'rpc_status';
}

/** The JSON of an answer of 2xx; `undefined` for one without a body. */
async function readJson(response: IncomingMessage): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    if (size > MAX_ANSWER_BYTES) throw failed('rpc_garbage');
    chunks.push(chunk);
  }
  const status = response.statusCode ?? 0;
  if (status < 200 || status > 299) throw failed(statusReason(status));
  if (size === 0) return undefined;
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    throw failed('rpc_garbage');
  }
}

/** The lines of a body, without their ends. Half a line at the end of the body is dropped: it was cut. */
async function* lines(body: AsyncIterable<Uint8Array>): AsyncIterable<string> {
  let parts: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      parts.push(chunk.subarray(start, end));
      yield Buffer.concat(parts).toString();
      parts = [];
      size = 0;
      start = end + 1;
    }
    parts.push(chunk.subarray(start));
    size += chunk.byteLength - start;
    if (size > MAX_LINE_BYTES) throw failed('feed_garbage');
  }
}

function frameOf(line: string): FeedFrame {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw failed('feed_garbage');
  }
  const frame = parseFeedFrame(value);
  if (!frame) throw failed('feed_garbage');
  return frame;
}
