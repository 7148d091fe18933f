import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AdminFixture, errorOf, openAdmin } from './admin.fixture.ts';

let fixture: AdminFixture;
beforeAll(async () => {
  fixture = await openAdmin();
});
afterAll(() => fixture.close());

const create = (body: unknown, token = fixture.owner) => fixture.send('POST', '/service-accounts', { token, body });
const act = (id: number | string, verb: string, body?: unknown, token = fixture.owner) =>
  fixture.send('POST', `/service-accounts/${id}/${verb}`, { token, body });

describe('service accounts', () => {
  it('are made with a secret that is shown once', async () => {
    const response = await create({ name: 'worker', description: 'does', role: 'developer' });
    expect(response.statusCode).toBe(201);
    const made = response.json();
    expect(made).toMatchObject({ name: 'worker', description: 'does', role: 'developer', disabled: false });
    expect(made.clientId).toMatch(/^ci_[0-9a-f]{24}$/);
    expect(made.clientSecret).toMatch(/^sk_[0-9a-f]{64}$/);
    const read = await fixture.send('GET', `/service-accounts/${made.id}`, { token: fixture.owner });
    expect(read.json().credentials).toEqual([
      {
        cred: expect.stringMatching(/^cr_/),
        kind: 'secret',
        kid: null,
        createdAt: expect.any(String),
        validUntil: null,
      },
    ]);
    const list = await fixture.send('GET', '/service-accounts', { token: fixture.owner });
    const rows = await fixture.iam.services.store.read((view) => view.audit.list({ workspace: 'demo', limit: 500 }));
    for (const text of [read.body, list.body, JSON.stringify(rows), fixture.logged.join()]) {
      expect(text).not.toContain(made.clientSecret);
    }
  });

  it('have no role and no permission unless one is given', async () => {
    expect((await create({ name: 'bare' })).json().role).toBeNull();
  });

  it.each([
    [{}, /name/],
    [{ name: '' }, /^400 BAD_REQUEST: name: /],
    [{ name: 'x\ny' }, /^400 BAD_REQUEST: name: /],
    [{ name: 'x'.repeat(129) }, /^400 BAD_REQUEST: name: /],
    [{ name: 'x', role: 'emperor' }, /^400 BAD_REQUEST: role: names a role/],
    [{ name: 'x', scope: 'openid' }, /^400 BAD_REQUEST: scope: is not known/],
    [{ name: 'x', roles: ['viewer'] }, /^400 BAD_REQUEST: roles: is not known/],
  ])('refuses %j', async (body, expected) => {
    expect(errorOf(await create(body))).toMatch(expected);
  });

  it('are rotated with a grace', async () => {
    const made = (await create({ name: 'r', role: 'viewer' })).json();
    fixture.advance(1000);
    const rotated = (await act(made.id, 'rotate', { graceSeconds: 60 })).json();
    expect(rotated.clientSecret).not.toBe(made.clientSecret);
    expect(Date.parse(rotated.previousValidUntil)).toBe(fixture.now() + 60_000);
    const { credentials } = (
      await fixture.send('GET', `/service-accounts/${made.id}`, { token: fixture.owner })
    ).json();
    expect(credentials.map(({ validUntil }: { validUntil: string | null }) => validUntil)).toEqual([
      rotated.previousValidUntil,
      null,
    ]);
    // No body, and an empty one, mean no grace.
    expect((await act(made.id, 'rotate')).statusCode).toBe(200);
    expect((await act(made.id, 'rotate', {})).statusCode).toBe(200);
    for (const graceSeconds of [-1, 1.5, '60', 1e9]) {
      expect(errorOf(await act(made.id, 'rotate', { graceSeconds }))).toMatch(/^400 BAD_REQUEST: graceSeconds: /);
    }
  });

  it('are disabled, enabled and deleted', async () => {
    const { id } = (await create({ name: 'd', role: 'viewer' })).json();
    const off = (await act(id, 'disable')).json();
    expect((await fixture.send('GET', `/service-accounts/${id}`, { token: fixture.owner })).json().disabled).toBe(true);
    const on = (await act(id, 'enable')).json();
    expect(on.revision).toBeGreaterThan(off.revision);
    const gone = await fixture.send('DELETE', `/service-accounts/${id}`, { token: fixture.owner });
    expect(gone.json().revision).toBeGreaterThan(on.revision);
    expect((await act(id, 'enable')).statusCode).toBe(404);
    expect((await act(id, 'disable', { x: 1 })).statusCode).toBe(400);
  });

  it('take up to four public, asymmetric keys', async () => {
    const { id } = (await create({ name: 'k', role: 'viewer' })).json();
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwk = pair.publicKey.export({ format: 'jwk' });
    const put = (keys: unknown) =>
      fixture.send('PUT', `/service-accounts/${id}/keys`, { token: fixture.owner, body: { jwks: { keys } } });
    expect((await put([{ ...jwk, kid: 'a', use: 'sig', alg: 'ES256' }])).statusCode).toBe(200);
    const { credentials } = (await fixture.send('GET', `/service-accounts/${id}`, { token: fixture.owner })).json();
    expect(credentials).toContainEqual(expect.objectContaining({ kind: 'key', kid: 'a' }));
    const secret = pair.privateKey.export({ format: 'jwk' });
    const refused = await put([secret]);
    expect(errorOf(refused)).toMatch(/^400 BAD_REQUEST: .*public key/);
    expect(refused.body).not.toContain(secret.d);
    expect((await put([{ kty: 'oct', k: 'c2VjcmV0' }])).statusCode).toBe(400);
    expect((await put(Array.from({ length: 5 }, (_, index) => ({ ...jwk, kid: `k${index}` })))).statusCode).toBe(400);
    expect(
      (
        await put([
          { ...jwk, kid: 'same' },
          { ...jwk, kid: 'same' },
        ])
      ).statusCode,
    ).toBe(400);
    expect((await put([])).statusCode).toBe(200);
  });

  it.each(['0', '-1', 'x', '1e3', '99999999', '1;drop', `${2 ** 53}`])('know none called %s', async (id) => {
    expect((await act(id, 'rotate')).statusCode).toBe(404);
    expect((await fixture.send('GET', `/service-accounts/${id}`, { token: fixture.owner })).statusCode).toBe(404);
    expect((await fixture.send('DELETE', `/service-accounts/${id}`, { token: fixture.owner })).statusCode).toBe(404);
  });

  it('of another workspace are not found, and not touched', async () => {
    const { id } = (await create({ name: 'mine', role: 'viewer' })).json();
    const token = await fixture.memberWith('owner', 'otto', 'other');
    const foreign = { token, workspace: 'other' };
    for (const verb of ['rotate', 'disable', 'enable']) {
      expect((await fixture.send('POST', `/service-accounts/${id}/${verb}`, foreign)).statusCode).toBe(404);
    }
    expect((await fixture.send('GET', `/service-accounts/${id}`, foreign)).statusCode).toBe(404);
    expect((await fixture.send('DELETE', `/service-accounts/${id}`, foreign)).statusCode).toBe(404);
    const keys = { ...foreign, body: { jwks: { keys: [] } } };
    expect((await fixture.send('PUT', `/service-accounts/${id}/keys`, keys)).statusCode).toBe(404);
    expect((await fixture.send('GET', '/service-accounts', foreign)).json().items).toEqual([]);
  });

  it('above an admin give it neither secret nor key, and do not go', async () => {
    const { id } = (await create({ name: 'boss', role: 'owner' })).json();
    const { admin } = fixture;
    expect((await create({ name: 'eve', role: 'owner' }, admin)).statusCode).toBe(403);
    for (const verb of ['rotate', 'disable', 'enable'])
      expect((await act(id, verb, undefined, admin)).statusCode).toBe(403);
    const keys = await fixture.send('PUT', `/service-accounts/${id}/keys`, {
      token: admin,
      body: { jwks: { keys: [] } },
    });
    expect(keys.statusCode).toBe(403);
    expect((await fixture.send('DELETE', `/service-accounts/${id}`, { token: admin })).statusCode).toBe(403);
    expect((await create({ name: 'peer', role: 'admin' }, admin)).statusCode).toBe(201);
  });

  it('that are the last owner cannot go', async () => {
    const own = await openAdmin();
    const { send, owner: token } = own;
    const { id } = (await send('POST', '/service-accounts', { token, body: { name: 'o', role: 'owner' } })).json();
    const other = (await send('POST', '/service-accounts', { token, body: { name: 'p', role: 'owner' } })).json();
    // Olga steps down; the token keeps its rights of an admin, which are not enough for owners.
    const second = await own.memberWith('owner', 'second');
    await send('DELETE', '/members/olga', { token: second });
    await send('DELETE', `/service-accounts/${other.id}`, { token: second });
    expect((await send('DELETE', '/members/second', { token: second })).statusCode).toBe(200);
    const client = await own.iam.services.store.read((view) => view.accounts.get('demo', id));
    const credentials = await own.iam.services.store.read((view) => view.credentials.ofClient(client!.clientId));
    const issued = await own.iam.services.issueToken({
      sub: client!.clientId,
      clientId: client!.clientId,
      workspaces: ['demo'],
      scope: 'iam:manage',
      cred: credentials[0]!.cred,
      lifetimeSeconds: 600,
    });
    for (const attempt of [
      send('DELETE', `/service-accounts/${id}`, { token: issued.token }),
      send('POST', `/service-accounts/${id}/disable`, { token: issued.token }),
    ]) {
      expect(errorOf(await attempt)).toMatch(/^409 CONFLICT: This is the last owner/);
    }
    await own.close();
  });
});
