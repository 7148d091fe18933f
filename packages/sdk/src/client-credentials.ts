import { RealtimeError } from '@centrali-io/protocol';
import type { Environment } from './environment.ts';
import type { ClientConfig } from './options.ts';
import { ANSWER_MS, foreignAnswer, readJson, retryAfterMs, send } from './request.ts';

/** A token as the token endpoint gave it. */
export interface GrantedToken {
  readonly token: string;
  /** How long it lives from now on, in milliseconds; `undefined` when it was not said. */
  readonly lifetimeMs: number | undefined;
}

/** `application/x-www-form-urlencoded`, as RFC 6749 section 2.3.1 wants id and secret before Basic. */
function formEncode(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1);
}

/** The error for a refusal (RFC 6749 section 5.2). Its description is shown; it never holds the secret. */
function refusal(response: Response, url: string, body: Record<string, unknown>, now: number): RealtimeError {
  const { status } = response;
  const wait = retryAfterMs(response.headers.get('retry-after'), now);
  const init = { status, ...(wait === undefined ? {} : { retryAfterMs: wait }) };
  const own = RealtimeError.fromBody(body, { status });
  if (own) return own;
  const { error } = body;
  if (typeof error !== 'string') return foreignAnswer(url, init);
  if (error === 'invalid_client' || error === 'unauthorized_client') return new RealtimeError('INVALID_CLIENT', init);
  if (status === 429) return new RealtimeError('RATE_LIMIT_EXCEEDED', init);
  if (status >= 500) return new RealtimeError('AUTH_ERROR', init);
  return new RealtimeError('BAD_REQUEST', { ...init, message: `The token endpoint answered ${error}.` });
}

/**
 * Asks the token endpoint for a token by client credentials (RFC 6749 section 4.4, client_secret_basic).
 * Rejects with `INVALID_CLIENT`, `AUTH_ERROR`, `RATE_LIMIT_EXCEEDED`, `NETWORK_ERROR` or `BAD_REQUEST`.
 */
export async function requestToken(config: ClientConfig, env: Environment): Promise<GrantedToken> {
  const { credential, tokenEndpoint } = config;
  if (credential.kind !== 'client') throw new TypeError('this client has no clientId and clientSecret');
  const basic = btoa(`${formEncode(credential.clientId)}:${formEncode(credential.clientSecret)}`);
  const controller = new AbortController();
  const cancel = env.after(ANSWER_MS, () => controller.abort());
  try {
    const response = await send(config, tokenEndpoint, {
      method: 'POST',
      headers: {
        authorization: `Basic ${basic}`,
        'content-type': 'application/x-www-form-urlencoded',
        accept: 'application/json',
      },
      body: 'grant_type=client_credentials',
      signal: controller.signal,
    });
    const body = Object(await readJson(response)) as Record<string, unknown>;
    if (!response.ok) throw refusal(response, tokenEndpoint, body, env.now());
    const { access_token: token, expires_in: seconds } = body;
    if (typeof token !== 'string' || token === '') throw foreignAnswer(tokenEndpoint, { status: response.status });
    return { token, lifetimeMs: typeof seconds === 'number' ? seconds * 1000 : undefined };
  } finally {
    cancel();
  }
}
