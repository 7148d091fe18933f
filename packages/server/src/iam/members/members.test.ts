import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AdminFixture, errorOf, openAdmin } from '../admin/admin.fixture.ts';

let fixture: AdminFixture;
beforeAll(async () => {
  fixture = await openAdmin();
});
afterAll(() => fixture.close());

const put = (sub: string, body: unknown, token = fixture.owner) =>
  fixture.send('PUT', `/members/${encodeURIComponent(sub)}`, { token, body });
const remove = (sub: string, token = fixture.owner) =>
  fixture.send('DELETE', `/members/${encodeURIComponent(sub)}`, { token });
const get = (sub: string) => fixture.send('GET', `/members/${encodeURIComponent(sub)}`, { token: fixture.owner });

describe('members', () => {
  it('are made, read, changed and removed; each change has its revision', async () => {
    const made = (await put('ann', { roles: ['viewer', 'viewer'] })).json();
    expect(made).toMatchObject({ sub: 'ann', provider: 'centrali', kind: 'user', roles: ['viewer'], blocked: false });
    const changed = (await put('ann', { roles: ['developer'], blocked: true })).json();
    expect(changed.revision).toBeGreaterThan(made.revision);
    expect(changed.createdAt).toBe(made.createdAt);
    expect((await get('ann')).json()).toMatchObject({ roles: ['developer'], blocked: true });
    const removed = (await remove('ann')).json();
    expect(removed).toMatchObject({ stillAdmittedBy: null, warnings: [] });
    expect(removed.revision).toBeGreaterThan(changed.revision);
    expect((await get('ann')).statusCode).toBe(404);
    expect((await remove('ann')).statusCode).toBe(404);
  });

  it('leave a row in the audit log and a change in the feed, of the same revision', async () => {
    const { revision } = (await put('audited', { roles: ['viewer'] })).json();
    const rows = await fixture.iam.services.store.read((view) => view.audit.list({ workspace: 'demo', limit: 500 }));
    expect(rows.find((row) => row.revision === revision)).toMatchObject({
      kind: 'change',
      action: 'member.put',
      target: 'audited',
      sub: 'olga',
      principalKind: 'user',
      address: '192.0.2.1',
      detail: { roles: ['viewer'], blocked: false, before: null },
    });
    const feed = await fixture.iam.services.store.read((view) => view.feed.after(revision - 1, 1));
    expect(feed).toEqual([
      { revision, change: { kind: 'member', workspace: 'demo', provider: 'centrali', sub: 'audited' } },
    ]);
  });

  it.each([
    'auth0|5f7c/x',
    'ann@example.com',
    'ä'.repeat(127),
    "Robert'); DROP TABLE members;--",
    '%2e',
    '<b>',
    '?&#',
    'a b',
  ])('may be called %s', async (sub) => {
    expect((await put(sub, { roles: ['viewer'] })).json()).toMatchObject({ sub });
    expect((await get(sub)).json()).toMatchObject({ sub });
    expect((await remove(sub)).statusCode).toBe(200);
  });

  it.each(['x'.repeat(256), 'ä'.repeat(128), 'a\nb', 'a\u0000b', 'a\u0085b', 'ci_0123'])(
    'may not be called %j',
    async (sub) => {
      expect(errorOf(await put(sub, { roles: [] }))).toMatch(/^400 BAD_REQUEST: sub: /);
    },
  );

  it('refuses a path that does not decode', async () => {
    const response = await fixture.send('PUT', '/members/%ff', { token: fixture.owner, body: { roles: [] } });
    expect(response.statusCode).toBe(400);
  });

  it('are listed in pages that neither skip nor repeat', async () => {
    for (let i = 0; i < 7; i++) await put(`page-${i}`, { roles: [] });
    const seen: string[] = [];
    let after = '';
    for (let pages = 0; ; pages++) {
      const { items, next } = (await fixture.send('GET', `/members?limit=3${after}`, { token: fixture.owner })).json();
      expect(items.length).toBeLessThanOrEqual(3);
      seen.push(...items.map(({ sub }: { sub: string }) => sub));
      if (next === null) break;
      // The row that the cursor names goes: the next page begins after it all the same.
      if (pages === 0) await remove(items.at(-1).sub === 'adam' ? 'page-0' : items.at(-1).sub);
      after = `&after=${next}`;
    }
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.filter((sub) => sub.startsWith('page-')).length).toBeGreaterThanOrEqual(6);
  });

  it('need roles that exist', async () => {
    expect(errorOf(await put('ann', { roles: ['viewer', 'emperor'] }))).toMatch(
      /^400 BAD_REQUEST: roles: names a role/,
    );
  });

  it('need a provider that vouches for this workspace', async () => {
    const unknown = await fixture.send('PUT', '/members/x?provider=pr_00', {
      token: fixture.owner,
      body: { roles: [] },
    });
    expect(errorOf(unknown)).toMatch(/^400 BAD_REQUEST: provider: is not known/);
    const twice = await fixture.send('PUT', '/members/x?provider=pr_00', {
      token: fixture.owner,
      body: { roles: [], provider: 'centrali' },
    });
    expect(errorOf(twice)).toMatch(/^400 BAD_REQUEST: provider: is given twice/);
  });
});

