import type { Change, ProviderRecord, RevocationRecord } from '@centrali-io/protocol';
import { describe, expect, it } from 'vitest';
import { accessOf, EndsWorld } from './ends.fixture.ts';

const revocation = (names: Omit<RevocationRecord, 'workspace' | 'provider'>): Change => ({
  kind: 'revocation',
  revocation: { workspace: 'acme', provider: 'centrali', ...names },
});
const MEMBER: Change = { kind: 'member', workspace: 'acme', provider: 'centrali', sub: 'u1' };
const PROVIDER: ProviderRecord = {
  id: 'pr_1',
  name: 'login',
  workspaces: ['acme'],
  issuer: 'https://login.example',
  audiences: ['api'],
  typ: ['JWT'],
  algorithms: ['RS256'],
  jwksUri: 'https://login.example/jwks',
  mapping: { roles: { path: 'role', values: { boss: 'admin' } } },
  maxLifetimeSeconds: 1e12,
};
const EXTERNAL = { provider: 'pr_1', claims: { iss: PROVIDER.issuer, aud: ['api'], role: 'boss' } };

describe('what ends at once', () => {
  it.each<[string, Change, string]>([
    ['a revoked token', revocation({ jti: 'j1' }), 'token_revoked'],
    ['a revoked principal', revocation({ sub: 'u1', notBefore: 10 }), 'token_revoked'],
    ['a revoked client', revocation({ clientId: 'app', notBefore: 10 }), 'token_revoked'],
    ['a revoked session', revocation({ sid: 's1' }), 'token_revoked'],
    ['everything up to a moment', revocation({ notBefore: 10 }), 'token_revoked'],
    ['a withdrawn key', { kind: 'key', kid: 'k1', withdrawn: true }, 'key_withdrawn'],
  ])('%s: INVALID_TOKEN, without asking IAM, and nobody else', async (_what, change, reason) => {
    const world = new EndsWorld();
    world.open({ jti: 'j1', clientId: 'app', sid: 's1' });
    world.open({ sub: 'u2', jti: 'j2', kid: 'k2', iat: 11 });
    world.change(change);
    expect(world.ended).toEqual([{ id: 'cn_1', code: 'INVALID_TOKEN', reason }]);
    await world.effects.pass(10_000);
    expect(world.ended).toHaveLength(1);
    expect(world.calls).toEqual([]);
    expect(world.ends.size).toBe(1);
  });

  it('a removed provider', () => {
    const world = new EndsWorld();
    world.open(EXTERNAL);
    world.open();
    world.change({ kind: 'provider', id: 'pr_1', provider: null });
    expect(world.ended).toEqual([{ id: 'cn_1', code: 'INVALID_TOKEN', reason: 'provider_removed' }]);
  });

  it('not by a revocation that was taken back, or a key that was made', () => {
    const world = new EndsWorld();
    world.open({ jti: 'j1' });
    world.change({ kind: 'revocation-lifted', revocation: { workspace: 'acme', provider: 'centrali', jti: 'j1' } });
    world.change({ kind: 'key', kid: 'k1', withdrawn: false });
    expect(world.ended).toEqual([]);
  });

  it('not by a change that its decision knew already', () => {
    const world = new EndsWorld();
    world.open({ jti: 'j1', revision: 2 });
    world.change(revocation({ jti: 'j1' }));
    expect(world.ended).toEqual([]);
  });

  it('with the time from the change to the last byte', async () => {
    const world = new EndsWorld();
    world.open({ jti: 'j1' });
    world.change(revocation({ jti: 'j1' }));
    expect(world.lags).toEqual([0]);
  });
});

