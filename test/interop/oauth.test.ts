// Two OAuth clients that others wrote get tokens by every way to authenticate a client, and what they get opens
// the stream; and a login provider that others wrote is accepted once it has been added.
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as oauth from 'oauth4webapi';
import Provider from 'oidc-provider';
import * as openid from 'openid-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addProvider, adminOk, bearer, eventsUrl, form, serviceToken } from '../support/api.ts';
import { type Dev, startDev } from '../support/centrali.ts';
import { expectError } from '../support/error-answer.ts';
import { openStream } from '../support/event-stream.ts';
import { claimsOf } from '../support/forge.ts';

let dev: Dev;
let keys: CryptoKeyPair;
const KID = 'client-key-1';

beforeAll(async () => {
  dev = await startDev({ env: { CENTRALI_PROVIDERS_ALLOW_PRIVATE_ADDRESSES: 'true' } });
  keys = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
  const { items } = await adminOk(dev, 'GET', 'service-accounts');
  const { id } = items.find((account: any) => account.clientId === dev.clientId);
  const jwk = await crypto.subtle.exportKey('jwk', keys.publicKey);
  await adminOk(dev, 'PUT', `service-accounts/${id}/keys`, {
    jwks: { keys: [{ kty: jwk.kty, crv: jwk.crv, x: jwk.x, y: jwk.y, kid: KID, alg: 'ES256', use: 'sig' }] },
  });
});
afterAll(() => dev?.stop());

async function opens(token: string): Promise<void> {
  const stream = await openStream(eventsUrl(dev), { headers: bearer(token) });
  await stream.system('connected');
  stream.close();
}

describe('openid-client', () => {
  const authentications: [string, () => openid.ClientAuth][] = [
    ['client_secret_basic', () => openid.ClientSecretBasic(dev.clientSecret)],
    ['client_secret_post', () => openid.ClientSecretPost(dev.clientSecret)],
    ['private_key_jwt', () => openid.PrivateKeyJwt({ key: keys.privateKey, kid: KID })],
  ];
  for (const algorithm of ['oidc', 'oauth2'] as const) {
    it.each(authentications)(`discovers by ${algorithm} and gets a token by %s`, async (_, authentication) => {
      const config = await openid.discovery(new URL(dev.baseUrl), dev.clientId, {}, authentication(), {
        algorithm,
        execute: [openid.allowInsecureRequests],
      });
      const answer = await openid.clientCredentialsGrant(config);
      expect(answer.token_type.toLowerCase()).toBe('bearer');
      expect(answer.expires_in).toBeGreaterThan(0);
      await opens(answer.access_token);
    });
  }

  it.each([
    ['client_secret_basic', openid.ClientSecretBasic('sk_wrong')],
    ['client_secret_post', openid.ClientSecretPost('sk_wrong')],
  ] as const)('is told about a wrong secret by %s', async (_, authentication) => {
    const config = await openid.discovery(new URL(dev.baseUrl), dev.clientId, {}, authentication, {
      execute: [openid.allowInsecureRequests],
    });
    // Each 401 has its challenge (RFC 9110 section 15.5.2), and this client reads that first.
    await expect(openid.clientCredentialsGrant(config)).rejects.toMatchObject({
      code: 'OAUTH_WWW_AUTHENTICATE_CHALLENGE',
      status: 401,
    });
  });
});