describe('nobody goes above their own permissions', () => {
  it.each([
    ['makes an owner', () => put('eve', { roles: ['owner'] }, fixture.admin)],
    ['makes itself an owner', () => put('adam', { roles: ['admin', 'owner'] }, fixture.admin)],
    ['takes the role of an owner', () => put('olga', { roles: ['viewer'] }, fixture.admin)],
    ['blocks an owner', () => put('olga', { roles: ['owner'], blocked: true }, fixture.admin)],
    ['removes an owner', () => remove('olga', fixture.admin)],
  ])('an admin that %s is FORBIDDEN', async (_, attempt) => {
    expect(errorOf(await attempt())).toMatch(/^403 FORBIDDEN: This goes beyond your own permissions/);
    expect((await get('olga')).json()).toMatchObject({ roles: ['owner'], blocked: false });
  });

  it('an admin cannot unblock an owner either', async () => {
    await put('blocked-owner', { roles: ['owner'], blocked: true });
    expect((await put('blocked-owner', { roles: ['viewer'] }, fixture.admin)).statusCode).toBe(403);
    expect((await remove('blocked-owner', fixture.admin)).statusCode).toBe(403);
    await remove('blocked-owner');
  });

  it('an admin makes admins and below', async () => {
    for (const role of ['admin', 'developer', 'viewer']) {
      expect((await put('made', { roles: [role] }, fixture.admin)).statusCode).toBe(200);
    }
  });

  it('whoever holds iam:manage by a narrow role hands out no more than that role holds', async () => {
    const roles = (name: string, grants: unknown) =>
      fixture.send('PUT', `/roles/${name}`, { token: fixture.owner, body: { grants } });
    await roles('clerk', [{ permission: 'iam:manage' }, { permission: 'realtime:subscribe', structures: ['order'] }]);
    await roles('orders', [{ permission: 'realtime:subscribe', structures: ['order'] }]);
    const clerk = await fixture.memberWith('clerk');
    expect((await put('ann', { roles: ['orders'] }, clerk)).statusCode).toBe(200);
    expect((await put('ann', { roles: ['viewer'] }, clerk)).statusCode).toBe(403);
    expect((await put('ann', { roles: [] }, clerk)).statusCode).toBe(200);
  });

  it('is judged on roles, not on the scope of the token', async () => {
    // The scope names iam:manage alone, yet the owner hands out realtime permissions.
    expect((await put('ann', { roles: ['developer'] })).statusCode).toBe(200);
  });
});

describe('the last owner', () => {
  it('cannot go, until there is another one', async () => {
    const own = await openAdmin();
    const { owner: token, send } = own;
    const conflict = /^409 CONFLICT: This is the last owner/;
    expect(errorOf(await send('DELETE', '/members/olga', { token }))).toMatch(conflict);
    expect(errorOf(await send('PUT', '/members/olga', { token, body: { roles: ['admin'] } }))).toMatch(conflict);
    const block = { roles: ['owner'], blocked: true };
    expect(errorOf(await send('PUT', '/members/olga', { token, body: block }))).toMatch(conflict);
    // A blocked owner does not count.
    await send('PUT', '/members/two', { token, body: block });
    expect(errorOf(await send('DELETE', '/members/olga', { token }))).toMatch(conflict);
    // Nor does a disabled service account; an enabled one does.
    const account = (await send('POST', '/service-accounts', { token, body: { name: 'o', role: 'owner' } })).json();
    await send('POST', `/service-accounts/${account.id}/disable`, { token });
    expect(errorOf(await send('DELETE', '/members/olga', { token }))).toMatch(conflict);
    await send('POST', `/service-accounts/${account.id}/enable`, { token });
    expect((await send('PUT', '/members/olga', { token, body: { roles: ['admin'] } })).statusCode).toBe(200);
    await own.close();
  });
});

describe('warnings', () => {
  it('tell of a grant without filter beside a filtered one', async () => {
    await fixture.send('PUT', '/roles/own-orders', {
      token: fixture.owner,
      body: { grants: [{ permission: 'realtime:subscribe', structures: ['order'], filter: 'data.owner:{sub}' }] },
    });
    expect((await put('ann', { roles: ['own-orders'] })).json().warnings).toEqual([]);
    expect((await put('ann', { roles: ['own-orders', 'viewer'] })).json().warnings).toEqual([
      expect.stringContaining('realtime:subscribe'),
    ]);
  });
});
