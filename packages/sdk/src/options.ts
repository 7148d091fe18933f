import { isWorkspaceSlug, TOKEN_PATH } from '@centrali-io/protocol';
import type { CentraliSDKOptions, GetToken, TokenDelivery, TokenRefresh } from './types.ts';

/** Options, checked and completed. Of token, getToken and the pair, one kind at most is there. */
export interface ClientConfig {
  /** Of the realtime service, without a slash at its end. */
  readonly baseUrl: string;
  /** Whether the service is on this machine: then being offline means nothing. */
  readonly loopback: boolean;
  readonly tokenEndpoint: string;
  readonly workspace: string;
  readonly token: string | undefined;
  readonly getToken: GetToken | undefined;
  readonly client: { readonly id: string; readonly secret: string } | undefined;
  readonly delivery: TokenDelivery;
  readonly refresh: TokenRefresh;
  readonly fetch: typeof globalThis.fetch;
}

const LOOPBACK = /^((.+\.)?localhost|127(\.\d+){3}|\[::1\])$/;

function check(good: unknown, fault: string): asserts good {
  if (!good) throw new TypeError(fault);
}

function checkedUrl(name: string, value: string, insecure: unknown): URL {
  const url = new URL(value);
  check(/^https?:\/\/[^?#@]+$/.test(url.href), `${name}: an https URL without credentials, query and fragment`);
  check(insecure || url.protocol === 'https:' || LOOPBACK.test(url.hostname), `${name}: must be https beyond loopback`);
  return url;
}

/** One of `all`; the first when there is none. */
function checkedChoice<T extends string>(value: T | null | undefined, ...all: readonly [T, ...T[]]): T {
  const choice = value ?? all[0];
  check(all.includes(choice), `${choice}: must be one of ${all.join()}`);
  return choice;
}

/**
 * Checks the options of a client. Throws a `TypeError` for what only a programmer can mend; a missing
 * token is not such a thing.
 */
export function checkOptions(options: CentraliSDKOptions): ClientConfig {
  const { workspaceId, token, getToken, clientId, clientSecret, authUrl, allowInsecureHttp, fetch } = options;
  const base = checkedUrl('baseUrl', options.baseUrl, allowInsecureHttp);
  // The hosted service answers for realtime at api. and for tokens at auth.
  const hosted = /^(api\.)?centrali\.io$/.test(base.host);
  if (hosted) base.host = 'api.centrali.io';
  const auth = authUrl ? checkedUrl('authUrl', authUrl, allowInsecureHttp) : new URL(base.origin);
  if (hosted && !authUrl) auth.host = 'auth.centrali.io';
  if (auth.pathname === '/') auth.pathname = TOKEN_PATH;
  check(typeof (token ?? '') === 'string', 'token: must be a string');
  for (const run of [getToken, fetch])
    check(typeof (run ?? check) === 'function', 'getToken, fetch: must be functions');
  check(isWorkspaceSlug(workspaceId), 'workspaceId: must be the slug of the workspace');
  check(!clientId === !clientSecret, 'clientId and clientSecret: give both');
  check(+!!token + +!!getToken + +!!clientId < 2, 'token, getToken, clientId: give one kind of credential');
  return {
    baseUrl: base.href.replace(/\/+$/, ''),
    loopback: LOOPBACK.test(base.hostname),
    tokenEndpoint: auth.href,
    workspace: workspaceId,
    token: token || undefined,
    getToken: getToken ?? undefined,
    client: clientId && clientSecret ? { id: clientId, secret: clientSecret } : undefined,
    delivery: checkedChoice(options.tokenDelivery, 'query', 'header', 'ticket'),
    refresh: checkedChoice(
      options.tokenRefresh ?? (getToken ? 'beforeExpiry' : clientId ? 'onExpiry' : 'manual'),
      'manual',
      'onExpiry',
      'beforeExpiry',
    ),
    // Not the function itself: a browser's fetch must be called on its own global object.
    fetch: fetch ?? ((input, init) => globalThis.fetch(input, init)),
  };
}
