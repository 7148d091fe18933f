import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createIam, type Iam, type IamOptions, type NewAccount } from './index.ts';

const ACTOR = { provider: 'centrali', kind: 'user', sub: 'test' } as const;

let iam: Iam;
let server: Server;
let base: string;
let demo: NewAccount;
let clock: number;

/** IAM over a socket, with limits out of the way; the clock stands until a test moves it. */
async function start(options: Partial<IamOptions> = {}): Promise<void> {
  clock = Date.parse('2026-11-24T12:00:00Z');
  server = createServer((req, res) =>
    iam.handlePublic(req, res, { id: 'req_test', address: '192.0.2.1', secure: true }),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  iam = await createIam({
    file: ':memory:',
    issuer: base,
    now: () => clock,
    algorithm: 'ES256',
    tokenFailuresPerMinutePerClient: 0,
    tokenFailuresPerMinutePerAddress: 0,
    tokenRequestsPerMinutePerAddress: 0,
    ...options,
  });
  await iam.ensureWorkspace('demo');
  demo = await iam.createAccount({ workspace: 'demo', name: 'demo', role: 'developer' });
}

async function stop(): Promise<void> {
  await new Promise((resolve) => server.close(resolve));
  await iam.close();
}

const post = (path: string, form: Record<string, string> | string, headers: Record<string, string> = {}) =>
  fetch(base + path, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: typeof form === 'string' ? form : new URLSearchParams(form).toString(),
  });
const basic = (id: string, secret: string) => ({
  authorization: `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`,
});
const asDemo = () => basic(demo.account.clientId, demo.clientSecret);
const GRANT = { grant_type: 'client_credentials' };
const tokenOf = async (account = demo, more: Record<string, string> = {}): Promise<string> => {
  const answer = await post(
    '/oidc/token',
    { ...GRANT, ...more },
    basic(account.account.clientId, account.clientSecret),
  );
  expect(answer.status).toBe(200);
  return ((await answer.json()) as { access_token: string }).access_token;
};
const claimsOf = (token: string) => JSON.parse(atob(token.split('.')[1] ?? '')) as Record<string, unknown>;