describe('oauth4webapi', () => {
  const insecure = { [oauth.allowInsecureRequests]: true };
  const authentications: [string, () => oauth.ClientAuth][] = [
    ['client_secret_basic', () => oauth.ClientSecretBasic(dev.clientSecret)],
    ['client_secret_post', () => oauth.ClientSecretPost(dev.clientSecret)],
    ['private_key_jwt', () => oauth.PrivateKeyJwt({ key: keys.privateKey, kid: KID })],
  ];

  async function server(): Promise<oauth.AuthorizationServer> {
    const issuer = new URL(dev.baseUrl);
    const response = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure });
    return oauth.processDiscoveryResponse(issuer, response);
  }

  it.each(authentications)(
    'gets a token by %s, which its own check of access tokens takes',
    async (_, authentication) => {
      const as = await server();
      const client = { client_id: dev.clientId };
      const response = await oauth.clientCredentialsGrantRequest(
        as,
        client,
        authentication(),
        new URLSearchParams(),
        insecure,
      );
      const answer = await oauth.processClientCredentialsResponse(as, client, response);
      const request = new Request(`${dev.baseUrl}/`, { headers: bearer(answer.access_token) });
      // RFC 9068, judged by someone else.
      const claims = await oauth.validateJwtAccessToken(as, request, dev.baseUrl, insecure);
      expect(claims).toMatchObject({ iss: dev.baseUrl, sub: dev.clientId, client_id: dev.clientId });
      await opens(answer.access_token);
    },
  );

  it('introspects and revokes', async () => {
    const as = await server();
    const client = { client_id: dev.clientId };
    const token = await serviceToken(dev);
    const authentication = oauth.ClientSecretBasic(dev.clientSecret);
    const look = async (): Promise<oauth.IntrospectionResponse> => {
      const response = await oauth.introspectionRequest(as, client, authentication, token, insecure);
      return oauth.processIntrospectionResponse(as, client, response);
    };
    expect(await look()).toMatchObject({ active: true, client_id: dev.clientId });
    const revoked = await oauth.revocationRequest(as, client, authentication, token, insecure);
    expect(await oauth.processRevocationResponse(revoked)).toBeUndefined();
    expect(await look()).toEqual({ active: false });
    await expectError(await fetch(eventsUrl(dev), { headers: bearer(token) }), 'INVALID_TOKEN');
  });
});

