import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AdminFixture, errorOf, openAdmin } from '../admin/admin.fixture.ts';
import { beyond, covers, shadowed } from './cover.ts';

let fixture: AdminFixture;
beforeAll(async () => {
  fixture = await openAdmin();
});
afterAll(() => fixture.close());

const put = (name: string, grants: unknown, token = fixture.owner) =>
  fixture.send('PUT', `/roles/${name}`, { token, body: { grants } });
const SUBSCRIBE = { permission: 'realtime:subscribe' } as const;

describe('covers', () => {
  it.each([
    [{ ...SUBSCRIBE }, { ...SUBSCRIBE, structures: ['a'] }, true],
    [{ ...SUBSCRIBE, structures: [] }, { ...SUBSCRIBE }, true],
    [{ ...SUBSCRIBE, structures: ['a'] }, { ...SUBSCRIBE }, false],
    [{ ...SUBSCRIBE, structures: ['a'] }, { ...SUBSCRIBE, structures: [] }, false],
    [{ ...SUBSCRIBE, structures: ['a', 'b'] }, { ...SUBSCRIBE, structures: ['b'] }, true],
    [{ ...SUBSCRIBE, structures: ['a'] }, { ...SUBSCRIBE, structures: ['a', 'b'] }, false],
    [{ ...SUBSCRIBE, events: ['record_created'] }, { ...SUBSCRIBE }, false],
    [{ ...SUBSCRIBE, filter: 'data.x:1' }, { ...SUBSCRIBE }, false],
    [{ ...SUBSCRIBE, filter: 'data.x:1' }, { ...SUBSCRIBE, filter: 'data.x:2' }, false],
    [{ ...SUBSCRIBE, filter: 'data.x:1' }, { ...SUBSCRIBE, filter: 'data.x:1', structures: ['a'] }, true],
    [{ ...SUBSCRIBE }, { permission: 'realtime:publish' as const }, false],
  ])('%j over %j is %s', (outer, inner, expected) => {
    expect(covers(outer, inner)).toBe(expected);
  });

  it('is asked of each held grant by itself', () => {
    const held = [
      { ...SUBSCRIBE, structures: ['a'] },
      { ...SUBSCRIBE, structures: ['b'] },
    ];
    expect(beyond(held, [{ ...SUBSCRIBE, structures: ['b'] }])).toBeUndefined();
    expect(beyond(held, [{ ...SUBSCRIBE, structures: ['c'] }])).toEqual({ ...SUBSCRIBE, structures: ['c'] });
    expect(beyond([], [])).toBeUndefined();
  });

  it('finds what a grant without filter makes idle', () => {
    const filtered = { ...SUBSCRIBE, structures: ['a'], filter: 'data.x:1' };
    expect(shadowed([filtered, { ...SUBSCRIBE, structures: ['b'] }])).toEqual([]);
    expect(shadowed([filtered, { ...SUBSCRIBE, structures: ['a', 'b'] }])).toEqual([filtered]);
    expect(shadowed([filtered, { permission: 'realtime:publish' }])).toEqual([]);
  });
});