describe('what is decided anew', () => {
  it.each<[string, Change]>([
    ['a member', MEMBER],
    ['a role', { kind: 'role', workspace: 'acme', role: 'viewer' }],
    ['an account', { kind: 'account', workspace: 'acme', clientId: 'u1' }],
    ['a credential', { kind: 'credential', workspace: 'acme', cred: 'c1' }],
    ['a workspace', { kind: 'workspace', workspace: 'acme' }],
  ])('%s: those who live on it, in one call that asks for the change', async (_what, change) => {
    const world = new EndsWorld();
    world.open({ cred: 'c1' });
    world.open({ cred: 'c1' });
    world.open({ workspace: 'other', sub: 'u2' });
    world.verdict = () => ({ decision: 'forbidden', reason: 'no_role' });
    world.change(change);
    expect(world.ended).toEqual([]);
    await world.effects.settle();
    expect(world.calls.map((call) => call.map(({ sub, atLeast }) => `${sub}@${atLeast}`))).toEqual([['u1@2', 'u1@2']]);
    expect(world.ended.map(({ id, code }) => `${id} ${code}`).sort()).toEqual(['cn_1 FORBIDDEN', 'cn_2 FORBIDDEN']);
  });

  it.each([
    ['forbidden', 'workspace_suspended', 'FORBIDDEN'],
    ['forbidden', 'workspace_deleted', 'FORBIDDEN'],
    ['revoked', 'account_disabled', 'INVALID_TOKEN'],
    ['revoked', 'credential_unknown', 'INVALID_TOKEN'],
  ] as const)('ends by the answer: %s, %s: %s', async (decision, reason, code) => {
    const world = new EndsWorld();
    world.open();
    world.verdict = () => ({ decision, reason });
    world.change(MEMBER);
    await world.effects.settle();
    expect(world.ended).toEqual([{ id: 'cn_1', code, reason }]);
  });

  it('goes on by the new grants', async () => {
    const world = new EndsWorld();
    const bound = world.open();
    world.verdict = () => ({ decision: 'allowed', grants: [{ filter: 'data.n:1' }], roles: ['part'] });
    world.change(MEMBER);
    await world.effects.settle();
    expect(world.redecided).toMatchObject([{ id: 'cn_1', told: 'silently', access: { roles: ['part'], revision: 2 } }]);
    expect(bound.access.grants).toEqual([{ permission: 'realtime:subscribe', filter: 'data.n:1' }]);
    expect(world.ends.inDoubt).toBe(0);
    // And is found by the new role from now on.
    world.verdict = () => ({ decision: 'forbidden', reason: 'no_role' });
    world.change({ kind: 'role', workspace: 'acme', role: 'viewer' });
    await world.effects.settle();
    expect(world.ended).toEqual([]);
    world.change({ kind: 'role', workspace: 'acme', role: 'part' });
    await world.effects.settle();
    expect(world.ended).toHaveLength(1);
  });

  it('keeps the grants that it has when they are the same', async () => {
    const world = new EndsWorld();
    const { access } = world.open();
    world.change(MEMBER);
    await world.effects.settle();
    expect(world.redecided[0]?.access.grants).toBe(access.grants);
  });

  it('is asked in calls of 256, four at once', async () => {
    const world = new EndsWorld();
    for (let n = 0; n < 2000; n++) world.open({ sub: `u${n}` });
    let open = () => {};
    const gate = new Promise<void>((resolve) => (open = resolve));
    world.gate = () => gate;
    world.change({ kind: 'workspace', workspace: 'acme' });
    await world.effects.settle();
    expect(world.calls.map(({ length }) => length)).toEqual([256, 256, 256, 256]);
    open();
    await world.effects.settle();
    expect(world.calls.flat()).toHaveLength(2000);
    expect(new Set(world.calls.flat().map(({ sub }) => sub)).size).toBe(2000);
    expect(world.ends.inDoubt).toBe(0);
  });

  it('does not believe an answer that is older than the change, and asks again', async () => {
    const world = new EndsWorld();
    world.open();
    let behind = true;
    world.verdict = () =>
      behind
        ? { ...accepted(1), principal: { provider: 'centrali', kind: 'user', sub: 'u1' } }
        : { decision: 'forbidden', reason: 'no_role' };
    world.change(MEMBER);
    await world.effects.settle();
    expect(world.redecided).toEqual([]);
    expect(world.ends.inDoubt).toBe(1);
    behind = false;
    await world.effects.pass(1000);
    expect(world.ended).toMatchObject([{ code: 'FORBIDDEN' }]);
    expect(world.lags).toEqual([expect.closeTo(50, -2)]);
  });

  it('asks at once again when another change came while it asked', async () => {
    const world = new EndsWorld();
    world.open();
    let open = () => {};
    const gate = new Promise<void>((resolve) => (open = resolve));
    world.gate = () => gate;
    world.verdict = ({ atLeast }) => ({
      ...accepted(atLeast),
      principal: { provider: 'centrali', kind: 'user', sub: 'u1' },
    });
    world.change(MEMBER);
    await world.effects.settle();
    world.change(MEMBER);
    open();
    await world.effects.settle();
    expect(world.calls.map((call) => call.map(({ atLeast }) => atLeast))).toEqual([[2], [3]]);
    expect(world.redecided).toMatchObject([{ access: { revision: 3 } }]);
  });

  it('is in doubt from the last frame before the change: it may be that old', async () => {
    const world = new EndsWorld();
    const bound = world.open();
    await world.effects.pass(1500);
    world.gate = () => Promise.reject(new Error('down'));
    const { lastFrameAt } = world.feed;
    world.feed.revision = 2;
    world.feed.newest.note(MEMBER, 2);
    world.ends.apply(MEMBER, 2);
    world.feed.lastFrameAt = world.effects.time;
    expect(bound.until).toBe(lastFrameAt + 4500);
  });

  it('ends what nobody can decide on within the bound, and keeps the rest', async () => {
    const world = new EndsWorld();
    world.open();
    world.open({ sub: 'u2' });
    world.gate = () => Promise.reject(new Error('down'));
    world.change(MEMBER);
    for (let second = 0; second < 5; second++) {
      world.feed.lastFrameAt = world.effects.time;
      await world.effects.pass(1000);
    }
    expect(world.ended).toEqual([{ id: 'cn_1', code: 'AUTH_ERROR', reason: 'authority_lost' }]);
    // It is no revocation, so it is no lag of one.
    expect(world.lags).toEqual([]);
    // Asking has stopped with it.
    const calls = world.calls.length;
    await world.effects.pass(1000);
    expect(world.calls).toHaveLength(calls);
  });
});

