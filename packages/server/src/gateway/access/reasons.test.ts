import type { Change, RevocationRecord } from '@centrali-io/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Access } from './access.ts';
import { Bound } from './bound.ts';
import { ReasonIndex } from './reasons.ts';
import { endsToken } from './revocations.ts';

/** What a test says of a stream. */
interface Sketch {
  readonly workspace: string;
  readonly provider: string;
  readonly sub: string;
  readonly kid: string;
  readonly roles: readonly string[];
  readonly iat: number;
  readonly jti?: string;
  readonly clientId?: string;
  readonly sid?: string;
  readonly cred?: string;
}

const BASE: Sketch = { workspace: 'acme', provider: 'centrali', sub: 'u1', kid: 'k1', roles: ['viewer'], iat: 10 };

function accessOf({ workspace, provider, sub, roles, ...token }: Sketch): Access {
  return {
    workspace,
    permission: 'realtime:subscribe',
    principal: { provider, kind: 'user', sub },
    grants: [{ permission: 'realtime:subscribe' }],
    roles,
    permissions: [],
    revision: 1,
    generation: 1,
    askedAt: 0,
    placeholders: new Map(),
    token: {
      expiresAt: 0,
      scope: [],
      mappedRoles: [],
      attributes: {},
      claims: { iss: 'i', aud: 'i', sub, iat: token.iat, exp: 99 },
      ...token,
    },
  };
}

const boundOf = (sketch: Partial<Sketch> = {}): Bound =>
  new Bound(accessOf({ ...BASE, ...sketch }), { lastFrameAt: 0 }, 0);

function indexOf(...bounds: readonly Bound[]): ReasonIndex {
  const index = new ReasonIndex();
  for (const bound of bounds) index.add(bound);
  return index;
}

const revocation = (record: Omit<RevocationRecord, 'workspace'> & { workspace?: string | null }): Change => ({
  kind: 'revocation',
  revocation: { workspace: 'acme', ...record },
});