describe('roles', () => {
  it('lists the built-in ones first, in pages', async () => {
    await put('aaa', []);
    const first = (await fixture.send('GET', '/roles?limit=3', { token: fixture.owner })).json();
    expect(first.items.map(({ name }: { name: string }) => name)).toEqual(['owner', 'admin', 'developer']);
    const rest = (await fixture.send('GET', `/roles?limit=3&after=${first.next}`, { token: fixture.owner })).json();
    expect(rest.items.map(({ name }: { name: string }) => name)).toEqual(['viewer', 'aaa']);
    expect(rest.next).toBeNull();
  });

  it('are made, changed and deleted', async () => {
    const grants = [{ ...SUBSCRIBE, structures: ['order', 'order'], events: [], filter: 'data.owner:{sub}' }];
    const made = (await put('orders', grants)).json();
    expect(made.grants).toEqual([{ ...SUBSCRIBE, structures: ['order'], filter: 'data.owner:{sub}' }]);
    expect(made).toMatchObject({ name: 'orders', builtIn: false, warnings: [] });
    const changed = (await put('orders', [])).json();
    expect(changed.revision).toBeGreaterThan(made.revision);
    const gone = await fixture.send('DELETE', '/roles/orders', { token: fixture.owner });
    expect(gone.json().revision).toBeGreaterThan(changed.revision);
    expect((await fixture.send('GET', '/roles/orders', { token: fixture.owner })).statusCode).toBe(404);
    expect((await fixture.send('DELETE', '/roles/orders', { token: fixture.owner })).statusCode).toBe(404);
  });

  it.each(['owner', 'admin', 'developer', 'viewer', 'Owner', 'VIEWER'])(
    'never touches the built-in %s',
    async (name) => {
      expect(errorOf(await put(name, []))).toMatch(/^409 CONFLICT: Built-in roles/);
      expect((await fixture.send('DELETE', `/roles/${name}`, { token: fixture.owner })).statusCode).toBe(409);
    },
  );

  it.each([
    ['a permission that there is not', [{ permission: 'realtime:*' }], /^400 BAD_REQUEST: grants\.0\.permission/],
    ['an unknown field', [{ ...SUBSCRIBE, fields: [] }], /^400 BAD_REQUEST: grants\.0\.fields: is not known/],
    [
      'a narrowed iam:manage',
      [{ permission: 'iam:manage', structures: ['a'] }],
      /^400 BAD_REQUEST: grants\.0\.structures/,
    ],
    ['a system event', [{ ...SUBSCRIBE, events: ['system.x'] }], /^400 BAD_REQUEST: grants\.0\.events\.0/],
    [
      'a filter that is none',
      [SUBSCRIBE, { ...SUBSCRIBE, filter: 'data.x:(' }],
      /^400 INVALID_FILTER: grants\.1\.filter, position \d+: /,
    ],
    ['an empty filter', [{ ...SUBSCRIBE, filter: '' }], /^400 INVALID_FILTER/],
    ['too many grants', Array.from({ length: 65 }, () => SUBSCRIBE), /^400 BAD_REQUEST: grants: /],
  ])('refuses %s', async (_, grants, expected) => {
    expect(errorOf(await put('wrong', grants))).toMatch(expected);
    expect((await fixture.send('GET', '/roles/wrong', { token: fixture.owner })).statusCode).toBe(404);
  });

  it('never hands an admin what only an owner holds', async () => {
    const beyondAdmin = [{ permission: 'realtime:publish-as' }];
    expect((await put('mine', beyondAdmin, fixture.admin)).statusCode).toBe(403);
    await put('theirs', beyondAdmin);
    expect((await put('theirs', [], fixture.admin)).statusCode).toBe(403);
    expect((await fixture.send('DELETE', '/roles/theirs', { token: fixture.admin })).statusCode).toBe(403);
    expect((await put('mine', [{ permission: 'iam:manage' }, SUBSCRIBE], fixture.admin)).statusCode).toBe(200);
  });

  it('cannot be raised by who holds it', async () => {
    await put('clerk', [{ permission: 'iam:manage' }]);
    const clerk = await fixture.memberWith('clerk');
    expect((await put('clerk', [{ permission: 'iam:manage' }, SUBSCRIBE], clerk)).statusCode).toBe(403);
  });

  it('go from their holders when they are deleted, so that a later namesake is not theirs', async () => {
    await put('passing', [SUBSCRIBE]);
    await fixture.memberWith('passing', 'holder');
    const body = { name: 'x', role: 'passing' };
    const account = (await fixture.send('POST', '/service-accounts', { token: fixture.owner, body })).json();
    await fixture.send('DELETE', '/roles/passing', { token: fixture.owner });
    await put('passing', [{ permission: 'iam:manage' }]);
    const member = (await fixture.send('GET', '/members/holder', { token: fixture.owner })).json();
    expect(member.roles).toEqual([]);
    const after = (await fixture.send('GET', `/service-accounts/${account.id}`, { token: fixture.owner })).json();
    expect(after.role).toBeNull();
  });

  it('go from their holders also where those were asked for before', async () => {
    await put('early', [SUBSCRIBE]);
    await fixture.memberWith('early', 'asked');
    const question = {
      workspace: 'demo',
      permission: 'realtime:subscribe',
      provider: 'centrali',
      sub: 'asked',
      iat: Math.floor(fixture.now() / 1000),
      kid: 'k',
      scope: [],
      mappedRoles: [],
      attributes: {},
      atLeast: 0,
    } as const;
    const decision = async () => (await fixture.iam.decisions.check([question]))[0]?.decision;
    expect(await decision()).toBe('allowed');
    await fixture.send('DELETE', '/roles/early', { token: fixture.owner });
    await put('early', [SUBSCRIBE]);
    expect(await decision()).toBe('forbidden');
  });
});
