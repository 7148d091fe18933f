import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OutboundError, type OutboundGet } from '../../resource-server/index.ts';
import { type AdminFixture, errorOf, ISSUER, openAdmin } from '../admin/admin.fixture.ts';

const IDP = 'https://idp.example';
const pair = await generateKeyPair('RS256');
const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'k1', alg: 'RS256', use: 'sig' };

/** What the foreign issuer serves, by URL; what is asked for, in order. */
let served: Map<string, unknown>;
let asked: string[];
const get: OutboundGet = async (url) => {
  asked.push(url);
  const body = served.get(url);
  if (body instanceof Error) throw body;
  const status = body === undefined ? 404 : 200;
  return {
    status,
    cacheControl: '',
    body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body ?? null)),
  };
};

let fixture: AdminFixture;
beforeEach(async () => {
  asked = [];
  served = new Map<string, unknown>([
    [
      `${IDP}/.well-known/openid-configuration`,
      { issuer: IDP, jwks_uri: `${IDP}/jwks`, id_token_signing_alg_values_supported: ['RS256', 'HS256', 'none'] },
    ],
    [`${IDP}/jwks`, { keys: [jwk] }],
  ]);
  fixture = await openAdmin({ get });
});
afterEach(() => fixture.close());

const BASE = { name: 'IdP', issuer: IDP, audiences: ['app'] };
const add = (body: unknown, token = fixture.owner, workspace = 'demo') =>
  fixture.send('POST', '/external-auth-providers', { token, body, workspace });
const act = (id: string, verb: string, sent: { token?: string; workspace?: string } = {}) =>
  fixture.send('POST', `/external-auth-providers/${id}/${verb}`, { token: fixture.owner, ...sent });

/** A token of the foreign issuer. */
const foreignToken = (claims: Record<string, unknown> = {}): Promise<string> =>
  new SignJWT({ scope: 'iam:manage', ...claims })
    .setProtectedHeader({ alg: 'RS256', kid: 'k1', typ: 'JWT' })
    .setIssuer(IDP)
    .setAudience('app')
    .setSubject('fred')
    .setIssuedAt(fixture.now() / 1000)
    .setExpirationTime(fixture.now() / 1000 + 600)
    .sign(pair.privateKey);

