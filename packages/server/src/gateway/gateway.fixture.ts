/** For tests: a gateway over an IAM, a log and a delivery that a test holds in its hand. */
import type {
  AuditEntry,
  CheckAnswer,
  CheckRequest,
  FeedFrame,
  Grant,
  Permission,
  TicketRecord,
} from '@centrali-io/protocol';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { HeaderFields, type ServerRequest, SILENT } from '../resource-server/index.ts';
import type { Batch } from './broker/port.ts';
import { createGateway, type Gateway, type GatewayOptions } from './create-gateway.ts';
import type { OpenedStream, StreamEnding, StreamRequest } from './delivery/port.ts';
import type { Reply } from './reply.ts';

export const BASE_URL = 'https://realtime.example';
/** Seconds: where the clock stands. */
export const NOW = 1_767_225_600;
export const SUB = 'ci_0123456789abcdef01234567';

const pair = await generateKeyPair('RS256', { extractable: true });
export const JWKS: { readonly keys: readonly JWK[] } = {
  keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'k1', alg: 'RS256', use: 'sig' }],
};

/** A token of our own for workspace `acme`, good unless changed. */
export function tokenOf(claims: Record<string, unknown> = {}, key: CryptoKey = pair.privateKey): Promise<string> {
  const good = {
    iss: BASE_URL,
    aud: BASE_URL,
    sub: SUB,
    client_id: SUB,
    iat: NOW - 10,
    exp: NOW + 600,
    jti: 'jti-1',
    workspaces: ['acme'],
  };
  return new SignJWT({ ...good, ...claims }).setProtectedHeader({ alg: 'RS256', kid: 'k1', typ: 'at+jwt' }).sign(key);
}

/** What a request is made of. */
export interface RequestInit {
  readonly method?: string;
  /** The query, without `?`. */
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Name, value, name, value: for repeated fields. */
  readonly rawHeaders?: readonly string[];
  readonly body?: string | Uint8Array;
}

/** A request as the listener makes it. */
export function requestOf({
  method = 'GET',
  query = '',
  headers = {},
  rawHeaders,
  body = '',
}: RequestInit): ServerRequest {
  return {
    id: 'req_1',
    method,
    path: '/realtime/workspace/acme/events',
    query: new URLSearchParams(query),
    headers: new HeaderFields(rawHeaders ?? Object.entries(headers).flat()),
    address: '192.0.2.1',
    secure: true,
    body: async () => (typeof body === 'string' ? new TextEncoder().encode(body) : body),
    aborted: false,
  };
}

/** What IAM answers by default: everything is allowed to the principal that asked. */
export const allow =
  (grants: readonly Partial<Grant>[] = [{}], permissions: readonly Permission[] = []) =>
  ({ provider, sub, permission }: CheckRequest): CheckAnswer => ({
    decision: 'allowed',
    revision: 1,
    principal: { provider, sub, kind: 'service' },
    grants: grants.map((grant) => ({ permission, ...grant })),
    roles: ['developer'],
    permissions,
  });

/** Makes the gateway; what happens behind it is collected. */
export async function gatewayOf(options: Partial<GatewayOptions> = {}, feed: 'live' | 'silent' = 'live') {
  const seen = {
    checks: [] as CheckRequest[],
    batches: [] as Batch[],
    streams: [] as StreamRequest[],
    ended: [] as [string, StreamEnding][],
    audit: [] as AuditEntry[],
    bodies: 0,
  };
  const behind = {
    check: allow() as (request: CheckRequest) => CheckAnswer | Promise<never>,
    append: async (batch: Batch): Promise<readonly string[]> => batch.events.map((_, index) => `id-${index}`),
    open: async (_request: StreamRequest): Promise<OpenedStream> => ({
      status: 200,
      connectionId: 'cn_1',
      headers: {},
      attach() {},
      abandon() {},
    }),
    record: async (entries: readonly AuditEntry[]): Promise<void> => {
      seen.audit.push(...entries);
    },
    clock: NOW * 1000,
    /** Whether IAM has no room for tickets. */
    full: false,
  };
  const tickets = new Map<string, TicketRecord>();
  const idle = new AbortController();
  const frames: FeedFrame[] = [];
  let wake = (): void => {};
  let takenIn = (): void => {};
  const change = async (...more: FeedFrame[]): Promise<void> => {
    const done = new Promise<void>((resolve) => (takenIn = resolve));
    frames.push(...more);
    wake();
    await done;
  };
  const up = new Promise<void>((resolve) => (takenIn = resolve));
  const gateway = createGateway({
    baseUrl: BASE_URL,
    decisions: {
      check: (requests) => {
        seen.checks.push(...requests);
        return Promise.all(requests.map(async (request) => behind.check(request)));
      },
      async *changes(_position, signal): AsyncIterable<FeedFrame> {
        for (const end of [signal, idle.signal]) end.addEventListener('abort', () => wake());
        if (feed === 'live') {
          yield { type: 'snapshot', epoch: 'e', revision: 1, providers: [], withdrawnKeys: [], revocations: [] };
        }
        while (!signal.aborted && !idle.signal.aborted) {
          yield* frames.splice(0);
          // A frame has been taken in when the next one is asked for.
          takenIn();
          await new Promise<void>((resolve) => (wake = resolve));
        }
      },
      record: (entries) => behind.record(entries),
      putTicket: async (hash, ticket) => {
        if (behind.full) return false;
        tickets.set(hash, ticket);
        return true;
      },
      takeTicket: async (hash) => {
        const ticket = tickets.get(hash);
        tickets.delete(hash);
        return ticket;
      },
      jwks: async () => JWKS,
    },
    broker: {
      append: (batch) => {
        seen.batches.push(batch);
        return behind.append(batch);
      },
      head: () => ({ seq: 0, index: 0, proof: '' }),
      cursorAt: () => 'c',
      locate: async () => ({ kind: 'unknown' }),
      read: async (_workspace, after) => ({ events: [], through: { ...after, proof: '' }, atHead: true }),
      subscribe: () => () => {},
      status: () => ({ ready: true }),
      close: async () => {},
    },
    delivery: {
      openStream: (request) => {
        seen.streams.push(request);
        return behind.open(request);
      },
      end: (id, ending) => seen.ended.push([id, ending]) > 0,
      redecide: () => false,
      find: () => undefined,
      list: () => [],
      drain: async () => {},
      close: async () => {},
      streams: 0,
    },
    log: SILENT,
    now: () => behind.clock,
    random: () => 0.5,
    cachedDecisions: 0,
    ...options,
  });
  if (feed === 'live') await up;
  const send = (init: RequestInit, rest = 'events', workspace = 'acme'): Promise<Reply> =>
    gateway.handle(requestOf(init), { workspace, rest });
  return { gateway, tickets, seen, behind, send, change, close: () => close(gateway, idle) };
}

async function close(gateway: Gateway, idle: AbortController): Promise<void> {
  idle.abort();
  await gateway.close();
}

/** Status, code and challenge of an answer, as one line; `200 stream` for a stream. */
export async function lineOf(reply: Reply): Promise<string> {
  if ('attach' in reply) return '200 stream';
  const body = (await reply.json()) as { code?: string };
  const challenge = /error="(\w+)"/.exec(reply.headers.get('www-authenticate') ?? '')?.[1];
  return [reply.status, body.code, challenge].filter(Boolean).join(' ');
}
