import { isWorkspaceSlug, PATHS } from '@centrali-io/protocol';
import type { CentraliSDKOptions, GetToken, TokenDelivery, TokenRefresh } from './types.ts';

/** Where tokens come from. */
export type Credential =
  | { readonly kind: 'none' }
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'callback'; readonly getToken: GetToken }
  | { readonly kind: 'client'; readonly clientId: string; readonly clientSecret: string };

/** Options, checked and completed. */
export interface ClientConfig {
  /** Of the realtime service, without a slash at its end. */
  readonly baseUrl: string;
  /** Whether the service is on this machine: then being offline means nothing. */
  readonly loopback: boolean;
  readonly tokenEndpoint: string;
  readonly workspace: string;
  readonly credential: Credential;
  readonly delivery: TokenDelivery;
  readonly refresh: TokenRefresh;
  readonly fetch: typeof globalThis.fetch;
}

const LOOPBACK = /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/;
const DELIVERIES: readonly TokenDelivery[] = ['query', 'header', 'ticket'];
const REFRESHES: readonly TokenRefresh[] = ['manual', 'onExpiry', 'beforeExpiry'];

function checkedUrl(name: string, value: string, insecure: boolean): URL {
  let url: URL | undefined;
  try {
    url = new URL(value);
  } catch {
    // told below
  }
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search || url.hash) {
    throw new TypeError(`${name} must be an absolute https URL without credentials, query or fragment`);
  }
  if (url.protocol === 'http:' && !insecure && !LOOPBACK.test(url.hostname)) {
    throw new TypeError(`${name} must be https beyond loopback (allowInsecureHttp lifts this, for servers)`);
  }
  return url;
}

function checkedText(name: string, value: unknown): string {
  if (typeof value !== 'string' || value === '') throw new TypeError(`${name} must be a non-empty string`);
  return value;
}

function checkedChoice<T extends string>(name: string, value: T | null | undefined, all: readonly T[], other: T): T {
  if (value == null) return other;
  if (!all.includes(value)) throw new TypeError(`${name} must be one of ${all.join(', ')}`);
  return value;
}

function credentialOf(options: CentraliSDKOptions): Credential {
  const { token, getToken, clientId, clientSecret } = options;
  const pair = clientId != null || clientSecret != null;
  if ([token != null, getToken != null, pair].filter(Boolean).length > 1) {
    throw new TypeError('give one of token, getToken and clientId with clientSecret, not two');
  }
  if (pair) {
    return {
      kind: 'client',
      clientId: checkedText('clientId', clientId),
      clientSecret: checkedText('clientSecret', clientSecret),
    };
  }
  if (getToken != null) {
    if (typeof getToken !== 'function') throw new TypeError('getToken must be a function');
    return { kind: 'callback', getToken };
  }
  if (token != null && typeof token !== 'string') throw new TypeError('token must be a string');
  return token ? { kind: 'token', token } : { kind: 'none' };
}

/**
 * Checks the options of a client. Throws a `TypeError` for what only a programmer can mend; a missing
 * token is not such a thing.
 */
export function checkOptions(options: CentraliSDKOptions): ClientConfig {
  const insecure = options.allowInsecureHttp === true;
  const base = checkedUrl('baseUrl', options.baseUrl, insecure);
  // The hosted service answers for realtime at api. and for tokens at auth.
  const hosted = /^(api\.)?centrali\.io$/.test(base.host);
  if (hosted) base.host = 'api.centrali.io';
  if (!isWorkspaceSlug(options.workspaceId)) {
    throw new TypeError("workspaceId must be the workspace's slug: 1 to 63 of a-z, 0-9 and -");
  }
  const auth =
    options.authUrl == null
      ? new URL(hosted ? 'https://auth.centrali.io' : base.origin)
      : checkedUrl('authUrl', options.authUrl, insecure);
  if (auth.pathname === '/') auth.pathname = PATHS.token;
  const credential = credentialOf(options);
  const { fetch } = options;
  if (fetch != null && typeof fetch !== 'function') throw new TypeError('fetch must be a function');
  return {
    baseUrl: base.href.replace(/\/+$/, ''),
    loopback: LOOPBACK.test(base.hostname),
    tokenEndpoint: auth.href,
    workspace: options.workspaceId,
    credential,
    delivery: checkedChoice('tokenDelivery', options.tokenDelivery, DELIVERIES, 'query'),
    refresh: checkedChoice(
      'tokenRefresh',
      options.tokenRefresh,
      REFRESHES,
      credential.kind === 'callback' ? 'beforeExpiry' : credential.kind === 'client' ? 'onExpiry' : 'manual',
    ),
    // Not the function itself: a browser's fetch must be called on its own global object.
    fetch: fetch ?? ((input, init) => globalThis.fetch(input, init)),
  };
}