describe('the OAuth endpoints', () => {
  beforeAll(() => start());
  afterAll(stop);

  describe('POST /oidc/token', () => {
    it('gives a client an access token (RFC 6749 section 4.4, RFC 9068 section 2)', async () => {
      const answer = await post('/oidc/token', GRANT, asDemo());
      expect(answer.status).toBe(200);
      expect(answer.headers.get('cache-control')).toBe('no-store');
      expect(answer.headers.get('pragma')).toBe('no-cache');
      expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
      const body = (await answer.json()) as Record<string, string>;
      expect(body).toEqual({
        access_token: expect.any(String),
        token_type: 'Bearer',
        expires_in: 25_200,
        scope: 'openid',
      });
      const seconds = clock / 1_000;
      expect(claimsOf(body.access_token ?? '')).toEqual({
        iss: base,
        aud: base,
        sub: demo.account.clientId,
        client_id: demo.account.clientId,
        iat: seconds,
        exp: seconds + 25_200,
        jti: expect.stringMatching(/^[0-9a-f]{32}$/),
        scope: 'openid',
        workspaces: ['demo'],
        cred: expect.stringMatching(/^cr_[0-9a-f]{16}$/),
      });
      const header = JSON.parse(atob((body.access_token ?? '').split('.')[0] ?? ''));
      expect(header).toEqual({ alg: 'ES256', typ: 'at+jwt', kid: expect.any(String) });
    });

    it('takes the secret from the body, and credentials whose case and spelling the RFCs leave open', async () => {
      const { clientId } = demo.account;
      const body = { ...GRANT, client_id: clientId, client_secret: demo.clientSecret };
      expect((await post('/oidc/token', body)).status).toBe(200);
      const { authorization } = asDemo();
      expect(
        (await post('/oidc/token', GRANT, { authorization: authorization.replace('Basic', 'bASIC') })).status,
      ).toBe(200);
      expect((await post('/oidc/token', { ...GRANT, client_id: clientId }, asDemo())).status).toBe(200);
      const charset = { 'content-type': 'application/x-www-form-urlencoded; charset=UTF-8' };
      expect((await post('/oidc/token', GRANT, { ...asDemo(), ...charset })).status).toBe(200);
    });

    it('decodes what Basic holds as a form (RFC 6749 section 2.3.1)', async () => {
      const id = demo.account.clientId.replace('ci_', 'ci%5F');
      const authorization = `Basic ${Buffer.from(`${id}:${demo.clientSecret}`).toString('base64')}`;
      expect((await post('/oidc/token', GRANT, { authorization })).status).toBe(200);
    });

    const secret = () => ({ client_id: demo.account.clientId, client_secret: demo.clientSecret });
    const refusals: [string, number, string, () => Promise<Response>][] = [
      ['no grant_type', 400, 'invalid_request', () => post('/oidc/token', {}, asDemo())],
      [
        'another grant_type',
        400,
        'unsupported_grant_type',
        () => post('/oidc/token', { grant_type: 'password' }, asDemo()),
      ],
      ['no credentials', 401, 'invalid_client', () => post('/oidc/token', GRANT)],
      [
        'a wrong secret',
        401,
        'invalid_client',
        () => post('/oidc/token', GRANT, basic(demo.account.clientId, 'sk_wrong')),
      ],
      ['an unknown client', 401, 'invalid_client', () => post('/oidc/token', GRANT, basic('ci_none', 'sk_wrong'))],
      ['another scheme', 401, 'invalid_client', () => post('/oidc/token', GRANT, { authorization: 'Bearer abc' })],
      [
        'Basic that is no base64',
        401,
        'invalid_client',
        () => post('/oidc/token', GRANT, { authorization: 'Basic %%%' }),
      ],
      ['two methods', 400, 'invalid_request', () => post('/oidc/token', { ...GRANT, ...secret() }, asDemo())],
      ['two clients', 400, 'invalid_request', () => post('/oidc/token', { ...GRANT, client_id: 'ci_other' }, asDemo())],
      [
        'a parameter twice',
        400,
        'invalid_request',
        () => post('/oidc/token', 'grant_type=client_credentials&scope=openid&scope=openid', asDemo()),
      ],
      [
        'parameters in the URI',
        400,
        'invalid_request',
        () => post('/oidc/token?grant_type=client_credentials', '', asDemo()),
      ],
      [
        'JSON',
        400,
        'invalid_request',
        () => post('/oidc/token', JSON.stringify(GRANT), { ...asDemo(), 'content-type': 'application/json' }),
      ],
      [
        'another charset',
        400,
        'invalid_request',
        () =>
          post('/oidc/token', GRANT, {
            ...asDemo(),
            'content-type': 'application/x-www-form-urlencoded; charset=utf-16',
          }),
      ],
      ['a broken escape', 400, 'invalid_request', () => post('/oidc/token', 'grant_type=%E0%A4', asDemo())],
      [
        'an unknown scope',
        400,
        'invalid_scope',
        () => post('/oidc/token', { ...GRANT, scope: 'realtime:everything' }, asDemo()),
      ],
      [
        'a scope beyond the roles',
        400,
        'invalid_scope',
        () => post('/oidc/token', { ...GRANT, scope: 'iam:manage' }, asDemo()),
      ],
      ['a malformed scope', 400, 'invalid_scope', () => post('/oidc/token', { ...GRANT, scope: 'a"b' }, asDemo())],
      [
        'another resource',
        400,
        'invalid_target',
        () => post('/oidc/token', { ...GRANT, resource: 'https://elsewhere.example' }, asDemo()),
      ],
      ['a body past 16 KiB', 413, 'invalid_request', () => post('/oidc/token', `a=${'x'.repeat(20_000)}`, asDemo())],
      ['GET', 405, 'invalid_request', () => fetch(`${base}/oidc/token`, { headers: asDemo() })],
    ];
    it.each(refusals)('refuses %s: %i %s', async (_name, status, error, send) => {
      const answer = await send();
      expect(answer.status).toBe(status);
      expect(answer.headers.get('cache-control')).toBe('no-store');
      const body = (await answer.json()) as { error_description: string };
      expect(body).toEqual({ error, error_description: expect.any(String) });
      expect(body.error_description).toMatch(/^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/);
      expect(answer.headers.has('www-authenticate')).toBe(status === 401);
      if (status === 405) expect(answer.headers.get('allow')).toBe('POST');
    });

    it('ignores parameters that it does not know and those without a value', async () => {
      expect((await post('/oidc/token', { ...GRANT, scope: '', audience: 'x', resource: '' }, asDemo())).status).toBe(
        200,
      );
    });

    it('takes the one resource that there is (RFC 8707)', async () => {
      expect((await post('/oidc/token', { ...GRANT, resource: base }, asDemo())).status).toBe(200);
    });

    it('grants the scope that was asked for, and iam:manage only then', async () => {
      const admin = await iam.createAccount({ workspace: 'demo', name: 'admin', role: 'admin' });
      expect(claimsOf(await tokenOf(admin)).scope).toBe('openid');
      expect(claimsOf(await tokenOf(admin, { scope: 'iam:manage openid' })).scope).toBe('iam:manage openid');
    });

    it('answers wrong secrets, unknown clients and disabled accounts alike', async () => {
      const { account, clientSecret } = await iam.createAccount({ workspace: 'demo', name: 'off' });
      await iam.services.accounts.setDisabled('demo', account.id, true, ACTOR);
      const texts = await Promise.all(
        [
          basic(account.clientId, clientSecret),
          basic(demo.account.clientId, 'sk_wrong'),
          basic(`ci_${'0'.repeat(24)}`, 'sk_wrong'),
        ].map(async (headers) => (await post('/oidc/token', GRANT, headers)).text()),
      );
      expect(new Set(texts).size).toBe(1);
    });

    it('leaves a rotated secret valid for its grace, and no longer', async () => {
      const made = await iam.createAccount({ workspace: 'demo', name: 'rotating', role: 'viewer' });
      const { id, clientId } = made.account;
      const rotated = await iam.services.accounts.rotate('demo', id, 60, ACTOR);
      const status = async (value: string) => (await post('/oidc/token', GRANT, basic(clientId, value))).status;
      expect(await status(made.clientSecret)).toBe(200);
      expect(await status(rotated?.clientSecret ?? '')).toBe(200);
      clock += 60_000;
      expect(await status(made.clientSecret)).toBe(401);
      expect(await status(rotated?.clientSecret ?? '')).toBe(200);
    });

    it('names the missing authorization in an audit row, and the granted token in another', async () => {
      await post('/oidc/token', GRANT, basic(demo.account.clientId, 'sk_wrong'));
      const token = await tokenOf();
      await iam.services.audit.flush();
      const rows = await iam.services.store.read((view) =>
        view.audit.list({ workspace: 'demo', kind: 'token', limit: 1_000 }),
      );
      expect(rows).toContainEqual(expect.objectContaining({ code: 'invalid_client', address: '192.0.2.1' }));
      expect(rows).toContainEqual(
        expect.objectContaining({
          action: 'token.issue',
          sub: demo.account.clientId,
          jti: claimsOf(token).jti,
          requestId: 'req_test',
        }),
      );
      expect(JSON.stringify(rows)).not.toContain(token.split('.')[2]);
      expect(JSON.stringify(rows)).not.toContain(demo.clientSecret);
    });
  });

  describe('private_key_jwt (RFC 7523)', () => {
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    let client: NewAccount;
    beforeAll(async () => {
      client = await iam.createAccount({ workspace: 'demo', name: 'signer', role: 'viewer' });
      await iam.services.accounts.putKeys('demo', client.account.id, [pair.publicKey.export({ format: 'jwk' })], ACTOR);
    });
    const assert = (claims: Record<string, unknown> = {}, key = pair.privateKey) => {
      const seconds = Math.floor(clock / 1_000);
      const { clientId } = client.account;
      return new SignJWT({
        iss: clientId,
        sub: clientId,
        aud: base,
        jti: randomUUID(),
        exp: seconds + 60,
        iat: seconds,
        ...claims,
      })
        .setProtectedHeader({ alg: 'ES256' })
        .sign(key);
    };
    const send = (assertion: string, more: Record<string, string> = {}) =>
      post('/oidc/token', {
        ...GRANT,
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: assertion,
        ...more,
      });

    it('gives a token whose cred is the key', async () => {
      const answer = await send(await assert());
      expect(answer.status).toBe(200);
      const { access_token } = (await answer.json()) as { access_token: string };
      const [key] = await iam.services.store.read(async (view) =>
        (await view.credentials.ofClient(client.account.clientId)).filter(({ kind }) => kind === 'key'),
      );
      expect(claimsOf(access_token).cred).toBe(key?.cred);
    });

    it('takes an assertion once', async () => {
      const assertion = await assert();
      expect((await send(assertion)).status).toBe(200);
      expect((await send(assertion)).status).toBe(401);
    });

    const year = 365 * 86_400;
    it.each<[string, () => Promise<string>]>([
      ['for the token endpoint', () => assert({ aud: `${base}/oidc/token` })],
      ['for a list of audiences', () => assert({ aud: [base] })],
      ['without exp', () => assert({ exp: undefined })],
      ['that has expired', () => assert({ exp: Math.floor(clock / 1_000) })],
      ['that lives for a year', () => assert({ exp: Math.floor(clock / 1_000) + year })],
      ['without jti', () => assert({ jti: undefined })],
      ['from the future', () => assert({ iat: Math.floor(clock / 1_000) + 3_600 })],
      ['whose iss is not its sub', () => assert({ iss: 'ci_other' })],
      ['of another client', () => assert({ iss: demo.account.clientId, sub: demo.account.clientId })],
      ['of another key', () => assert({}, other.privateKey)],
      ['that is no JWT', async () => 'abc'],
    ])('refuses one %s', async (_name, make) => {
      const answer = await send(await make());
      expect(answer.status).toBe(401);
      expect(((await answer.json()) as { error: string }).error).toBe('invalid_client');
    });

    it('refuses symmetric signatures with the public key as secret', async () => {
      const secret = Buffer.from(JSON.stringify(pair.publicKey.export({ format: 'jwk' })));
      const { clientId } = client.account;
      const forged = await new SignJWT({ iss: clientId, sub: clientId, aud: base, jti: 'x' })
        .setExpirationTime(Math.floor(clock / 1_000) + 60)
        .setProtectedHeader({ alg: 'HS256' })
        .sign(secret);
      expect((await send(forged)).status).toBe(401);
    });

    it('refuses it beside a secret', async () => {
      expect((await send(await assert(), { client_secret: 'sk_x' })).status).toBe(400);
    });
  });

  describe('key set and metadata', () => {
    it('publishes public keys only, with an honest age', async () => {
      const answer = await fetch(`${base}/oidc/jwks`);
      expect(answer.headers.get('content-type')).toBe('application/jwk-set+json');
      expect(answer.headers.get('cache-control')).toBe('public, max-age=300');
      const { keys } = (await answer.json()) as { keys: Record<string, string>[] };
      expect(keys).toHaveLength(1);
      expect(Object.keys(keys[0] ?? {}).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
    });
    it('names its endpoints where RFC 8414, OpenID Connect and RFC 9728 look', async () => {
      const json = async (path: string) => (await fetch(base + path)).json() as Promise<Record<string, unknown>>;
      const server = await json('/.well-known/oauth-authorization-server');
      expect(server).toMatchObject({
        issuer: base,
        token_endpoint: `${base}/oidc/token`,
        jwks_uri: `${base}/oidc/jwks`,
        token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'private_key_jwt'],
      });
      expect(await json('/.well-known/openid-configuration')).toMatchObject(server);
      expect(await json('/.well-known/oauth-protected-resource')).toMatchObject({
        resource: base,
        authorization_servers: [base],
      });
    });
    it('lets the documents be read only', async () => {
      const answer = await post('/oidc/jwks', {});
      expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
      expect((await fetch(`${base}/oidc/jwks`, { method: 'HEAD' })).status).toBe(200);
    });
    it('answers other paths as every error', async () => {
      const answer = await fetch(`${base}/oidc/authorize`);
      expect(answer.status).toBe(404);
      expect(await answer.json()).toMatchObject({ code: 'NOT_FOUND', requestId: 'req_test' });
    });
  });

  describe('POST /oidc/revoke and /oidc/introspect', () => {
    const introspect = async (token: string, headers = asDemo()) =>
      (await (await post('/oidc/introspect', { token }, headers)).json()) as Record<string, unknown>;

    it('tells of a live token, then no more', async () => {
      const token = await tokenOf();
      const claims = claimsOf(token);
      expect(await introspect(token)).toEqual({
        active: true,
        token_type: 'Bearer',
        iss: base,
        aud: base,
        scope: 'openid',
        workspaces: ['demo'],
        sub: claims.sub,
        client_id: claims.client_id,
        iat: claims.iat,
        exp: claims.exp,
        jti: claims.jti,
      });
      const revoked = await post('/oidc/revoke', { token, token_type_hint: 'refresh_token' }, asDemo());
      expect([revoked.status, await revoked.text()]).toEqual([200, '']);
      expect(await introspect(token)).toEqual({ active: false });
    });
    it('tells nothing of tokens that name another workspace', async () => {
      await iam.ensureWorkspace('other');
      const stranger = await iam.createAccount({ workspace: 'other', name: 'x', role: 'owner' });
      expect(await introspect(await tokenOf(), basic(stranger.account.clientId, stranger.clientSecret))).toEqual({
        active: false,
      });
    });
    it('tells nothing of what is no token, is forged, or has expired', async () => {
      const token = await tokenOf();
      expect(await introspect('abc')).toEqual({ active: false });
      expect(await introspect(`${token.slice(0, -4)}AAAA`)).toEqual({ active: false });
      clock += 25_200_000;
      expect(await introspect(token)).toEqual({ active: false });
    });
    it('ends a token for its own client only, and answers 200 all the same', async () => {
      const token = await tokenOf();
      const peer = await iam.createAccount({ workspace: 'demo', name: 'peer', role: 'owner' });
      const headers = basic(peer.account.clientId, peer.clientSecret);
      expect((await post('/oidc/revoke', { token }, headers)).status).toBe(200);
      expect((await post('/oidc/revoke', { token: 'abc' }, headers)).status).toBe(200);
      expect(await introspect(token)).toMatchObject({ active: true });
    });
    it('asks for authentication and for the token', async () => {
      expect((await post('/oidc/introspect', { token: 'a' })).status).toBe(401);
      expect((await post('/oidc/revoke', { token: 'a' })).status).toBe(401);
      expect((await post('/oidc/introspect', {}, asDemo())).status).toBe(400);
      expect((await fetch(`${base}/oidc/revoke`)).status).toBe(405);
    });
    it('makes one revocation of a token, however often it is revoked', async () => {
      const token = await tokenOf();
      await post('/oidc/revoke', { token }, asDemo());
      const { revision } = await iam.services.store.read((view) => view.feed.head());
      await post('/oidc/revoke', { token }, asDemo());
      expect((await iam.services.store.read((view) => view.feed.head())).revision).toBe(revision);
    });
  });

  describe('workspaces', () => {
    it('give no tokens while they are suspended, and never again when deleted', async () => {
      await iam.ensureWorkspace('short');
      const account = await iam.createAccount({ workspace: 'short', name: 'x', role: 'viewer' });
      const send = () => post('/oidc/token', GRANT, basic(account.account.clientId, account.clientSecret));
      await iam.setWorkspaceState('short', 'suspended');
      expect(await (await send()).json()).toMatchObject({ error: 'unauthorized_client' });
      await iam.setWorkspaceState('short', 'active');
      expect((await send()).status).toBe(200);
      await iam.setWorkspaceState('short', 'deleted');
      expect((await send()).status).toBe(401);
      await expect(iam.ensureWorkspace('short')).rejects.toMatchObject({ code: 'CONFLICT' });
    });
    it('take only roles that are there, and users whose sub is no client id', async () => {
      const bad = { code: 'BAD_REQUEST' };
      await expect(iam.createAccount({ workspace: 'demo', name: 'x', role: 'none' })).rejects.toMatchObject(bad);
      await expect(iam.putMember({ workspace: 'demo', sub: 'ann', role: 'none' })).rejects.toMatchObject(bad);
      await expect(iam.putMember({ workspace: 'demo', sub: 'ci_ann', role: 'viewer' })).rejects.toMatchObject(bad);
      const unknown = iam.createAccount({ workspace: 'nowhere', name: 'x' });
      await expect(unknown).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });
    it('are made once', async () => {
      expect(await iam.ensureWorkspace('demo')).toBe(false);
      expect(() => iam.ensureWorkspace('Not A Slug')).toThrow(TypeError);
    });
  });

  it('gives the operator a token of role owner with every permission in its scope', async () => {
    const { token, expiresAt } = await iam.issueAdminToken({ workspace: 'demo' });
    expect(expiresAt).toBe(clock + 43_200_000);
    const claims = claimsOf(token);
    expect(claims).toMatchObject({ sub: 'operator', client_id: 'centrali-operator', workspaces: ['demo'] });
    expect(String(claims.scope).split(' ')).toContain('iam:manage');
    const answer = await post('/oidc/introspect', { token }, asDemo());
    expect(await answer.json()).toMatchObject({ active: true });
  });
});

