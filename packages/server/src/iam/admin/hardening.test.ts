/** Attacks on the administration, one test each, beside those that the tests of each route hold. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type AdminFixture, errorOf, openAdmin } from './admin.fixture.ts';

let fixture: AdminFixture;
beforeEach(async () => {
  fixture = await openAdmin();
});
afterEach(() => fixture.close());

const put = (path: string, body: unknown, token = fixture.owner) => fixture.send('PUT', path, { token, body });
const membersOf = async (token = fixture.owner): Promise<Record<string, string[]>> => {
  const { items } = (await fixture.send('GET', '/members?limit=500', { token })).json();
  return Object.fromEntries(items.map(({ sub, roles }: { sub: string; roles: string[] }) => [sub, roles]));
};

it('two owners who remove each other at once leave one (CWE-362)', async () => {
  const second = await fixture.memberWith('owner', 'oscar');
  const answers = await Promise.all([
    fixture.send('DELETE', '/members/oscar', { token: fixture.owner }),
    fixture.send('DELETE', '/members/olga', { token: second }),
  ]);
  const codes = answers.map(({ statusCode }) => statusCode).sort((a, b) => a - b);
  expect(codes[0]).toBe(200);
  expect(codes[1]).toBeGreaterThanOrEqual(403);
  const owners = await fixture.iam.services.store.read((view) => view.members.withRole('demo', 'owner'));
  expect(owners).toHaveLength(1);
});

it('many owners who all step down at once leave one (CWE-362)', async () => {
  const tokens = [fixture.owner];
  for (let i = 0; i < 5; i++) tokens.push(await fixture.memberWith('owner', `o${i}`));
  const names = ['olga', 'o0', 'o1', 'o2', 'o3', 'o4'];
  await Promise.all(names.map((name, i) => put(`/members/${name}`, { roles: ['viewer'] }, tokens[i])));
  const owners = await fixture.iam.services.store.read((view) => view.members.withRole('demo', 'owner'));
  expect(owners).toHaveLength(1);
});

it('an admin who is demoted between the check and the change changes nothing (CWE-367)', async () => {
  const { services } = fixture.iam;
  const { authorityOf } = await import('./authority.ts');
  const actor = { provider: 'centrali', kind: 'user', sub: 'adam' } as const;
  const caller = { workspace: 'demo', principal: actor, mappedRoles: [], clientId: undefined, actor };
  await expect(services.store.read((view) => authorityOf(view, caller))).resolves.toBeDefined();
  await put('/members/adam', { roles: ['viewer'] });
  await expect(services.store.transaction((tx) => authorityOf(tx, caller))).rejects.toMatchObject({
    code: 'FORBIDDEN',
    reason: 'permission_gone',
  });
  await put('/members/adam', { roles: ['admin'], blocked: true });
  await expect(services.store.transaction((tx) => authorityOf(tx, caller))).rejects.toMatchObject({
    code: 'FORBIDDEN',
  });
});

it('a mapped role hands out nothing of iam:manage, even if it came to hold it (confused deputy)', async () => {
  const { services } = fixture.iam;
  const { authorityOf } = await import('./authority.ts');
  const actor = { provider: 'pr_1', kind: 'user', sub: 'fred' } as const;
  const caller = { workspace: 'demo', principal: actor, mappedRoles: ['owner'], clientId: undefined, actor };
  await expect(services.store.read((view) => authorityOf(view, caller))).rejects.toMatchObject({ code: 'FORBIDDEN' });
});

it('wildcards of LIKE in a role name reach no other role (CWE-89)', async () => {
  for (const name of ['r_1', 'rx1']) await put(`/roles/${name}`, { grants: [{ permission: 'realtime:subscribe' }] });
  await put('/members/ann', { roles: ['r_1'] });
  await put('/members/bob', { roles: ['rx1'] });
  await fixture.send('DELETE', '/roles/r_1', { token: fixture.owner });
  expect(await membersOf()).toMatchObject({ ann: [], bob: ['rx1'] });
});

it('SQL in a filter of the audit log is a value like any other (CWE-89)', async () => {
  for (const value of ["' OR '1'='1", '%', '_', "'; DROP TABLE audit; --", '"']) {
    const query = new URLSearchParams({ sub: value, code: value }).toString();
    const response = await fixture.send('GET', `/audit-log?${query}`, { token: fixture.owner });
    expect(response.json().items).toEqual([]);
  }
  expect((await fixture.send('GET', '/audit-log', { token: fixture.owner })).json().items.length).toBeGreaterThan(0);
});

it('a cursor of SQL, of other types or of another list opens nothing (CWE-89)', async () => {
  const cursors = [["' OR 1=1 --", 'x'], [null, null], [{}], 'x', { a: 1 }, [1, 2], []];
  for (const cursor of cursors) {
    const after = Buffer.from(JSON.stringify(cursor)).toString('base64url');
    for (const list of [
      'members',
      'service-accounts',
      'revocations',
      'audit-log',
      'roles',
      'external-auth-providers',
    ]) {
      const response = await fixture.send('GET', `/${list}?after=${after}`, { token: fixture.owner });
      expect([200, 400, 404]).toContain(response.statusCode);
    }
  }
});

it('names of prototypes are no roles, permissions or members (CWE-1321)', async () => {
  for (const name of ['constructor', 'toString', 'hasOwnProperty']) {
    expect((await put('/members/ann', { roles: [name] })).statusCode).toBe(400);
    expect((await put(`/members/${name}`, { roles: ['viewer'] })).json()).toMatchObject({ sub: name });
  }
  expect((await put('/members/__proto__', { roles: ['viewer'] })).json()).toMatchObject({ sub: '__proto__' });
  expect(errorOf(await put('/members/ann', '{"roles":[],"constructor":{}}'))).toMatch(/^400 BAD_REQUEST/);
});

it('an admin raises itself by none of the ways that end in more rights (CWE-269)', async () => {
  const { admin } = fixture;
  const before = await membersOf();
  const attempts = [
    put('/members/adam', { roles: ['owner'] }, admin),
    put('/roles/mine', { grants: [{ permission: 'realtime:publish-as' }] }, admin),
    fixture.send('POST', '/dev-tokens', { token: admin, body: { sub: 'adam', role: 'owner' } }),
    fixture.send('POST', '/dev-tokens', { token: admin, body: { sub: 'olga' } }),
    fixture.send('POST', '/service-accounts', { token: admin, body: { name: 'x', role: 'owner' } }),
  ];
  for (const attempt of attempts) expect((await attempt).statusCode).toBe(403);
  expect(await membersOf()).toEqual(before);
});

it('refusals change nothing: no revision, no row in the feed (CWE-696)', async () => {
  const head = () => fixture.iam.services.store.read((view) => view.feed.head());
  const { revision } = await head();
  await put('/members/adam', { roles: ['owner'] }, fixture.admin);
  await put('/members/olga', { roles: [] });
  await put('/roles/x', { grants: [{ permission: 'realtime:subscribe', filter: '((' }] });
  await fixture.send('DELETE', '/members/olga', { token: fixture.owner });
  expect((await head()).revision).toBe(revision);
});

it('no token, secret or key stands in a log line, an audit row or an error (CWE-532)', async () => {
  const made = await fixture.send('POST', '/service-accounts', {
    token: fixture.owner,
    body: { name: 'w', role: 'viewer' },
  });
  const { id, clientSecret } = made.json();
  const rotated = (await fixture.send('POST', `/service-accounts/${id}/rotate`, { token: fixture.owner })).json();
  const dev = (await fixture.send('POST', '/dev-tokens', { token: fixture.owner, body: { sub: 'ann' } })).json().token;
  const canary = 'canary-0123456789';
  const answers = [
    await fixture.send('POST', '/access/explain', { token: fixture.owner, body: { token: `${dev}${canary}` } }),
    await fixture.send('POST', '/access/explain', { token: fixture.owner, body: { token: [canary] } }),
    await put(`/service-accounts/${id}/keys`, { jwks: { keys: [{ kty: 'oct', k: canary }] } }),
    await put('/members/ann', { roles: [], [canary.replaceAll('-', ' ')]: canary }),
    await fixture.send('GET', `/roles?access_token=${canary}`, { token: fixture.owner }),
    await fixture.send('GET', '/roles', { token: canary }),
  ];
  await fixture.iam.services.audit.flush();
  const rows = await fixture.iam.services.store.read((view) => view.audit.list({ workspace: 'demo', limit: 1000 }));
  const kept = [JSON.stringify(rows), fixture.logged.join('\n'), ...answers.map(({ body }) => body)].join('\n');
  for (const secret of [clientSecret, rotated.clientSecret, dev, dev.split('.')[2], fixture.owner, canary]) {
    expect(kept).not.toContain(secret);
  }
});