describe('ReasonIndex', () => {
  const a = boundOf({ jti: 'j1', sid: 's1', cred: 'c1', clientId: 'u1' });
  const b = boundOf({ sub: 'u2', jti: 'j2', clientId: 'app', roles: ['viewer', 'editor'], iat: 20 });
  const c = boundOf({ provider: 'pr_1', sub: 'u1', jti: 'j1', sid: 's1', clientId: 'u1' });
  const d = boundOf({ workspace: 'other', jti: 'j3', clientId: 'app', kid: 'k2' });
  const all = { a, b, c, d };
  const index = indexOf(a, b, c, d);
  const found = (change: Change): string[] => {
    const touched = [...index.touchedBy(change)];
    return Object.entries(all)
      .filter(([, bound]) => touched.includes(bound))
      .map(([name]) => name);
  };

  it.each<[string, Change, string[]]>([
    ['a token', revocation({ provider: 'centrali', jti: 'j1' }), ['a']],
    ["another issuer's token of that name", revocation({ provider: 'pr_1', jti: 'j1' }), ['c']],
    ['a token in a workspace that it is not used in', revocation({ provider: 'centrali', jti: 'j3' }), []],
    ['a token in all workspaces', revocation({ workspace: null, provider: 'centrali', jti: 'j3' }), ['d']],
    ['a principal', revocation({ provider: 'centrali', sub: 'u1', notBefore: 10 }), ['a']],
    ['a principal up to before its token', revocation({ provider: 'centrali', sub: 'u1', notBefore: 9 }), []],
    ['a principal everywhere', revocation({ workspace: null, provider: 'centrali', sub: 'u1' }), ['a', 'd']],
    ['a client', revocation({ provider: 'centrali', clientId: 'app', notBefore: 50 }), ['b']],
    ['a client that is its principal', revocation({ provider: 'centrali', clientId: 'u1' }), ['a']],
    ['a session', revocation({ provider: 'pr_1', sid: 's1' }), ['c']],
    ['everything up to a moment', revocation({ provider: 'centrali', notBefore: 10 }), ['a']],
    ['everything everywhere', revocation({ workspace: null, provider: 'centrali', notBefore: 50 }), ['a', 'b', 'd']],
    ['a key', { kind: 'key', kid: 'k1', withdrawn: true }, ['a', 'b']],
    ['a provider', { kind: 'provider', id: 'pr_1', provider: null }, ['c']],
    ['a role', { kind: 'role', workspace: 'acme', role: 'viewer' }, ['a', 'b', 'c']],
    ['a role that some have', { kind: 'role', workspace: 'acme', role: 'editor' }, ['b']],
    ['a workspace', { kind: 'workspace', workspace: 'other' }, ['d']],
    ['a member', { kind: 'member', workspace: 'acme', provider: 'centrali', sub: 'u1' }, ['a']],
    ['an account', { kind: 'account', workspace: 'acme', clientId: 'u2' }, ['b']],
    ['a credential', { kind: 'credential', workspace: 'acme', cred: 'c1' }, ['a']],
    ['what nobody lives on', { kind: 'member', workspace: 'acme', provider: 'centrali', sub: 'nobody' }, []],
  ])('finds who lives on %s', (_what, change, names) => {
    expect(found(change)).toEqual(names);
  });

  it('keeps a stream bound to the tokens that it lived on, and no longer to what the old one was', () => {
    const bound = boundOf({ jti: 'j1', sid: 's1' });
    const own = indexOf(bound);
    own.swap(bound, accessOf({ ...BASE, jti: 'j2', sid: 's2', kid: 'k2', roles: ['editor'] }));
    const touches = (change: Change): boolean => [...own.touchedBy(change)].includes(bound);
    expect(touches(revocation({ provider: 'centrali', jti: 'j1' }))).toBe(true);
    expect(touches(revocation({ provider: 'centrali', jti: 'j2' }))).toBe(true);
    expect(touches(revocation({ provider: 'centrali', sid: 's1' }))).toBe(false);
    expect(touches(revocation({ provider: 'centrali', sid: 's2' }))).toBe(true);
    expect(touches({ kind: 'key', kid: 'k1', withdrawn: true })).toBe(false);
    expect(touches({ kind: 'role', workspace: 'acme', role: 'editor' })).toBe(true);
    own.remove(bound);
    expect(touches(revocation({ provider: 'centrali', jti: 'j1' }))).toBe(false);
    expect([...own.all()]).toEqual([]);
  });

  it('stays bounded for a stream that lives on very many tokens', () => {
    const bound = boundOf({ jti: 'j0' });
    const own = indexOf(bound);
    for (let n = 1; n <= 2000; n++) own.swap(bound, accessOf({ ...BASE, jti: `j${n}` }));
    expect(bound.earlier?.size).toBe(1024);
    own.remove(bound);
    expect([...own.all()]).toEqual([]);
  });

  it('finds the same streams as a walk through all of them, whatever came and went', () => {
    const word = (...words: string[]) => fc.constantFrom(...words);
    const sketch = fc.record(
      {
        workspace: word('w1', 'w2'),
        provider: word('centrali', 'pr_1'),
        sub: word('u1', 'u2', 'app'),
        kid: word('k1', 'k2'),
        roles: fc.subarray(['r1', 'r2']),
        iat: fc.integer({ min: 1, max: 3 }),
        jti: word('j1', 'j2'),
        clientId: word('app', 'u1'),
        sid: word('s1', 's2'),
        cred: word('c1', 'c2'),
      },
      { requiredKeys: ['workspace', 'provider', 'sub', 'kid', 'roles', 'iat'] },
    ) as fc.Arbitrary<Sketch>;
    const record = fc.record(
      {
        workspace: fc.constantFrom('w1', 'w2', null),
        provider: word('centrali', 'pr_1'),
        jti: word('j1', 'j2'),
        sub: word('u1', 'app'),
        clientId: word('app', 'u1'),
        sid: word('s1', 's2'),
        notBefore: fc.integer({ min: 0, max: 3 }),
      },
      { requiredKeys: ['workspace', 'provider'] },
    ) as fc.Arbitrary<RevocationRecord>;
    fc.assert(
      fc.property(fc.array(fc.tuple(sketch, fc.boolean()), { maxLength: 12 }), record, (sketches, revoked) => {
        const own = new ReasonIndex();
        const bounds = sketches.map(([of]) => new Bound(accessOf(of), { lastFrameAt: 0 }, 0));
        for (const bound of bounds) own.add(bound);
        const left = bounds.filter((bound, at) => {
          if (sketches[at]?.[1]) own.remove(bound);
          return !sketches[at]?.[1];
        });
        const naive = left.filter(({ access: { workspace, principal, token } }) => {
          const { provider, sub } = principal;
          if (revoked.jti !== undefined && revoked.jti !== token.jti) return false;
          return provider === revoked.provider && endsToken(revoked, { ...token, workspace, provider, sub });
        });
        const touched = [...own.touchedBy({ kind: 'revocation', revocation: revoked })];
        expect(new Set(touched)).toEqual(new Set(naive));
        expect(own.size).toBe(left.length);
      }),
    );
  });
});
