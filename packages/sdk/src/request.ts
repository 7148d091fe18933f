import { RealtimeError, type RealtimeErrorInit } from '@centrali-io/protocol';
import type { Environment } from './environment.ts';
import type { ClientConfig } from './options.ts';

/** Longest time for the head of a stream, or for a whole answer that is not one. */
export const ANSWER_MS = 30_000;

/** What a request needs from its client. */
export interface RequestContext {
  readonly config: ClientConfig;
  readonly env: Environment;
}

/** A NETWORK_ERROR that names the URL, without its query: that can hold a token. */
function networkError(what: string, url: string, why: string, init: RealtimeErrorInit): RealtimeError {
  return new RealtimeError('NETWORK_ERROR', { ...init, message: `${what} from ${url.split('?')[0]}: ${why}.` });
}

/** The error for an answer that does not come from this service: another server, or a proxy. */
export function foreignAnswer(url: string, init: RealtimeErrorInit = {}): RealtimeError {
  return networkError(
    'Answer',
    url,
    `not one of Centrali Realtime${init.status ? ` (HTTP ${init.status})` : ''}`,
    init,
  );
}

/** The error for no answer, or one that broke off. */
export function noAnswer(url: string, cause: unknown): RealtimeError {
  if (RealtimeError.is(cause)) return cause;
  // Not the thrown one: that of some runtimes (Bun, Deno) names the URL, and with its query the token.
  const why = new Error([cause, Object(cause).cause].join(' ').replace(/\?\S*/g, '?'));
  return networkError('No answer', url, 'server down, or origin not allowed', { cause: why });
}

/** Milliseconds that `Retry-After` asks for (RFC 9110 section 10.2.3: seconds or a date). */
function retryAfterMs(response: Response, now: number): number {
  const header = response.headers.get('retry-after') ?? '';
  const seconds = Number(header);
  return Math.max(0, Number.isNaN(seconds) ? Date.parse(header) - now : seconds * 1000) || 0;
}

/** The error that an answer is: by our own body, by RFC 6749 section 5.2, or a foreign one. */
async function refusal({ config, env }: RequestContext, url: string, response: Response): Promise<RealtimeError> {
  const body = Object(await readJson(response)) as Record<string, unknown>;
  const { status } = response;
  const wait = retryAfterMs(response, env.now());
  const init: RealtimeErrorInit = { status, ...(wait > 0 && { retryAfterMs: wait }) };
  const own = RealtimeError.fromBody(body, init);
  if (own) return own;
  const { error } = body;
  if (url !== config.tokenEndpoint || typeof error !== 'string') return foreignAnswer(url, init);
  if (error === 'invalid_client' || error === 'unauthorized_client') return new RealtimeError('INVALID_CLIENT', init);
  const code = status === 429 ? 'RATE_LIMIT_EXCEEDED' : status >= 500 ? 'AUTH_ERROR' : 'BAD_REQUEST';
  return new RealtimeError(code, { ...init, message: `The token endpoint: ${error}.` });
}

/** Reads a whole answer as JSON; `undefined` when it is none. */
async function readJson(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch {
    return undefined;
  }
}

/** `fetch`, without redirects, which would carry the token to wherever they point, and without caches. */
export async function send(context: RequestContext, url: string, init: RequestInit): Promise<Response> {
  const response = await context.config.fetch(url, { ...init, redirect: 'error', cache: 'no-store' });
  if (!response.ok) throw await refusal(context, url, response);
  return response;
}

/** Sends a POST, for at most 30 s, and reads its answer; rejects with a `RealtimeError`. */
export async function post(
  context: RequestContext,
  url: string,
  authorization: string,
  headers: Record<string, string> = {},
  body: string | null = null,
): Promise<Record<string, unknown>> {
  const controller = new AbortController();
  const cancel = context.env.after(ANSWER_MS, () => controller.abort());
  try {
    const { signal } = controller;
    const init = { method: 'POST', headers: { authorization, ...headers }, body, signal };
    return Object(await readJson(await send(context, url, init)));
  } catch (cause) {
    throw noAnswer(url, cause);
  } finally {
    cancel();
  }
}
