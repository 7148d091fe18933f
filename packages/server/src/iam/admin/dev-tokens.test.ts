import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AdminFixture, errorOf, openAdmin } from './admin.fixture.ts';

let fixture: AdminFixture;
beforeAll(async () => {
  fixture = await openAdmin();
});
afterAll(() => fixture.close());

const make = (body: unknown, token = fixture.owner) => fixture.send('POST', '/dev-tokens', { token, body });
const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString());

describe('dev tokens', () => {
  it('are not there unless the operator allows them', async () => {
    const production = await openAdmin({ devTokens: false });
    const response = await production.send('POST', '/dev-tokens', { token: production.owner, body: { sub: 'ann' } });
    expect(errorOf(response)).toMatch(/^404 NOT_FOUND/);
    await production.close();
  });

  it('name this workspace alone, the client centrali-dev, and live an hour', async () => {
    const response = await make({ sub: 'ann' });
    expect(response.statusCode).toBe(201);
    const { token, expiresAt, revision } = response.json();
    expect(claimsOf(token)).toMatchObject({ sub: 'ann', client_id: 'centrali-dev', workspaces: ['demo'] });
    expect(claimsOf(token).scope).toBeUndefined();
    expect(Date.parse(expiresAt)).toBe(fixture.now() + 3600_000);
    expect(revision).toBeUndefined();
    const ann = await fixture.send('GET', '/members/ann', { token: fixture.owner });
    expect(ann.statusCode).toBe(404);
  });

  it('make the member with role, beside the roles that it has', async () => {
    const { revision } = (await make({ sub: 'bob', role: 'viewer' })).json();
    expect(revision).toBeGreaterThan(0);
    await make({ sub: 'bob', role: 'developer' });
    const bob = (await fixture.send('GET', '/members/bob', { token: fixture.owner })).json();
    expect(bob.roles).toEqual(['viewer', 'developer']);
    // Nothing changes a second time.
    expect((await make({ sub: 'bob', role: 'developer' })).json().revision).toBeUndefined();
  });

  it.each([
    [{ sub: 'x', ttl: 86_401 }, /^400 BAD_REQUEST: ttl: /],
    [{ sub: 'x', ttl: 0 }, /^400 BAD_REQUEST: ttl: /],
    [{ sub: 'ci_0123' }, /^400 BAD_REQUEST: sub: /],
    [{ sub: '' }, /^400 BAD_REQUEST: sub: /],
    [{}, /^400 BAD_REQUEST: sub: /],
    [{ sub: 'x', role: 'emperor' }, /^400 BAD_REQUEST: roles?: names a role/],
    [{ sub: 'x', scope: 'iam:manage' }, /^400 BAD_REQUEST: scope: is not known/],
    [{ sub: 'x', provider: 'pr_1' }, /^400 BAD_REQUEST: provider: /],
    ...['iss', 'aud', 'exp', 'sub', 'jti', 'scope', 'workspaces', 'client_id', 'cred', 'cnf', 'sid', 'ext_team'].map(
      (name): [unknown, RegExp] => [{ sub: 'x', claims: { [name]: 'y' } }, /^400 BAD_REQUEST: claims: /],
    ),
    [{ sub: 'x', claims: { big: 'x'.repeat(3000) } }, /^400 BAD_REQUEST: claims: /],
    [{ sub: 'x', claims: 'y' }, /^400 BAD_REQUEST: claims: /],
  ])('refuses %j', async (body, expected) => {
    expect(errorOf(await make(body))).toMatch(expected);
  });

  it('carry further claims', async () => {
    const { token } = (
      await make({ sub: 'ann', claims: { team: 'Zürich ✓', 'https://x.example/y': { a: [1] } } })
    ).json();
    expect(claimsOf(token)).toMatchObject({ team: 'Zürich ✓', 'https://x.example/y': { a: [1] } });
  });

  it('administer only when the role that was asked for does, and never make another', async () => {
    const { token } = (await make({ sub: 'deputy', role: 'admin' })).json();
    expect((await fixture.send('GET', '/roles', { token })).statusCode).toBe(200);
    expect(errorOf(await make({ sub: 'x' }, token))).toMatch(/^403 FORBIDDEN: A dev token never makes another/);
    const plain = (await make({ sub: 'deputy' })).json().token;
    expect((await fixture.send('GET', '/roles', { token: plain })).statusCode).toBe(403);
  });

  it('are for nobody above the caller, by role or as they are', async () => {
    const above = /^403 FORBIDDEN: This goes beyond your own permissions/;
    expect(errorOf(await make({ sub: 'eve', role: 'owner' }, fixture.admin))).toMatch(above);
    expect(errorOf(await make({ sub: 'olga' }, fixture.admin))).toMatch(above);
    expect(errorOf(await make({ sub: 'olga', role: 'viewer' }, fixture.admin))).toMatch(above);
    expect((await make({ sub: 'eve', role: 'admin' }, fixture.admin)).statusCode).toBe(201);
  });

  it('do not lift a block by the way', async () => {
    await fixture.send('PUT', '/members/bad', { token: fixture.owner, body: { roles: [], blocked: true } });
    expect(errorOf(await make({ sub: 'bad', role: 'viewer' }))).toMatch(/^409 CONFLICT/);
    const bad = (await fixture.send('GET', '/members/bad', { token: fixture.owner })).json();
    expect(bad).toMatchObject({ blocked: true, roles: [] });
  });

  it('leave a row with both principals, and without the token', async () => {
    const { token } = (await make({ sub: 'seen', ttl: 60, claims: { note: 'canary' } })).json();
    const { items } = (await fixture.send('GET', '/audit-log?kind=token&limit=500', { token: fixture.owner })).json();
    expect(items.at(-1)).toMatchObject({
      action: 'dev-token.impersonate',
      sub: 'olga',
      target: 'seen',
      detail: {
        impersonated: { provider: 'centrali', kind: 'user', sub: 'seen' },
        issued: claimsOf(token).jti,
        ttl: 60,
      },
    });
    expect(JSON.stringify(items)).not.toContain(token.split('.')[2]);
    expect(JSON.stringify(items)).not.toContain('canary');
    expect(fixture.logged.join()).not.toContain(token.split('.')[2]);
  });
});