const accepted = (revision: number) =>
  ({
    decision: 'allowed',
    revision,
    grants: [{ permission: 'realtime:subscribe' }],
    roles: ['viewer'],
    permissions: [],
  }) as const;

describe('a provider that says something else', () => {
  const opened = (world: EndsWorld, claims: object = {}): void => {
    world.snapshot(1, true, [PROVIDER]);
    world.open({ ...EXTERNAL, claims: { ...EXTERNAL.claims, ...claims }, mappedRoles: ['admin'], revision: 1 });
  };

  it('has its mapping applied anew before IAM is asked', async () => {
    const world = new EndsWorld();
    opened(world);
    const mapping = { roles: { path: 'role', values: { boss: 'viewer' } } };
    world.change({ kind: 'provider', id: 'pr_1', provider: { ...PROVIDER, mapping } });
    await world.effects.settle();
    expect(world.calls).toMatchObject([[{ provider: 'pr_1', mappedRoles: ['viewer'] }]]);
    expect(world.redecided).toMatchObject([{ access: { token: { mappedRoles: ['viewer'] } } }]);
  });

  it.each<[string, Partial<ProviderRecord>]>([
    ['other workspaces', { workspaces: ['other'] }],
    ['other audiences', { audiences: ['else'] }],
    ['another issuer', { issuer: 'https://else.example' }],
    ['shorter lives', { maxLifetimeSeconds: 1 }],
  ])('ends what it would not accept any more: %s', (_what, more) => {
    const world = new EndsWorld();
    opened(world);
    world.change({ kind: 'provider', id: 'pr_1', provider: { ...PROVIDER, ...more } });
    expect(world.ended).toMatchObject([{ code: 'INVALID_TOKEN', reason: 'provider_changed' }]);
  });

  it('ends who lacks what it requires now', () => {
    const world = new EndsWorld();
    opened(world);
    const mapping = { attributes: [{ jwtPath: 'team', attribute: 'team', required: true }] };
    world.change({ kind: 'provider', id: 'pr_1', provider: { ...PROVIDER, mapping } });
    expect(world.ended).toMatchObject([{ code: 'FORBIDDEN' }]);
  });

  it('that says the same again leaves the token as it is, also one that came as a ticket', async () => {
    const world = new EndsWorld();
    world.snapshot(1, true, [PROVIDER]);
    world.open({ provider: 'pr_1', claims: {}, mappedRoles: ['admin'] });
    world.change({ kind: 'provider', id: 'pr_1', provider: { ...PROVIDER } });
    await world.effects.settle();
    expect(world.calls).toMatchObject([[{ mappedRoles: ['admin'] }]]);
    expect(world.ended).toEqual([]);
  });

  it('ends a stream of a ticket, of which it cannot be told', () => {
    const world = new EndsWorld();
    world.snapshot(1, true, [PROVIDER]);
    world.open({ provider: 'pr_1', claims: {} });
    world.change({ kind: 'provider', id: 'pr_1', provider: { ...PROVIDER, mapping: {} } });
    expect(world.ended).toMatchObject([{ code: 'INVALID_TOKEN' }]);
  });
});