describe('the limits of the OAuth endpoints', () => {
  afterEach(stop);

  it('refuse a client that fails too often, but not its right secret from an address that it used before', async () => {
    await start({ tokenFailuresPerMinutePerClient: 3 });
    await tokenOf();
    const wrong = () => post('/oidc/token', GRANT, basic(demo.account.clientId, 'sk_wrong'));
    const statuses = [];
    for (let i = 0; i < 5; i++) statuses.push((await wrong()).status);
    expect(statuses).toEqual([401, 401, 401, 429, 429]);
    const answer = await wrong();
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await answer.json()).toMatchObject({ code: 'RATE_LIMIT_EXCEEDED', recoverable: true });
    await tokenOf();
  });

  it('refuse even the right secret from an address that was never right before', async () => {
    await start({ tokenFailuresPerMinutePerClient: 1 });
    await post('/oidc/token', GRANT, basic(demo.account.clientId, 'sk_wrong'));
    expect((await post('/oidc/token', GRANT, asDemo())).status).toBe(429);
  });

  it('refuse one secret tried on many clients', async () => {
    await start({ tokenFailuresPerMinutePerAddress: 2 });
    const statuses = [];
    for (let i = 0; i < 4; i++) statuses.push((await post('/oidc/token', GRANT, basic(`ci_${i}`, 'sk_x'))).status);
    expect(statuses).toEqual([401, 401, 429, 429]);
  });

  it('refuse too many requests of an address before the body is read', async () => {
    await start({ tokenRequestsPerMinutePerAddress: 2 });
    const statuses = [];
    for (let i = 0; i < 3; i++) statuses.push((await post('/oidc/token', `a=${'x'.repeat(20_000)}`)).status);
    expect(statuses).toEqual([413, 413, 429]);
  });
});

describe('an audit log that takes no rows', () => {
  afterEach(stop);
  it('lets nobody in: no token, no decision', async () => {
    await start();
    const spool = iam.services.audit;
    vi.spyOn(spool, 'open', 'get').mockReturnValue(false);
    const answer = await post('/oidc/token', GRANT, asDemo());
    expect(answer.status).toBe(503);
    expect(answer.headers.has('retry-after')).toBe(true);
    expect(await answer.json()).toMatchObject({ code: 'AUTH_ERROR' });
    await expect(iam.decisions.check([{} as never])).rejects.toMatchObject({ code: 'AUTH_ERROR' });
  });
});

describe('createIam', () => {
  beforeEach(() => start({ algorithm: 'RS256' }));
  afterEach(stop);

  it('signs with RS256 where nothing else is configured', async () => {
    const header = JSON.parse(atob((await tokenOf()).split('.')[0] ?? ''));
    expect(header.alg).toBe('RS256');
  });

  it.each([
    { issuer: 'https://a.example/' },
    { issuer: 'nonsense' },
    { issuer: 'https://a.example', userLifetimeSeconds: 0 },
  ])('refuses %o', async (options) => {
    await expect(createIam({ file: ':memory:', ...options })).rejects.toThrow(TypeError);
  });
});
