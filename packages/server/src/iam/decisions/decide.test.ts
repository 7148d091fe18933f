import type { CheckRequest, Grant } from '@centrali-io/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DecisionState, decide } from './decide.ts';
import { RevocationIndex } from './revocations.ts';

const NOW = 1_000_000;
const CLIENT = `ci_${'a'.repeat(24)}`;

/** A member `ann` with role viewer, and a service account with role developer. */
const state = (more: Partial<DecisionState> = {}): DecisionState => ({
  revision: 7,
  now: NOW,
  workspace: { slug: 'demo', state: 'active', createdAt: 0 },
  account: undefined,
  credential: undefined,
  member: {
    workspace: 'demo',
    provider: 'centrali',
    sub: 'ann',
    roles: ['viewer'],
    blocked: false,
    createdAt: 0,
    updatedAt: 0,
  },
  customRoles: new Map(),
  providers: new Set(['pr_1']),
  withdrawnKeys: new Set(),
  revocations: new RevocationIndex([]),
  ...more,
});
const ask = (more: Partial<CheckRequest> = {}): CheckRequest => ({
  workspace: 'demo',
  permission: 'realtime:subscribe',
  provider: 'centrali',
  sub: 'ann',
  clientId: 'centrali-dev',
  jti: 'j',
  iat: 900,
  kid: 'k',
  scope: [],
  mappedRoles: [],
  attributes: {},
  atLeast: 0,
  ...more,
});

const serviceState = (more: Partial<DecisionState> = {}): DecisionState =>
  state({
    member: undefined,
    account: {
      id: 1,
      workspace: 'demo',
      clientId: CLIENT,
      name: 'x',
      description: null,
      roles: ['developer'],
      disabled: false,
      createdAt: 0,
    },
    credential: { cred: 'cr_1', clientId: CLIENT, kind: 'secret', hash: '', createdAt: 0, validUntil: null },
    ...more,
  });
const service = (more: Partial<CheckRequest> = {}): CheckRequest =>
  ask({ sub: CLIENT, clientId: CLIENT, cred: 'cr_1', ...more });

const reasonOf = (current: DecisionState, request: CheckRequest): string => {
  const answer = decide(current, request);
  return answer.decision === 'allowed' ? 'allowed' : `${answer.decision} ${answer.reason}`;
};

