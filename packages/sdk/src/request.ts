import { RealtimeError, type RealtimeErrorInit } from '@centrali-io/protocol';
import type { Environment } from './environment.ts';
import type { ClientConfig } from './options.ts';

/** Longest time for an answer's head, or for a whole answer that is not a stream. */
export const ANSWER_MS = 30_000;
/** Most characters read of an answer that is not a stream. */
const MAX_ANSWER = 1 << 20;

/** A URL as it may be shown: without its query, which can hold a token. */
function shown(url: string): string {
  return url.replace(/\?.*/s, '');
}

/** Milliseconds that `Retry-After` asks for (RFC 9110 section 10.2.3: seconds or a date); `undefined` without it. */
export function retryAfterMs(header: string | null, now: number): number | undefined {
  if (!header) return undefined;
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - now;
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

/** The error for an answer that does not come from this service: another server, or a proxy. */
export function foreignAnswer(url: string, init: RealtimeErrorInit = {}): RealtimeError {
  const status = init.status ? ` (HTTP ${init.status})` : '';
  return new RealtimeError('NETWORK_ERROR', {
    message: `The answer from ${shown(url)} is not one of Centrali Realtime${status}.`,
    ...init,
  });
}

/** The error for no answer, or one that broke off. */
export function noAnswer(url: string, cause: unknown): RealtimeError {
  return new RealtimeError('NETWORK_ERROR', {
    message: `No answer from ${shown(url)}: server down, or origin not allowed.`,
    cause,
  });
}

/** `fetch`, without redirects and caches; no answer is a NETWORK_ERROR that names the URL without its query. */
export async function send(config: ClientConfig, url: string, init: RequestInit): Promise<Response> {
  try {
    // A redirect would carry the token to wherever it points.
    return await config.fetch(url, { ...init, redirect: 'error', cache: 'no-store' });
  } catch (cause) {
    throw noAnswer(url, cause);
  }
}

/** Reads a whole answer as JSON; `undefined` when it is none, or is too long. */
export async function readJson(response: Response): Promise<unknown> {
  let text = '';
  try {
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
      text += part.value;
      if (text.length > MAX_ANSWER) {
        await reader?.cancel();
        return undefined;
      }
    }
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The error that an answer is: by its body when that is ours, and with `Retry-After`. */
export async function refusalOf(response: Response, url: string, now: number): Promise<RealtimeError> {
  const { status } = response;
  const told = RealtimeError.fromBody(await readJson(response), { status });
  const wait = told?.retryAfterMs ?? retryAfterMs(response.headers.get('retry-after'), now);
  const init = { status, ...(wait === undefined ? {} : { retryAfterMs: wait }) };
  if (!told) return foreignAnswer(url, init);
  const { code, message, requestId } = told;
  return new RealtimeError(code, { ...init, message, ...(requestId ? { requestId } : {}) });
}

/** Sends a POST and reads its whole answer as JSON; rejects with a `RealtimeError`. */
export async function post(
  config: ClientConfig,
  env: Environment,
  url: string,
  headers: Record<string, string>,
  body?: string,
  signal?: AbortSignal,
): Promise<unknown> {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  signal?.addEventListener('abort', abort);
  const cancel = env.after(ANSWER_MS, abort);
  try {
    const init: RequestInit = { method: 'POST', headers, signal: controller.signal };
    const response = await send(config, url, body === undefined ? init : { ...init, body });
    if (!response.ok) throw await refusalOf(response, url, env.now());
    return await readJson(response);
  } finally {
    cancel();
    signal?.removeEventListener('abort', abort);
  }
}
