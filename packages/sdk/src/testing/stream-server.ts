import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { encodeEvent, errorBody, type ServerErrorCode, SYSTEM } from '@centrali-io/protocol';
import { afterEach } from 'vitest';
import type { Environment } from '../environment.ts';
import { checkOptions } from '../options.ts';
import { createRealtime } from '../realtime/realtime.ts';
import type { SubscriptionContext } from '../realtime/subscription.ts';
import { createTokenSource } from '../token-source.ts';
import type { CentraliSDKOptions, Realtime } from '../types.ts';

/** One request as the server of a test sees it. */
export interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  readonly response: ServerResponse;
  /** The token, from wherever it came. */
  readonly token: string | null;
  /** Answers with a JSON body. */
  json(status: number, body: unknown, headers?: Record<string, string>): void;
  /** Refuses with a code of the table. */
  refuse(status: number, code: ServerErrorCode, retryAfter?: number): void;
  /** Opens a stream: head and `connected`. */
  open(connectionId: string, options?: { id?: string; resumed?: boolean }): void;
  /** Writes a domain event. */
  event(id: string, name?: string): void;
  /** Writes a system event. */
  system(data: object, id?: string): void;
  /** Resolves when the client has gone. */
  readonly gone: Promise<void>;
}

/** A real server whose answers a test gives one by one. */
export interface StreamServer {
  readonly url: string;
  /** The next request, in the order of arrival. */
  next(): Promise<Exchange>;
  /** Requests that nobody has taken yet. */
  readonly waiting: number;
  /** How many requests came at all. */
  readonly count: number;
}

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()));
});

function exchange(request: IncomingMessage, response: ServerResponse, body: string): Exchange {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const write = (id: string | undefined, name: string, data: object): void => {
    response.write(encodeEvent(id, name, JSON.stringify(data)));
  };
  const self: Exchange = {
    method: request.method ?? '',
    path: url.pathname,
    query: url.searchParams,
    headers: request.headers,
    body,
    response,
    token: request.headers.authorization?.replace(/^Bearer /, '') ?? url.searchParams.get('access_token'),
    json(status, value, headers = {}) {
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(JSON.stringify(value));
    },
    refuse(status, code, retryAfter) {
      self.json(status, errorBody(code, 'req_test', undefined, retryAfter));
    },
    open(connectionId, { id = 'e-0', resumed = false } = {}) {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('retry: 3000\n\n: connected to workspace demo\n\n');
      write(id, SYSTEM, { type: 'connected', connectionId, workspace: 'demo', tokenExpiresAt: '', resumed });
    },
    event: (id, name = 'made') => write(id, 'message', { event: name, data: { id } }),
    system: (data, id) => write(id, SYSTEM, data),
    gone: new Promise((resolve) => {
      response.on('close', resolve);
    }),
  };
  return self;
}

/** Starts a server on any port; it is closed, connections too, when the test is over. */
export async function startServer(): Promise<StreamServer> {
  const arrived: Exchange[] = [];
  const takers: ((exchange: Exchange) => void)[] = [];
  let count = 0;
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (part: string) => {
      body += part;
    });
    request.on('end', () => {
      count++;
      const next = exchange(request, response, body);
      const taker = takers.shift();
      if (taker) taker(next);
      else arrived.push(next);
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  closers.push(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    next: () =>
      new Promise((resolve) => {
        const first = arrived.shift();
        if (first) resolve(first);
        else takers.push(resolve);
      }),
    get waiting() {
      return arrived.length;
    },
    get count() {
      return count;
    },
  };
}

/** Surroundings with real time, no jitter, and waits that are cut to nothing. Waits are noted. */
export function hastyEnvironment(): Environment & { readonly waits: number[] } {
  const waits: number[] = [];
  return {
    waits,
    now: () => Date.now(),
    random: () => 0.5,
    after(ms, run) {
      waits.push(ms);
      // Deadlines, watchdogs and renewals stay; back-offs pass at once.
      const timer = setTimeout(run, ms === 5_000 || ms === 30_000 || ms > 61_000 ? ms : 0);
      return () => clearTimeout(timer);
    },
  };
}

/** The parts of a client, with surroundings of the test's own. */
export function makeClient(
  options: Partial<CentraliSDKOptions>,
  env: Environment = hastyEnvironment(),
): SubscriptionContext & { readonly realtime: Realtime } {
  const config = checkOptions({ baseUrl: 'http://127.0.0.1:1', workspaceId: 'demo', ...options });
  const source = createTokenSource({ config, env });
  const context = { config, env, source };
  return { ...context, realtime: createRealtime(context) };
}

/** A JWT of the right shape, unsigned. */
export function fakeToken(claims: Record<string, unknown> = {}): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none' })}.${part({ iss: 'https://issuer', sub: 'ann', ...claims })}.c2ln`;
}

/** Waits for values that handlers push, in order. */
export function collector<T>(): { push(value: T): void; next(): Promise<T>; readonly all: T[] } {
  const all: T[] = [];
  let taken = 0;
  let wake: (() => void) | undefined;
  return {
    all,
    push(value) {
      all.push(value);
      wake?.();
    },
    async next() {
      while (taken >= all.length) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return all[taken++] as T;
    },
  };
}