describe('external providers', () => {
  it('are found by OpenID Connect Discovery', async () => {
    const response = await add({ ...BASE, mapping: { defaultRole: 'viewer' } });
    expect(response.statusCode).toBe(201);
    expect(response.json()).toMatchObject({
      id: expect.stringMatching(/^pr_[0-9a-f]{24}$/),
      name: 'IdP',
      issuer: IDP,
      audiences: ['app'],
      typ: ['jwt', 'at+jwt'],
      algorithms: ['RS256'],
      jwksUri: `${IDP}/jwks`,
      mapping: { defaultRole: 'viewer' },
      warnings: [],
      revision: expect.any(Number),
    });
    expect(asked).toEqual([`${IDP}/.well-known/openid-configuration`]);
  });

  it('are told to gateways with the same revision', async () => {
    const { id, revision } = (await add({ ...BASE })).json();
    const [row] = (await fixture.iam.services.store.read((view) => view.feed.after(revision - 1, 1))) ?? [];
    expect(row).toMatchObject({
      revision,
      change: { kind: 'provider', id, provider: { id, workspaces: ['demo'], issuer: IDP, maxLifetimeSeconds: 86_400 } },
    });
  });

  it('are taken as they are described, without asking anyone, when the key set is named', async () => {
    const body = { ...BASE, jwksUri: `${IDP}/other`, typ: 'application/at+JWT', algorithms: ['ES256', 'EdDSA'] };
    expect((await add(body)).json()).toMatchObject({
      typ: ['at+jwt'],
      algorithms: ['ES256', 'EdDSA'],
      jwksUri: `${IDP}/other`,
    });
    expect(asked).toEqual([]);
  });

  it.each([
    [{ name: 'x', issuer: IDP }, /^400 BAD_REQUEST: audiences: /],
    [{ ...BASE, audiences: [] }, /^400 BAD_REQUEST: audiences: /],
    [{ ...BASE, algorithms: [] }, /^400 BAD_REQUEST: algorithms: /],
    [{ ...BASE, algorithms: ['HS256'] }, /^400 BAD_REQUEST: algorithms\.0: must be an asymmetric/],
    [{ ...BASE, algorithms: ['none'] }, /^400 BAD_REQUEST: algorithms\.0: must be an asymmetric/],
    [{ ...BASE, issuer: 'http://idp.example' }, /^400 BAD_REQUEST: issuer: must be an https URL/],
    [{ ...BASE, issuer: 'https://u:p@idp.example' }, /^400 BAD_REQUEST: issuer: must be an https URL/],
    [{ ...BASE, issuer: 'ftp://idp.example' }, /^400 BAD_REQUEST: issuer: must be a URL/],
    [{ ...BASE, jwksUri: 'http://idp.example/jwks' }, /^400 BAD_REQUEST: jwksUri: must be an https URL/],
    [{ ...BASE, workspaces: ['other'] }, /^400 BAD_REQUEST: workspaces: is not known/],
    [{ ...BASE, maxLifetimeSeconds: 1e9 }, /^400 BAD_REQUEST: maxLifetimeSeconds: is not known/],
    [{ ...BASE, mapping: { defaultRole: 'emperor' } }, /^400 BAD_REQUEST: mapping: names a role/],
    [
      { ...BASE, mapping: { roles: { path: 'role', values: { boss: 'emperor' } } } },
      /^400 BAD_REQUEST: mapping: names a role/,
    ],
    [
      {
        ...BASE,
        mapping: {
          attributes: [
            { jwtPath: 'a', attribute: 'x' },
            { jwtPath: 'b', attribute: 'ext_x' },
          ],
        },
      },
      /each attribute once/,
    ],
  ])('refuses %j', async (body, expected) => {
    expect(errorOf(await add(body))).toMatch(expected);
    expect((await fixture.send('GET', '/external-auth-providers', { token: fixture.owner })).json().items).toEqual([]);
  });

  it.each([
    ['with defaultRole', { defaultRole: 'admin' }],
    ['with roles', { roles: { path: 'role', values: { boss: 'owner' } } }],
    ['with a role of the workspace', { defaultRole: 'clerk' }],
  ])('never make administrators: %s', async (_, mapping) => {
    const grants = [{ permission: 'iam:manage' }];
    await fixture.send('PUT', '/roles/clerk', { token: fixture.owner, body: { grants } });
    expect(errorOf(await add({ ...BASE, mapping }))).toMatch(/^400 BAD_REQUEST: mapping: a role with iam:manage/);
  });

  it('keep their target roles from administering later, and from going', async () => {
    const grants = [{ permission: 'realtime:subscribe' }];
    await fixture.send('PUT', '/roles/guest', { token: fixture.owner, body: { grants } });
    await add({ ...BASE, mapping: { roles: { path: 'role', values: { guest: 'guest' } } } });
    const raise = { token: fixture.owner, body: { grants: [{ permission: 'iam:manage' }] } };
    expect(errorOf(await fixture.send('PUT', '/roles/guest', raise))).toMatch(/^409 CONFLICT: A provider maps/);
    expect((await fixture.send('DELETE', '/roles/guest', { token: fixture.owner })).statusCode).toBe(409);
  });

  it.each([ISSUER, `${ISSUER}/`, 'https://RT.example', 'https://rt.example:443'])(
    'are never we ourselves: %s',
    async (issuer) => {
      expect(errorOf(await add({ ...BASE, issuer, jwksUri: `${IDP}/jwks` }))).toMatch(
        /^409 CONFLICT: issuer: is this service/,
      );
    },
  );

  it('are known once in a workspace; another workspace may know them too', async () => {
    await add(BASE);
    expect(errorOf(await add({ ...BASE, issuer: `${IDP}/` }))).toMatch(/^409 CONFLICT: issuer: is a provider/);
    const other = await fixture.memberWith('owner', 'otto', 'other');
    expect((await add(BASE, other, 'other')).statusCode).toBe(201);
  });

  it.each([
    ['another issuer', { issuer: 'https://evil.example', jwks_uri: `${IDP}/jwks` }, 'issuer_mismatch'],
    ['no key set', { issuer: IDP }, 'jwks_uri_missing'],
    ['no JSON', '<html>', 'not_json'],
    ['nothing', undefined, 'status_not_200'],
    ['a private address', new OutboundError('address_refused'), 'address_refused'],
  ])('are refused when their configuration names %s', async (_, document, reason) => {
    served.set(`${IDP}/.well-known/openid-configuration`, document);
    if (document === undefined) served.delete(`${IDP}/.well-known/openid-configuration`);
    expect(errorOf(await add(BASE))).toMatch(
      new RegExp(`^400 BAD_REQUEST: issuer: its OpenID configuration .*${reason}`),
    );
  });

  it('cannot lead to plain http by their configuration', async () => {
    served.set(`${IDP}/.well-known/openid-configuration`, { issuer: IDP, jwks_uri: 'http://169.254.169.254/keys' });
    expect(errorOf(await add(BASE))).toMatch(/^400 BAD_REQUEST: jwksUri: must be an https URL/);
  });

  it('are tested and refreshed', async () => {
    const { id } = (await add(BASE)).json();
    expect((await act(id, 'test')).json()).toEqual({
      ok: true,
      steps: [
        { step: 'discovery', ok: true },
        { step: 'key-set', ok: true, keys: [{ kid: 'k1', alg: 'RS256' }] },
      ],
    });
    expect((await act(id, 'refresh-keys')).json()).toMatchObject({ keys: 1, revision: expect.any(Number) });
    served.set(`${IDP}/jwks`, { keys: [] });
    expect((await act(id, 'test')).json()).toMatchObject({
      ok: false,
      steps: [{}, { ok: false, reason: 'jwks_empty' }],
    });
    expect(errorOf(await act(id, 'refresh-keys'))).toMatch(/^400 BAD_REQUEST: jwksUri: .*jwks_empty/);
  });

  it('of another workspace are not found', async () => {
    const { id } = (await add(BASE)).json();
    const foreign = { token: await fixture.memberWith('owner', 'otto', 'other'), workspace: 'other' };
    expect((await act(id, 'test', foreign)).statusCode).toBe(404);
    expect((await act(id, 'refresh-keys', foreign)).statusCode).toBe(404);
    expect((await fixture.send('GET', `/external-auth-providers/${id}`, foreign)).statusCode).toBe(404);
    expect((await fixture.send('DELETE', `/external-auth-providers/${id}`, foreign)).statusCode).toBe(404);
    const member = { ...foreign, body: { roles: ['viewer'], provider: id } };
    expect((await fixture.send('PUT', '/members/fred', member)).statusCode).toBe(400);
    expect((await fixture.send('GET', '/external-auth-providers', foreign)).json().items).toEqual([]);
  });
});

