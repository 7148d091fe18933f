import { expect, test } from 'vitest';
import { checkOptions } from './options.ts';

const good = { baseUrl: 'https://example.com', workspaceId: 'my-workspace' };
const check = (options: object): ReturnType<typeof checkOptions> => checkOptions({ ...good, ...options });

test.each([
  ['https://api.centrali.io', 'https://api.centrali.io', 'https://auth.centrali.io/oidc/token'],
  ['https://centrali.io/', 'https://api.centrali.io', 'https://auth.centrali.io/oidc/token'],
  ['https://example.com', 'https://example.com', 'https://example.com/oidc/token'],
  ['https://example.com/prefix/', 'https://example.com/prefix', 'https://example.com/oidc/token'],
  ['http://127.0.0.1:8080', 'http://127.0.0.1:8080', 'http://127.0.0.1:8080/oidc/token'],
  ['http://[::1]:8080', 'http://[::1]:8080', 'http://[::1]:8080/oidc/token'],
  ['http://demo.localhost', 'http://demo.localhost', 'http://demo.localhost/oidc/token'],
])('%s', (baseUrl, base, tokenEndpoint) => {
  expect(check({ baseUrl })).toMatchObject({ baseUrl: base, tokenEndpoint });
});

test('authUrl is an origin, or the token endpoint itself', () => {
  expect(check({ authUrl: 'https://auth.example.com' }).tokenEndpoint).toBe('https://auth.example.com/oidc/token');
  expect(check({ authUrl: 'https://x.example.com/oauth/token' }).tokenEndpoint).toBe(
    'https://x.example.com/oauth/token',
  );
});

test('null, undefined and, for a token, the empty string are absent', () => {
  const config = check({ token: null, getToken: undefined, clientId: null, clientSecret: undefined, authUrl: null });
  expect(config).toMatchObject({ delivery: 'query', refresh: 'manual' });
  expect([config.token, config.getToken, config.client]).toEqual([undefined, undefined, undefined]);
  expect(check({ token: '' }).token).toBeUndefined();
});

test.each([
  [{ token: 't' }, 'manual'],
  [{ getToken: () => 't' }, 'beforeExpiry'],
  [{ clientId: 'ci_1', clientSecret: 'sk_1' }, 'onExpiry'],
  [{ clientId: 'ci_1', clientSecret: 'sk_1', tokenRefresh: 'manual' }, 'manual'],
])('%j refreshes %s', (options, refresh) => {
  expect(check(options).refresh).toBe(refresh);
});

test.each<[string, object]>([
  ['two kinds', { token: 't', getToken: () => 't' }],
  ['two kinds', { token: 't', clientId: 'c', clientSecret: 's' }],
  ['half a pair', { clientId: 'c' }],
  ['half a pair', { clientSecret: 's', clientId: '' }],
  ['a slug', { workspaceId: 'My Workspace' }],
  ['a slug', { workspaceId: undefined }],
  ['a URL', { baseUrl: undefined }],
  ['a URL', { baseUrl: '/realtime' }],
  ['an http URL', { baseUrl: 'ftp://example.com' }],
  ['https', { baseUrl: 'http://example.com' }],
  ['https', { baseUrl: 'http://localhost.example.com' }],
  ['https', { baseUrl: 'http://127.0.0.1.example.com' }],
  ['https', { authUrl: 'http://example.com' }],
  ['no credentials', { baseUrl: 'https://user:pass@example.com' }],
  ['no query', { baseUrl: 'https://example.com?x=1' }],
  ['no fragment', { baseUrl: 'https://example.com#x' }],
  ['a choice', { tokenRefresh: 'onexpiry' }],
  ['a choice', { tokenDelivery: 'cookie' }],
  ['a function', { getToken: 'token' }],
  ['a string', { token: 7 }],
  ['a function', { fetch: true }],
])('a TypeError: %s %j', (_name, options) => {
  expect(() => check(options)).toThrow(TypeError);
});

test('plain http beyond loopback, when it is allowed', () => {
  expect(check({ baseUrl: 'http://gateway:8080', allowInsecureHttp: true }).baseUrl).toBe('http://gateway:8080');
});