describe('a key of a provider', () => {
  it('that is taken back ends what it signed, and nothing of the same name elsewhere', () => {
    const world = new EndsWorld();
    world.open({ provider: 'pr_1', kid: 'k1' });
    world.open({ provider: 'pr_1', kid: 'k2', workspace: 'other' });
    world.open({ provider: 'pr_2', kid: 'k1' });
    world.open({ kid: 'k1' });
    expect([...world.ends.kidsOf('pr_1')].sort()).toEqual(['k1', 'k2']);
    world.ends.endKey('pr_1', 'k1');
    expect(world.ended).toEqual([{ id: 'cn_1', code: 'INVALID_TOKEN', reason: 'key_withdrawn' }]);
    expect([...world.ends.kidsOf('pr_1')]).toEqual(['k2']);
  });
});

describe('a snapshot', () => {
  it('ends what it names, and has the rest decided anew', async () => {
    const world = new EndsWorld();
    world.open({ kid: 'k2' });
    world.open({ jti: 'j2' });
    world.open({ provider: 'pr_9' });
    world.open({ sub: 'u4' });
    world.feed.withdrawn.add('k2');
    world.feed.revocations.add({ workspace: 'acme', provider: 'centrali', jti: 'j2' });
    world.snapshot(9, true);
    expect(world.ended).toEqual([
      expect.objectContaining({ id: 'cn_1', reason: 'key_withdrawn' }),
      expect.objectContaining({ id: 'cn_2', reason: 'token_revoked' }),
      expect.objectContaining({ id: 'cn_3', reason: 'provider_removed' }),
    ]);
    await world.effects.settle();
    expect(world.calls.map((call) => call.map(({ sub }) => sub))).toEqual([['u4']]);
    expect(world.redecided).toMatchObject([{ id: 'cn_4', access: { revision: 9 } }]);
  });

  it('ends by the name of a token that a stream lived on before', () => {
    const world = new EndsWorld();
    const bound = world.open({ jti: 'j1' });
    expect(world.ends.renew(bound, accessOf({ jti: 'j2', askedAt: 1000 }))).toBe(true);
    world.feed.revocations.add({ workspace: null, provider: 'centrali', jti: 'j1' });
    world.snapshot(9, false);
    expect(world.ended).toMatchObject([{ reason: 'token_revoked' }]);
  });

  it('of the same epoch leaves what was decided at its revision or later', async () => {
    const world = new EndsWorld();
    world.open({ revision: 9 });
    world.snapshot(9, true);
    await world.effects.settle();
    expect(world.calls).toEqual([]);
  });

  it('of another epoch has everything decided anew, whatever its revision', async () => {
    const world = new EndsWorld();
    world.open({ revision: 100 });
    world.snapshot(3, false);
    await world.effects.settle();
    expect(world.redecided).toMatchObject([{ access: { revision: 3, generation: 2 } }]);
  });
});

describe('a stream that is not open yet', () => {
  it('is not bound when something has changed since it was decided on', () => {
    const world = new EndsWorld();
    world.change(MEMBER);
    expect(world.ends.bind(accessOf({ revision: 1, askedAt: 1000 }))).toBeUndefined();
    expect(world.ends.bind(accessOf({ revision: 2, askedAt: 1000 }))).toBeDefined();
    expect(world.ends.bind(accessOf({ sub: 'u2', revision: 1, askedAt: 1000 }))).toBeDefined();
  });

  it('is refused when it ended before delivery named it', () => {
    const world = new EndsWorld();
    const bound = world.bind({ jti: 'j1' });
    world.change(revocation({ jti: 'j1' }));
    expect(world.ended).toEqual([]);
    expect(() => world.ends.opened(bound, 'cn_7')).toThrow(expect.objectContaining({ code: 'INVALID_TOKEN' }));
  });

  it('gets what was decided before delivery named it', async () => {
    const world = new EndsWorld();
    const bound = world.bind();
    world.verdict = () => ({ decision: 'allowed', grants: [{ structures: ['order'] }] });
    world.change(MEMBER);
    await world.effects.settle();
    expect(world.redecided).toEqual([]);
    world.ends.opened(bound, 'cn_7');
    expect(world.redecided).toMatchObject([{ id: 'cn_7', access: { grants: [{ structures: ['order'] }] } }]);
  });

  it('is let go without a trace', async () => {
    const world = new EndsWorld();
    const bound = world.bind();
    world.change(MEMBER);
    world.ends.release(bound);
    world.ends.release(bound);
    await world.effects.settle();
    expect([world.ends.size, world.ends.inDoubt, world.calls.length]).toEqual([0, 0, 0]);
  });
});