describe('users of a provider', () => {
  it('administer only as members with the right, and their tokens name iam:manage', async () => {
    const { id } = (await add({ ...BASE, mapping: { defaultRole: 'developer' } })).json();
    const token = await foreignToken();
    expect(errorOf(await fixture.send('GET', '/roles', { token }))).toMatch(/^403 FORBIDDEN/);
    await fixture.send('PUT', '/members/fred', { token: fixture.owner, body: { roles: ['admin'], provider: id } });
    expect((await fixture.send('GET', '/roles', { token })).statusCode).toBe(200);
    const without = await foreignToken({ scope: 'openid' });
    expect((await fixture.send('GET', '/roles', { token: without })).statusCode).toBe(403);
    // Another workspace does not know the issuer, whatever the token claims.
    const elsewhere = await foreignToken({ workspaces: ['other', 'demo'] });
    expect(errorOf(await fixture.send('GET', '/roles', { token: elsewhere, workspace: 'other' }))).toMatch(
      /^403 WORKSPACE_MISMATCH/,
    );
  });

  it('are other principals than our own users of the same sub', async () => {
    const { id } = (await add({ ...BASE, mapping: { defaultRole: 'viewer' } })).json();
    await fixture.memberWith('owner', 'fred');
    expect((await fixture.send('GET', '/roles', { token: await foreignToken() })).statusCode).toBe(403);
    await fixture.send('POST', '/revocations', { token: fixture.owner, body: { sub: 'fred' } });
    await fixture.send('PUT', '/members/fred', { token: fixture.owner, body: { roles: ['admin'], provider: id } });
    // The revocation was of our own fred.
    expect((await fixture.send('GET', '/roles', { token: await foreignToken() })).statusCode).toBe(200);
    await fixture.send('POST', '/revocations', { token: fixture.owner, body: { sub: 'fred', provider: id } });
    expect((await fixture.send('GET', '/roles', { token: await foreignToken() })).statusCode).toBe(401);
  });

  it('still enter by a mapped role when their membership goes, and DELETE says so', async () => {
    const { id } = (await add({ ...BASE, mapping: { defaultRole: 'viewer' } })).json();
    await fixture.send('PUT', '/members/fred', { token: fixture.owner, body: { roles: ['developer'], provider: id } });
    const removed = await fixture.send('DELETE', `/members/fred?provider=${id}`, { token: fixture.owner });
    expect(removed.json()).toMatchObject({ stillAdmittedBy: 'viewer', warnings: [expect.stringContaining('block')] });
  });

  it('are shut out at once when their provider goes, unless one is the last owner', async () => {
    const { id } = (await add(BASE)).json();
    const body = { roles: ['owner'], provider: id };
    await fixture.send('PUT', '/members/fred', { token: fixture.owner, body });
    const token = await foreignToken();
    expect((await fixture.send('DELETE', '/members/olga', { token })).statusCode).toBe(200);
    const path = `/external-auth-providers/${id}`;
    expect(errorOf(await fixture.send('DELETE', path, { token }))).toMatch(/^409 CONFLICT: This is the last owner/);
    const owner = await fixture.memberWith('owner', 'olga');
    expect((await fixture.send('DELETE', path, { token: owner })).statusCode).toBe(200);
    expect(errorOf(await fixture.send('GET', '/roles', { token }))).toMatch(/^401 INVALID_TOKEN/);
  });

  it('do not count as owners once their provider has gone', async () => {
    const { id } = (await add(BASE)).json();
    const body = { roles: ['owner'], provider: id };
    await fixture.send('PUT', '/members/fred', { token: fixture.owner, body });
    await fixture.send('DELETE', `/external-auth-providers/${id}`, { token: fixture.owner });
    const last = await fixture.send('DELETE', '/members/olga', { token: fixture.owner });
    expect(errorOf(last)).toMatch(/^409 CONFLICT: This is the last owner/);
  });

  it('that are owners keep an admin from taking their provider away', async () => {
    const { id } = (await add(BASE)).json();
    const path = `/external-auth-providers/${id}`;
    const put = (roles: string[]) =>
      fixture.send('PUT', '/members/fred', { token: fixture.owner, body: { roles, provider: id } });
    await put(['owner']);
    expect((await fixture.send('DELETE', path, { token: fixture.admin })).statusCode).toBe(403);
    await put(['developer']);
    expect((await fixture.send('DELETE', path, { token: fixture.admin })).statusCode).toBe(200);
  });

  it('tokens are refused when their keys cannot be had: an outage of ours', async () => {
    served.set(`${IDP}/jwks`, new OutboundError('timeout'));
    await add(BASE);
    const response = await fixture.send('GET', '/roles', { token: await foreignToken() });
    expect(errorOf(response)).toMatch(/^503 AUTH_ERROR/);
    expect(response.headers['retry-after']).toMatch(/^\d+$/);
  });
});
