import { foreignAnswer, post, type RequestContext } from './request.ts';

/** A token as the token endpoint gave it. */
export interface GrantedToken {
  readonly token: string;
  /** How long it lives from now on, in milliseconds; `undefined` when it was not said. */
  readonly lifetimeMs: number | undefined;
}

/** `application/x-www-form-urlencoded`, as RFC 6749 section 2.3.1 wants id and secret before Basic. */
const formEncode = (text: string): string => new URLSearchParams([['', text]]).toString().slice(1);

/**
 * Asks the token endpoint for a token by client credentials (RFC 6749 section 4.4, client_secret_basic).
 * Rejects with `INVALID_CLIENT`, `AUTH_ERROR`, `RATE_LIMIT_EXCEEDED`, `NETWORK_ERROR` or `BAD_REQUEST`,
 * and with a `TypeError` when the client has no credentials.
 */
export async function requestToken(context: RequestContext): Promise<GrantedToken> {
  const { client, tokenEndpoint } = context.config;
  if (!client) throw new TypeError('this client has no clientId and clientSecret');
  const { access_token: token, expires_in: seconds } = await post(
    context,
    tokenEndpoint,
    `Basic ${btoa(`${formEncode(client.id)}:${formEncode(client.secret)}`)}`,
    { 'content-type': 'application/x-www-form-urlencoded' },
    'grant_type=client_credentials',
  );
  if (typeof token !== 'string' || !token) throw foreignAnswer(tokenEndpoint);
  return { token, lifetimeMs: typeof seconds === 'number' ? seconds * 1000 : undefined };
}