describe('a token of a provider', () => {
  it('opens nothing by a mapping that has changed since it was applied', () => {
    const world = new EndsWorld();
    world.snapshot(1, true, [PROVIDER]);
    const access = (mapping: ProviderRecord['mapping']) =>
      accessOf({ provider: 'pr_1', mapping, askedAt: world.effects.time });
    expect(world.ends.bind(access({ ...PROVIDER.mapping }))).toBeDefined();
    expect(() => world.ends.bind(access({ defaultRole: 'admin' }))).toThrow(
      expect.objectContaining({ code: 'AUTH_ERROR' }),
    );
  });
});

describe('a change that the decision about a renewed token knew already', () => {
  it('ends the stream all the same when it names a token before', () => {
    const world = new EndsWorld();
    const bound = world.open({ jti: 'j1' });
    world.ends.renew(bound, accessOf({ jti: 'j2', revision: 2, askedAt: 1000 }));
    world.change(revocation({ jti: 'j1' }));
    expect(world.ended).toMatchObject([{ reason: 'token_revoked' }]);
  });

  it('has the mapping of a provider applied anew all the same', async () => {
    const world = new EndsWorld();
    world.snapshot(1, true, [PROVIDER]);
    world.open({ ...EXTERNAL, mappedRoles: ['admin'], revision: 2 });
    const mapping = { roles: { path: 'role', values: { boss: 'viewer' } } };
    world.change({ kind: 'provider', id: 'pr_1', provider: { ...PROVIDER, mapping } });
    await world.effects.settle();
    expect(world.calls).toMatchObject([[{ mappedRoles: ['viewer'] }]]);
  });

  it('does both for a snapshot', async () => {
    const world = new EndsWorld();
    world.snapshot(1, true, [PROVIDER]);
    const bound = world.open({ jti: 'j1' });
    world.open({ ...EXTERNAL, mappedRoles: ['admin'], revision: 9 });
    world.ends.renew(bound, accessOf({ jti: 'j2', revision: 9, askedAt: 1000 }));
    world.feed.revocations.add({ workspace: null, provider: 'centrali', jti: 'j1' });
    world.snapshot(5, true, [{ ...PROVIDER, mapping: { defaultRole: 'viewer' } }]);
    expect(world.ended).toMatchObject([{ id: 'cn_1', reason: 'token_revoked' }]);
    await world.effects.settle();
    expect(world.calls).toMatchObject([[{ mappedRoles: ['viewer'] }]]);
  });
});

describe('a renewal', () => {
  it('is put off when something has changed since its token was decided on', () => {
    const world = new EndsWorld();
    const bound = world.open({ jti: 'j1' });
    world.change(revocation({ jti: 'j2' }));
    expect(world.ends.renew(bound, accessOf({ jti: 'j2', revision: 1, askedAt: 1000 }))).toBe(false);
    expect(world.redecided).toEqual([]);
  });

  it('ends a doubt about the stream, which its decision knew', async () => {
    const world = new EndsWorld();
    const bound = world.open({ jti: 'j1' });
    world.gate = () => Promise.reject(new Error('down'));
    world.change(MEMBER);
    await world.effects.pass(3000);
    expect(world.ends.renew(bound, accessOf({ jti: 'j2', revision: 2, askedAt: world.effects.time }))).toBe(true);
    world.feed.lastFrameAt = world.effects.time;
    await world.effects.pass(1900);
    expect(world.ended).toEqual([]);
    expect(world.ends.inDoubt).toBe(0);
  });
});

