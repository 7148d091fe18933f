import { Agent, type AgentOptions, request as httpRequest, type IncomingMessage } from 'node:http';
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
  /**
   * Where IAM's internal listener is: `http://127.0.0.1:9090`. Several nodes of one IAM: the first is asked
   * until it fails, then the next.
   */
  readonly url: string | readonly string[];
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
  const urls = [url].flat();
  const calls = new Nodes(urls, { plain: { keepAlive: true, maxSockets }, ca });
  // The feed must not take a place from the checks, and moves on by itself.
  const feeds = new Nodes(urls, { plain: {}, ca });

  function open(nodes: Nodes, path: string, signal: AbortSignal, body?: string): Promise<IncomingMessage> {
    const { base, agent } = nodes.current;
    return new Promise((resolve, reject) => {
      const request = (base.protocol === 'https:' ? httpsRequest : httpRequest)(new URL(path, base), {
        method: body === undefined ? 'GET' : 'POST',
        agent,
        signal,
        headers: {
          authorization: `Bearer ${credential}`,
          accept: nodes === feeds ? 'application/x-ndjson' : 'application/json',
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

  /**
   * One call with its deadline. A connection that IAM had just closed is worth one more try, and a node that
   * cannot be reached the next one. A node that hangs or fails takes its call along; the next call is another's.
   */
  async function call(path: string, signal: AbortSignal | undefined, body?: string): Promise<unknown> {
    const limits = AbortSignal.any([AbortSignal.timeout(deadlineMs), ...(signal ? [signal] : [])]);
    for (let attempt = 0; ; attempt++) {
      const node = calls.current;
      try {
        return await readJson(await open(calls, path, limits, body));
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? error.code : undefined;
        if (attempt > 0 || code !== 'ECONNRESET') calls.leave(node);
        if (error instanceof Refusal) throw error;
        if (limits.aborted) throw failed('rpc_timeout', error);
        const worthIt = code === 'ECONNRESET' ? attempt === 0 : attempt < urls.length - 1;
        if (!worthIt) throw failed('rpc_failed', error);
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
      const node = feeds.current;
      let response: IncomingMessage | undefined;
      try {
        response = await open(feeds, `${PATHS.changes}${query ?? ''}`, signal);
        if (response.statusCode !== 200) throw failed(statusReason(response.statusCode));
        for await (const line of lines(response)) yield frameOf(line);
      } finally {
        feeds.leave(node);
        response?.destroy();
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
      calls.close();
      feeds.close();
    },
  };
}

/** One node of IAM, and the connections to it. */
interface Node {
  readonly base: URL;
  readonly agent: Agent;
}

/** The nodes of IAM in turn. */
class Nodes {
  readonly #nodes: readonly Node[];
  #at = 0;

  constructor(
    urls: readonly string[],
    { plain, ca }: { readonly plain: AgentOptions; readonly ca: string | undefined },
  ) {
    this.#nodes = urls.map((url) => {
      const base = new URL(url);
      const options = base.protocol === 'https:' && ca !== undefined ? { ...plain, ca } : plain;
      return { base, agent: base.protocol === 'https:' ? new TlsAgent(options) : new Agent(options) };
    });
  }

  get current(): Node {
    const node = this.#nodes[this.#at];
    if (!node) throw new RangeError('IAM has no URL.');
    return node;
  }

  /** The next one from now on, unless somebody has moved on from it already. */
  leave(node: Node): void {
    if (this.#nodes[this.#at] === node) this.#at = (this.#at + 1) % this.#nodes.length;
  }

  close(): void {
    for (const { agent } of this.#nodes) agent.destroy();
  }
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