describe('the token endpoint', () => {
  const post = (fields: Record<string, string>, headers: Record<string, string> = {}): Promise<Response> => {
    const { body, headers: type } = form(fields);
    return fetch(`${dev.baseUrl}/oidc/token`, { method: 'POST', body, headers: { ...type, ...headers } });
  };
  const good = (): Record<string, string> => ({
    grant_type: 'client_credentials',
    client_id: dev.clientId,
    client_secret: dev.clientSecret,
  });

  it('answers by RFC 6749 section 5.1', async () => {
    const response = await post(good());
    expect(response.status).toBe(200);
    expect(response.headers.get('cache-control')).toMatch(/no-store/);
    expect(response.headers.get('content-type')).toMatch(/^application\/json/);
    const answer = (await response.json()) as Record<string, unknown>;
    expect(Object.keys(answer).sort()).toEqual(['access_token', 'expires_in', 'scope', 'token_type']);
    expect(answer.token_type).toBe('Bearer');
    const claims = claimsOf(answer.access_token as string);
    expect(claims).toMatchObject({
      iss: dev.baseUrl,
      aud: dev.baseUrl,
      sub: dev.clientId,
      client_id: dev.clientId,
      workspaces: ['demo'],
      scope: answer.scope,
    });
    expect(claims.exp - claims.iat).toBe(answer.expires_in);
    expect(claims.cred).toBeTypeOf('string');
    expect(claims.jti).toBeTypeOf('string');
  });

  it.each([
    ['no grant type', { grant_type: '' }, 400, 'invalid_request'],
    ['another grant type', { grant_type: 'password' }, 400, 'unsupported_grant_type'],
    ['a scope that there is not', { scope: 'no:such' }, 400, 'invalid_scope'],
    ['a scope beyond the role', { scope: 'iam:manage' }, 400, 'invalid_scope'],
    ['a malformed scope', { scope: 'a"b' }, 400, 'invalid_scope'],
    ['a wrong secret', { client_secret: `sk_${'0'.repeat(64)}` }, 401, 'invalid_client'],
    ['a client that there is not', { client_id: `ci_${'0'.repeat(24)}` }, 401, 'invalid_client'],
    ['no credentials', { client_id: '', client_secret: '' }, 401, 'invalid_client'],
  ] as const)('%s', async (_, change, status, error) => {
    const response = await post({ ...good(), ...change });
    const answer = (await response.json()) as Record<string, string>;
    expect({ status: response.status, error: answer.error }).toEqual({ status, error });
    expect(response.headers.get('cache-control')).toMatch(/no-store/);
    // RFC 6749 section 5.2: neither quote nor backslash.
    expect(answer.error_description ?? '').toMatch(/^[\x20-\x21\x23-\x5B\x5D-\x7E]*$/);
    expect(JSON.stringify(answer)).not.toContain(dev.clientSecret);
  });

  it('two ways to authenticate at once are refused, and so are repeated parameters', async () => {
    const both = await post(good(), { authorization: `Basic ${btoa(`${dev.clientId}:${dev.clientSecret}`)}` });
    expect(await both.json()).toMatchObject({ error: 'invalid_request' });
    const { body } = form(good());
    const twice = await fetch(`${dev.baseUrl}/oidc/token`, {
      method: 'POST',
      body: `${body}&grant_type=client_credentials`,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect(await twice.json()).toMatchObject({ error: 'invalid_request' });
  });

  it('a failed Basic gets a challenge of its scheme', async () => {
    const response = await post({ grant_type: 'client_credentials' }, { authorization: `Basic ${btoa('x:y')}` });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toMatch(/^Basic realm="/);
  });

  it('is not a GET, and takes no secret from the URL', async () => {
    const query = new URLSearchParams(good()).toString();
    expect((await fetch(`${dev.baseUrl}/oidc/token?${query}`)).status).toBe(405);
    const response = await fetch(`${dev.baseUrl}/oidc/token?${query}`, { method: 'POST' });
    expect(response.status).toBeGreaterThanOrEqual(400);
  });
});

describe('a foreign issuer (oidc-provider)', () => {
  let server: Server;
  let issuer: string;
  let other: { baseUrl: string; workspace: string };

  beforeAll(async () => {
    // Its port is in its issuer: listen first, make the provider then.
    let callback: ((request: any, response: any) => void) | undefined;
    server = createServer((request, response) => callback?.(request, response));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const provider = new Provider(issuer, {
      clients: [
        {
          client_id: 'foreign-app',
          client_secret: 'foreign-secret',
          grant_types: ['client_credentials'],
          redirect_uris: [],
          response_types: [],
          scope: 'read',
        },
      ],
      scopes: ['read'],
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        resourceIndicators: {
          enabled: true,
          defaultResource: () => 'https://realtime.example',
          useGrantedResource: () => true,
          getResourceServerInfo: () => ({ scope: 'read', accessTokenFormat: 'jwt' as const, accessTokenTTL: 600 }),
        },
      },
      // A foreign issuer that claims to know our workspaces.
      extraTokenClaims: () => ({ workspaces: ['demo', 'other'] }),
    });
    callback = provider.callback();
    other = { baseUrl: dev.baseUrl, workspace: 'other' };
  });
  afterAll(() => {
    server?.close();
    server?.closeAllConnections();
  });

  async function foreignToken(): Promise<string> {
    const { body, headers } = form({
      grant_type: 'client_credentials',
      client_id: 'foreign-app',
      client_secret: 'foreign-secret',
      scope: 'read',
      resource: 'https://realtime.example',
    });
    const response = await fetch(`${issuer}/token`, { method: 'POST', body, headers });
    const answer = (await response.json()) as { access_token: string };
    expect(response.status, JSON.stringify(answer)).toBe(200);
    return answer.access_token;
  }

  it('is refused before it was added, accepted afterwards, and opens no other workspace', async () => {
    const token = await foreignToken();
    expect(claimsOf(token)).toMatchObject({
      iss: issuer,
      aud: 'https://realtime.example',
      workspaces: ['demo', 'other'],
    });
    await expectError(await fetch(eventsUrl(dev), { headers: bearer(token) }), 'INVALID_TOKEN');

    const id = await addProvider(dev, {
      name: 'oidc-provider',
      issuer,
      audiences: ['https://realtime.example'],
      typ: ['at+jwt'],
      mapping: { defaultRole: 'viewer' },
    });
    await opens(token);
    await expectError(await fetch(eventsUrl(other), { headers: bearer(token) }), 'WORKSPACE_MISMATCH');
    // A viewer may not publish, and nothing in a foreign token gives administration.
    const published = await fetch(eventsUrl(dev), {
      method: 'POST',
      headers: { ...bearer(token), 'content-type': 'application/json' },
      body: '{"event":"a"}',
    });
    await expectError(published, 'FORBIDDEN');
    const members = `${dev.baseUrl}/workspace/demo/api/v1/members`;
    await expectError(await fetch(members, { headers: bearer(token) }), 'FORBIDDEN');

    await adminOk(dev, 'DELETE', `external-auth-providers/${id}`);
    await expectError(await fetch(eventsUrl(dev), { headers: bearer(await foreignToken()) }), 'INVALID_TOKEN');
  });

  it('a provider without a default role admits nobody by itself', async () => {
    const id = await addProvider(dev, {
      name: 'no-default',
      issuer,
      audiences: ['https://realtime.example'],
      typ: ['at+jwt'],
      mapping: {},
    });
    const token = await foreignToken();
    await expectError(await fetch(eventsUrl(dev), { headers: bearer(token) }), 'FORBIDDEN');
    await adminOk(dev, 'PUT', `members/${claimsOf(token).sub}?provider=${id}`, { roles: ['viewer'] });
    await opens(token);
    await adminOk(dev, 'DELETE', `external-auth-providers/${id}`);
  });
});

describe('discovery', () => {
  it('says the same in both documents, and the key set holds public members alone', async () => {
    const get = async (path: string): Promise<any> => {
      const response = await fetch(dev.baseUrl + path);
      expect(response.status, path).toBe(200);
      return response.json();
    };
    const as = await get('/.well-known/oauth-authorization-server');
    const oidc = await get('/.well-known/openid-configuration');
    const resource = await get('/.well-known/oauth-protected-resource');
    for (const document of [as, oidc]) {
      expect(document).toMatchObject({
        issuer: dev.baseUrl,
        token_endpoint: `${dev.baseUrl}/oidc/token`,
        jwks_uri: `${dev.baseUrl}/oidc/jwks`,
        revocation_endpoint: `${dev.baseUrl}/oidc/revoke`,
        introspection_endpoint: `${dev.baseUrl}/oidc/introspect`,
        grant_types_supported: ['client_credentials'],
      });
      expect(document.token_endpoint_auth_methods_supported).toEqual(
        expect.arrayContaining(['client_secret_basic', 'client_secret_post', 'private_key_jwt']),
      );
    }
    expect(resource).toMatchObject({ resource: dev.baseUrl, authorization_servers: [dev.baseUrl] });
    const response = await fetch(`${dev.baseUrl}/oidc/jwks`);
    expect(response.headers.get('cache-control')).toMatch(/max-age=[1-9]\d*/);
    const { keys: published } = (await response.json()) as { keys: Record<string, unknown>[] };
    expect(published.length).toBeGreaterThan(0);
    for (const key of published) {
      for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k', 'oth']) expect(key).not.toHaveProperty(secret);
      expect(key).toMatchObject({ use: 'sig', alg: 'RS256' });
    }
    const openapi = await get('/workspace/openapi.json');
    expect(openapi.openapi).toMatch(/^3\.1/);
    expect(Object.keys(openapi.paths).join()).toContain('service-accounts');
  });
});
