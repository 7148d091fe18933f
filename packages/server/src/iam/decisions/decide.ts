/** Step 4 of the connection flow: the one question of a gateway, answered from one moment of the state. Pure. */
import {
  BUILT_IN_ROLES,
  type CheckAnswer,
  type CheckRequest,
  type Grant,
  isBuiltInRole,
  OWN_PROVIDER,
  PERMISSIONS,
  type Permission,
  type Principal,
  scopeAllows,
} from '@centrali-io/protocol';
import type { AccountRecord, CredentialRecord, MemberRecord, WorkspaceRecord } from '../store/port.ts';
import type { RevocationIndex } from './revocations.ts';

/** What a decision looks at: the state at one revision, as far as the request names it. */
export interface DecisionState {
  readonly revision: number;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly workspace: WorkspaceRecord | undefined;
  /** The account whose client id the token's `sub` is. */
  readonly account: AccountRecord | undefined;
  /** The credential that the token's `cred` names. */
  readonly credential: CredentialRecord | undefined;
  readonly member: MemberRecord | undefined;
  /** Grants of the workspace's own roles. */
  readonly customRoles: ReadonlyMap<string, readonly Grant[]>;
  /** Ids of the providers that vouch for the workspace. */
  readonly providers: ReadonlySet<string>;
  readonly withdrawnKeys: ReadonlySet<string>;
  readonly revocations: RevocationIndex;
}

/** The part of a check that is about the token, not about what is asked. */
export type TokenFacts = Omit<CheckRequest, 'permission' | 'scope' | 'attributes' | 'atLeast'>;

/**
 * Decides. What ends the token itself is `revoked`; what the principal may not here is `forbidden`. Any
 * doubt denies. Rights are judged on the roles, then cut by the token's scope.
 */
export function decide(state: DecisionState, request: CheckRequest): CheckAnswer {
  const { revision } = state;
  const dead = whyRevoked(state, request);
  if (dead !== undefined) return { decision: 'revoked', revision, reason: dead };
  const barred = whyBarred(state, request);
  if (barred !== undefined) return { decision: 'forbidden', revision, reason: barred };

  const roles = rolesOf(state, request);
  const held = roles.flatMap(({ name, mapped }) => grantsOf(name, mapped, state.customRoles));
  const grants = unionOf(held.filter(({ permission }) => permission === request.permission));
  if (grants.length === 0) {
    const reason = roles.length === 0 ? 'no_role' : 'permission_missing';
    return { decision: 'forbidden', revision, reason };
  }
  if (!scopeAllows(request.scope, request.permission))
    return { decision: 'forbidden', revision, reason: 'scope_lacks_permission' };
  return {
    decision: 'allowed',
    revision,
    principal: principalOf(state, request),
    grants,
    roles: roles.map(({ name }) => name),
    permissions: PERMISSIONS.filter(
      (permission) =>
        permission !== request.permission &&
        held.some((grant) => grant.permission === permission) &&
        scopeAllows(request.scope, permission),
    ),
    ...holdsUntil(state, request),
  };
}

/** A token ends with the secret or key that obtained it, whose end may be known ahead. */
function holdsUntil(state: DecisionState, request: CheckRequest): { readonly holdsMs?: number } {
  const end = accountOf(state, request) && state.credential?.validUntil;
  return end == null ? {} : { holdsMs: Math.max(0, end - state.now) };
}

/** Why the token is dead, if it is: its key, what it was obtained with, its issuer, or a revocation. */
export function whyRevoked(state: DecisionState, request: TokenFacts): string | undefined {
  const own = request.provider === OWN_PROVIDER;
  if (own && state.withdrawnKeys.has(request.kid)) return 'key_withdrawn';
  // A workspace that is not there has no providers either; whyBarred names the reason.
  if (!own && state.workspace && !state.providers.has(request.provider)) return 'provider_unknown';
  if (state.revocations.find(request)) return 'token_revoked';
  if (!own || !request.sub.startsWith('ci_')) return undefined;
  const { credential } = state;
  const account = accountOf(state, request);
  if (!account) return 'account_unknown';
  if (account.disabled) return 'account_disabled';
  // Only the account itself obtains tokens that name it, each with one of its credentials.
  if (request.clientId !== request.sub) return 'client_mismatch';
  if (!credential || credential.cred !== request.cred) return 'credential_unknown';
  if (credential.clientId !== account.clientId) return 'credential_mismatch';
  if (credential.validUntil !== null && state.now >= credential.validUntil) return 'credential_expired';
  return undefined;
}

/** The account that the token names. A provider's principal has none, whatever its `sub` looks like. */
function accountOf({ account }: DecisionState, { provider, sub }: TokenFacts): AccountRecord | undefined {
  return provider === OWN_PROVIDER && account?.clientId === sub ? account : undefined;
}

/** Why nobody or not this principal comes in here, if so. */
export function whyBarred(state: DecisionState, request: TokenFacts): string | undefined {
  const { workspace, member } = state;
  const account = accountOf(state, request);
  if (!workspace) return 'workspace_unknown';
  if (workspace.state !== 'active') return `workspace_${workspace.state}`;
  if (account && account.workspace !== request.workspace) return 'account_elsewhere';
  if (member?.blocked) return 'member_blocked';
  return undefined;
}

/** The roles: the member's, the account's, and those that the provider's mapping gives. */
function rolesOf(state: DecisionState, request: TokenFacts): { name: string; mapped: boolean }[] {
  const stored = new Set([...(accountOf(state, request)?.roles ?? []), ...(state.member?.roles ?? [])]);
  const mapped = request.provider === OWN_PROVIDER ? [] : request.mappedRoles;
  return [
    ...[...stored].map((name) => ({ name, mapped: false })),
    ...[...new Set(mapped)].filter((name) => !stored.has(name)).map((name) => ({ name, mapped: true })),
  ];
}

/** Every permission that the token's principal holds here, whatever the scope. */
export function heldPermissions(state: DecisionState, request: TokenFacts): ReadonlySet<Permission> {
  return new Set(
    rolesOf(state, request).flatMap(({ name, mapped }) =>
      grantsOf(name, mapped, state.customRoles).map(({ permission }) => permission),
    ),
  );
}

/** What a role grants. A mapped role never administers, even if it was given `iam:manage` after it was mapped. */
function grantsOf(name: string, mapped: boolean, custom: DecisionState['customRoles']): readonly Grant[] {
  const grants: readonly Grant[] = isBuiltInRole(name)
    ? BUILT_IN_ROLES[name].map((permission: Permission) => ({ permission }))
    : (custom.get(name) ?? []);
  return mapped ? grants.filter(({ permission }) => permission !== 'iam:manage') : grants;
}

/** A union in which a grant of everything makes the others idle, and equal ones stand once. */
function unionOf(grants: readonly Grant[]): readonly Grant[] {
  const whole = grants.find(
    ({ structures, events, filter }) => !structures?.length && !events?.length && filter === undefined,
  );
  if (whole) return [{ permission: whole.permission }];
  return [...new Map(grants.map((grant) => [JSON.stringify(grant), grant])).values()];
}

/** The kind comes from the record: whoever has a service account is a service. */
function principalOf(state: DecisionState, request: TokenFacts): Principal {
  const { provider, sub } = request;
  return { provider, kind: accountOf(state, request) ? 'service' : 'user', sub };
}
