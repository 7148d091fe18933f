import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AdminFixture, errorOf, openAdmin } from '../admin/admin.fixture.ts';

let fixture: AdminFixture;
beforeAll(async () => {
  fixture = await openAdmin();
  const { owner: token } = fixture;
  for (const sub of ['ann', 'bob'])
    await fixture.send('PUT', `/members/${sub}`, { token, body: { roles: ['viewer'] } });
  await fixture.iam.decisions.record([
    { at: fixture.now(), kind: 'connect', workspace: 'demo', provider: 'centrali', sub: 'ann', connectionId: 'c1' },
    {
      at: fixture.now(),
      kind: 'refuse',
      workspace: 'demo',
      provider: 'centrali',
      sub: 'bob',
      code: 'FORBIDDEN',
      reason: 'no_role',
    },
    { at: fixture.now(), kind: 'connect', workspace: 'other', provider: 'centrali', sub: 'ann' },
  ]);
  await fixture.iam.services.audit.flush();
});
afterAll(() => fixture.close());

const list = async (query: string): Promise<{ items: Record<string, unknown>[]; next: string | null }> =>
  (await fixture.send('GET', `/audit-log${query}`, { token: fixture.owner })).json();

describe('the audit log', () => {
  it('is filtered by kind, code and principal', async () => {
    expect((await list('?kind=connect')).items).toMatchObject([{ sub: 'ann', connectionId: 'c1', count: 1 }]);
    expect((await list('?code=FORBIDDEN')).items).toMatchObject([{ kind: 'refuse', reason: 'no_role', sub: 'bob' }]);
    expect((await list('?sub=ann')).items).toHaveLength(1);
    expect((await list('?sub=ann&kind=refuse')).items).toEqual([]);
  });

  it('is read in pages, and on from its end by the last seq', async () => {
    const all = (await list('?limit=500')).items;
    const first = await list('?limit=2');
    const rest = await list(`?limit=500&after=${first.next}`);
    expect([...first.items, ...rest.items]).toEqual(all);
    expect(rest.next).toBeNull();
    expect((await list(`?after=${String(all.at(-1)?.seq)}`)).items).toEqual([]);
  });

  it('never shows another workspace', async () => {
    const { items } = await list('?limit=500');
    expect(items.filter(({ kind }) => kind === 'connect')).toHaveLength(1);
    expect(JSON.stringify(items)).not.toContain('other');
  });

  it.each(['?kind=nonsense', '?sub=', '?after=!', '?workspace=other', `?code=${'x'.repeat(300)}`])(
    'refuses %s',
    async (query) => {
      const response = await fixture.send('GET', `/audit-log${query}`, { token: fixture.owner });
      expect(errorOf(response)).toMatch(/^400 BAD_REQUEST: /);
    },
  );
});

describe('refusals of the administration', () => {
  const rows = async (query: string) => {
    await fixture.iam.services.audit.flush();
    return (await list(query)).items;
  };

  it('name a verified principal, and what it tried', async () => {
    const viewer = await fixture.memberWith('viewer', 'vera');
    await fixture.send('GET', '/roles', { token: viewer });
    await fixture.send('PUT', '/members/eve', { token: fixture.admin, body: { roles: ['owner'] } });
    const refused = await rows('?kind=refuse&code=FORBIDDEN&limit=500');
    expect(refused).toContainEqual(
      expect.objectContaining({
        sub: 'vera',
        action: 'administer',
        reason: 'permission_missing',
        address: '192.0.2.1',
      }),
    );
    expect(refused).toContainEqual(
      expect.objectContaining({ sub: 'adam', action: 'PUT members/:sub', reason: 'above_own_permissions' }),
    );
  });

  it('are summed where nobody was verified, and show no principal of another workspace', async () => {
    const otto = await fixture.memberWith('owner', 'otto', 'other');
    for (let i = 0; i < 3; i++) await fixture.send('GET', '/roles', { token: otto });
    for (let i = 0; i < 4; i++) await fixture.send('GET', '/roles');
    const mismatch = await rows('?code=WORKSPACE_MISMATCH');
    expect(mismatch).toMatchObject([{ kind: 'refuse', count: 3, reason: 'workspace_not_named' }]);
    expect(JSON.stringify(mismatch)).not.toContain('otto');
    expect(await rows('?code=MISSING_TOKEN')).toMatchObject([{ count: 4 }]);
  });

  it('of workspaces that there are not leave nothing', async () => {
    await fixture.send('GET', '/roles', { workspace: 'nowhere' });
    await fixture.send('GET', '/roles', { workspace: 'No%20Where' });
    await fixture.iam.services.audit.flush();
    const kept = await fixture.iam.services.store.read((view) => view.audit.list({ workspace: 'nowhere', limit: 9 }));
    expect(kept).toEqual([]);
  });
});