describe('a decision', () => {
  it('allows a member what its roles hold', () => {
    expect(decide(state(), ask())).toEqual({
      decision: 'allowed',
      revision: 7,
      principal: { provider: 'centrali', kind: 'user', sub: 'ann' },
      grants: [{ permission: 'realtime:subscribe' }],
      roles: ['viewer'],
      permissions: [],
    });
    expect(reasonOf(state(), ask({ permission: 'realtime:publish' }))).toBe('forbidden permission_missing');
  });

  it('allows a service account what its roles hold, and takes its kind from the record', () => {
    expect(decide(serviceState(), service({ permission: 'realtime:publish' }))).toMatchObject({
      decision: 'allowed',
      principal: { provider: 'centrali', kind: 'service', sub: CLIENT },
      permissions: ['realtime:subscribe'],
    });
  });

  const account = serviceState().account;
  const credential = serviceState().credential;
  const member = state().member;
  it.each<[string, DecisionState, CheckRequest]>([
    ['forbidden workspace_unknown', state({ workspace: undefined }), ask()],
    ['forbidden workspace_suspended', state({ workspace: { slug: 'demo', state: 'suspended', createdAt: 0 } }), ask()],
    ['forbidden workspace_deleted', state({ workspace: { slug: 'demo', state: 'deleted', createdAt: 0 } }), ask()],
    ['forbidden no_role', state({ member: undefined }), ask()],
    ['forbidden no_role', state({ member: member && { ...member, roles: [] } }), ask()],
    ['forbidden permission_missing', state({ member: member && { ...member, roles: ['gone'] } }), ask()],
    ['forbidden member_blocked', state({ member: member && { ...member, blocked: true } }), ask()],
    ['revoked key_withdrawn', state({ withdrawnKeys: new Set(['k']) }), ask()],
    ['revoked provider_unknown', state(), ask({ provider: 'pr_9' })],
    ['revoked account_unknown', state(), service()],
    ['revoked account_disabled', serviceState({ account: account && { ...account, disabled: true } }), service()],
    ['forbidden account_elsewhere', serviceState({ account: account && { ...account, workspace: 'x' } }), service()],
    ['revoked client_mismatch', serviceState(), service({ clientId: 'centrali-dev' })],
    ['revoked credential_unknown', serviceState({ credential: undefined }), service()],
    ['revoked credential_unknown', serviceState(), ask({ sub: CLIENT, clientId: CLIENT })],
    [
      'revoked credential_mismatch',
      serviceState({ credential: credential && { ...credential, clientId: 'ci_other' } }),
      service(),
    ],
    [
      'revoked credential_expired',
      serviceState({ credential: credential && { ...credential, validUntil: NOW } }),
      service(),
    ],
    ['allowed', serviceState({ credential: credential && { ...credential, validUntil: NOW + 1 } }), service()],
    ['forbidden scope_lacks_permission', state(), ask({ scope: ['realtime:publish'] })],
    ['allowed', state(), ask({ scope: ['openid', 'profile'] })],
  ])('%s', (expected, current, request) => {
    expect(reasonOf(current, request)).toBe(expected);
  });

  it('says how long it holds where the secret has an end, and nowhere else', () => {
    const ending = serviceState({ credential: credential && { ...credential, validUntil: NOW + 250 } });
    expect(decide(ending, service())).toMatchObject({ decision: 'allowed', holdsMs: 250 });
    expect(decide(serviceState(), service())).not.toHaveProperty('holdsMs');
    expect(decide({ ...state(), credential: ending.credential }, ask())).not.toHaveProperty('holdsMs');
  });

  it('blocks a service account that is a blocked member too', () => {
    const blocked = member && { ...member, sub: CLIENT, blocked: true };
    expect(reasonOf(serviceState({ member: blocked }), service())).toBe('forbidden member_blocked');
  });

  it('needs iam:manage to be named in the scope', () => {
    const owner = state({ member: member && { ...member, roles: ['owner'] } });
    const manage = (scope: string[]) => reasonOf(owner, ask({ permission: 'iam:manage', scope }));
    expect(manage([])).toBe('forbidden scope_lacks_permission');
    expect(manage(['openid'])).toBe('forbidden scope_lacks_permission');
    expect(manage(['iam:manage'])).toBe('allowed');
    expect(decide(owner, ask({ scope: [] }))).toMatchObject({
      permissions: expect.not.arrayContaining(['iam:manage']),
    });
  });

  describe('for a principal of a provider', () => {
    const foreign = (more: Partial<CheckRequest> = {}) => ask({ provider: 'pr_1', ...more });
    it('unites member and mapped roles', () => {
      const answer = decide(state(), foreign({ mappedRoles: ['developer', 'viewer'] }));
      expect(answer).toMatchObject({ roles: ['viewer', 'developer'], permissions: ['realtime:publish'] });
    });
    it('lets a mapped role in without a member', () => {
      expect(reasonOf(state({ member: undefined }), foreign({ mappedRoles: ['viewer'] }))).toBe('allowed');
    });
    it('never administers by a mapped role, even one that holds iam:manage', () => {
      const custom = new Map<string, readonly Grant[]>([['boss', [{ permission: 'iam:manage' }]]]);
      for (const role of ['admin', 'owner', 'boss'])
        expect(
          reasonOf(
            state({ member: undefined, customRoles: custom }),
            foreign({ mappedRoles: [role], permission: 'iam:manage', scope: ['iam:manage'] }),
          ),
        ).toBe('forbidden permission_missing');
    });
    it('does not take a sub for a client id of ours', () => {
      expect(reasonOf(serviceState(), service({ provider: 'pr_1' }))).toBe('forbidden no_role');
    });
    it('does not look at our withdrawn keys', () => {
      expect(reasonOf(state({ withdrawnKeys: new Set(['k']) }), foreign())).toBe('allowed');
    });
  });

  it('ignores mapped roles of our own tokens', () => {
    expect(reasonOf(state({ member: undefined }), ask({ mappedRoles: ['owner'] }))).toBe('forbidden no_role');
  });

  describe('grants', () => {
    const filtered: Grant = { permission: 'realtime:subscribe', structures: ['order'], filter: "data.owner:'{sub}'" };
    const withRoles = (roles: string[], grants: readonly Grant[]) =>
      state({ member: member && { ...member, roles }, customRoles: new Map([['clerk', grants]]) });
    it('come from custom roles as they are stored, each once', () => {
      const answer = decide(withRoles(['clerk'], [filtered, { ...filtered }]), ask());
      expect(answer).toMatchObject({ grants: [filtered], roles: ['clerk'] });
    });
    it('are all idle beside one of everything', () => {
      expect(decide(withRoles(['clerk', 'viewer'], [filtered]), ask())).toMatchObject({
        grants: [{ permission: 'realtime:subscribe' }],
      });
    });
    it('with empty lists open everything', () => {
      expect(
        decide(withRoles(['clerk'], [{ permission: 'realtime:subscribe', structures: [], events: [] }]), ask()),
      ).toMatchObject({ grants: [{ permission: 'realtime:subscribe' }] });
    });
  });
});

describe('revocations', () => {
  const base = { workspace: 'demo', provider: 'centrali' } as const;
  const revoked = (
    ...records: ConstructorParameters<typeof RevocationIndex>[0] extends Iterable<infer R> ? R[] : never
  ) => reasonOf(state({ revocations: new RevocationIndex(records) }), ask()) === 'revoked token_revoked';

  it('end what they name, up to their second', () => {
    expect(revoked({ ...base, jti: 'j' })).toBe(true);
    expect(revoked({ ...base, jti: 'other' })).toBe(false);
    expect(revoked({ ...base, sub: 'ann', notBefore: 900 })).toBe(true);
    expect(revoked({ ...base, sub: 'ann', notBefore: 899 })).toBe(false);
    expect(revoked({ ...base, clientId: 'centrali-dev', notBefore: 900 })).toBe(true);
    expect(revoked({ ...base, notBefore: 900 })).toBe(true);
    expect(revoked({ ...base, notBefore: 899 })).toBe(false);
    expect(revoked({ ...base, workspace: null, jti: 'j' })).toBe(true);
  });
  it('end nothing elsewhere, of other providers, or when they name nothing', () => {
    expect(revoked({ ...base, workspace: 'other', jti: 'j' })).toBe(false);
    expect(revoked({ ...base, provider: 'pr_1', sub: 'ann', notBefore: 900 })).toBe(false);
    expect(revoked(base)).toBe(false);
    expect(revoked({ ...base, sub: 'ann', clientId: 'ci_other', notBefore: 900 })).toBe(false);
  });
  it('of several levels, the newest counts, in whatever order they came', () => {
    const levels = [
      { ...base, notBefore: 100 },
      { ...base, clientId: 'centrali-dev', notBefore: 950 },
      { ...base, sub: 'ann', notBefore: 200 },
    ];
    fc.assert(
      fc.property(fc.shuffledSubarray(levels), (records) => {
        expect(revoked(...records)).toBe(records.some(({ notBefore }) => notBefore >= 900));
      }),
    );
  });
});