describe('an answer about the token before', () => {
  it('neither ends nor lets go on a stream that was renewed while it was on its way', async () => {
    const world = new EndsWorld();
    const bound = world.open({ jti: 'j1' });
    let open = () => {};
    const gate = new Promise<void>((resolve) => (open = resolve));
    world.gate = () => gate;
    world.verdict = ({ jti }) =>
      jti === 'j1' ? { decision: 'revoked', reason: 'credential_unknown' } : { decision: 'allowed' };
    world.change(MEMBER);
    await world.effects.settle();
    world.ends.renew(bound, accessOf({ jti: 'j2', revision: 2, askedAt: world.effects.time }));
    world.change(MEMBER);
    open();
    await world.effects.settle();
    expect(world.ended).toEqual([]);
    expect(world.calls.map((call) => new Set(call.map(({ jti }) => jti)))).toEqual([new Set(['j1']), new Set(['j2'])]);
    expect(bound.access.token.jti).toBe('j2');
    expect(bound.access.revision).toBe(3);
  });
});

describe('while the feed is away', () => {
  /** Streams whose feed falls silent at once. */
  function silent(count: number): EndsWorld {
    const world = new EndsWorld();
    for (let n = 0; n < count; n++) {
      world.effects.randomValue = n / count;
      world.open({ sub: `u${n}` });
    }
    world.feed.isLive = false;
    world.ends.lost();
    return world;
  }

  it('streams that IAM proves go on', async () => {
    const world = silent(10);
    await world.effects.pass(20_000);
    expect(world.ended).toEqual([]);
    // Every 2 s, all in one call.
    expect(world.calls.length).toBeGreaterThan(7);
    expect(world.calls.length).toBeLessThan(11);
  });

  it('streams that nothing proves end between 4 and 5 s, spread, with AUTH_ERROR', async () => {
    const world = silent(100);
    world.gate = () => Promise.reject(new Error('down'));
    await world.effects.pass(3950);
    expect(world.ended).toEqual([]);
    await world.effects.pass(550);
    expect(world.ended.length).toBeGreaterThan(40);
    expect(world.ended.length).toBeLessThan(60);
    await world.effects.pass(500);
    expect(world.ended).toHaveLength(100);
    expect(new Set(world.ended.map(({ code }) => code))).toEqual(new Set(['AUTH_ERROR']));
    expect(world.ends.size).toBe(0);
  });

  it('a hanging IAM proves nothing', async () => {
    const world = silent(10);
    world.gate = () => new Promise(() => {});
    await world.effects.pass(5000);
    expect(world.ended).toHaveLength(10);
  });

  it('nothing may be written from the bound on, even if nobody has looked', () => {
    const world = new EndsWorld();
    const bound = world.open();
    expect(bound.until).toBe(1000 + 4500);
    world.feed.lastFrameAt = 3000;
    expect(bound.until).toBe(3000 + 4500);
  });

  it('what is decided anew ends the stream as ever', async () => {
    const world = silent(1);
    world.verdict = () => ({ decision: 'revoked', reason: 'account_disabled' });
    await world.effects.pass(2500);
    expect(world.ended).toEqual([{ id: 'cn_1', code: 'INVALID_TOKEN', reason: 'account_disabled' }]);
  });

  it('a stream that opens then is looked after, too', async () => {
    const world = new EndsWorld();
    world.feed.isLive = false;
    world.gate = () => Promise.reject(new Error('down'));
    await world.effects.pass(10_000);
    const bound = world.open({ askedAt: world.effects.time });
    await world.effects.pass(5000);
    expect(bound.over).toBe(true);
    expect(world.ended).toMatchObject([{ code: 'AUTH_ERROR' }]);
  });

  it('an access that was proved too long ago opens nothing', async () => {
    const world = new EndsWorld();
    await world.effects.pass(4000);
    expect(world.ends.bind(accessOf({ askedAt: 1000 }))).toBeUndefined();
    expect(world.ends.bind(accessOf({ askedAt: 2000 }))).toBeDefined();
  });

  it('stops looking when the feed is back', async () => {
    const world = silent(3);
    await world.effects.pass(1000);
    world.feed.isLive = true;
    world.feed.lastFrameAt = world.effects.time;
    await world.effects.pass(100);
    expect(world.effects.timers).toBe(0);
  });
});
