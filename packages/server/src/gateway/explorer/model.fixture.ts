/** What IAM is, as simply as it can be said: the state, what may change in it, and who may do what by it. */
import type { CheckAnswer, CheckRequest, Grant, RevocationRecord } from '@centrali-io/protocol';

/** One state of IAM. Never changed: a change makes another one. */
export interface State {
  /** Grants by workspace and role. */
  readonly roles: Readonly<Record<string, Readonly<Record<string, readonly Grant[]>>>>;
  /** Members by workspace, provider and sub. */
  readonly members: Readonly<Record<string, { readonly roles: readonly string[]; readonly blocked: boolean }>>;
  readonly suspended: readonly string[];
  readonly revocations: readonly RevocationRecord[];
  readonly withdrawn: readonly string[];
  /** The role that the provider's mapping gives, by workspace; absent: no provider there. */
  readonly mapped: Readonly<Record<string, string>>;
}

/** A token, as its claims say. */
export interface TokenModel {
  readonly provider: string;
  readonly sub: string;
  readonly workspaces: readonly string[];
  readonly clientId: string;
  readonly jti: string;
  readonly sid: string;
  readonly kid: string;
  /** Seconds. */
  readonly iat: number;
  readonly exp: number;
}

/** An event, as far as grants look at it. */
export interface EventModel {
  readonly n: number;
  readonly workspace: string;
  readonly slug: string;
  readonly owner: string;
  readonly committedAt: number;
}

/** The provider of a workspace; each vouches for its own alone, for the same subs as our own IAM has. */
export const providerOf = (workspace: string): string => `pr_${workspace}`;

export const memberKey = (workspace: string, provider: string, sub: string): string =>
  `${workspace} ${provider} ${sub}`;

/** Whether a revocation ends a token that is used in a workspace. */
function ends(record: RevocationRecord, workspace: string, token: TokenModel, jtis: ReadonlySet<string>): boolean {
  if (record.provider !== token.provider) return false;
  if (record.workspace !== null && record.workspace !== workspace) return false;
  if (record.jti !== undefined) return jtis.has(record.jti);
  if (record.sub !== undefined && record.sub !== token.sub) return false;
  if (record.clientId !== undefined && record.clientId !== token.clientId) return false;
  if (record.sid !== undefined && record.sid !== token.sid) return false;
  return record.notBefore === undefined || token.iat <= record.notBefore;
}

/** Why a token is dead in a workspace, if it is. */
export function whyDead(
  state: State,
  workspace: string,
  token: TokenModel,
  jtis: ReadonlySet<string> = new Set([token.jti]),
): string | undefined {
  if (token.provider === 'centrali' && state.withdrawn.includes(token.kid)) return 'key_withdrawn';
  if (token.provider !== 'centrali' && state.mapped[workspace] === undefined) return 'provider_unknown';
  if (state.revocations.some((record) => ends(record, workspace, token, jtis))) return 'token_revoked';
  return undefined;
}

/** The grants of a permission that a principal has by these roles. */
function grantsOf(state: State, workspace: string, roles: readonly string[], permission: string): readonly Grant[] {
  const all = [...new Set(roles)].flatMap((role) => state.roles[workspace]?.[role] ?? []);
  return all.filter((grant) => grant.permission === permission);
}

function rolesOf(state: State, workspace: string, provider: string, sub: string): readonly string[] | undefined {
  if (state.suspended.includes(workspace)) return undefined;
  const member = state.members[memberKey(workspace, provider, sub)];
  if (member?.blocked) return undefined;
  return member?.roles ?? [];
}

/** The answer of a node that knows this state. */
export function answerOf(state: State, revision: number, request: CheckRequest): CheckAnswer {
  const { workspace, provider, sub, permission, mappedRoles } = request;
  const token = { ...request, workspaces: [workspace], exp: 0 } as CheckRequest & TokenModel;
  const dead = whyDead(state, workspace, token);
  if (dead) return { decision: 'revoked', revision, reason: dead };
  const roles = rolesOf(state, workspace, provider, sub);
  if (!roles) return { decision: 'forbidden', revision, reason: 'barred' };
  const held = [...roles, ...mappedRoles];
  const grants = grantsOf(state, workspace, held, permission);
  if (grants.length === 0) return { decision: 'forbidden', revision, reason: 'permission_missing' };
  const kind = 'user' as const;
  return { decision: 'allowed', revision, principal: { provider, kind, sub }, grants, roles: held, permissions: [] };
}

/** What a stream or a publisher lives on. */
export interface Lives {
  readonly workspace: string;
  readonly token: TokenModel;
  /** Names of all tokens that it has lived on. */
  readonly jtis: ReadonlySet<string>;
}

/**
 * The grants of a permission that whoever lives on this has by the state: the truth, without any cache.
 * `mapping`: the state whose mapping counts, if it is another one.
 */
export function trueGrants(
  state: State,
  { workspace, token, jtis }: Lives,
  permission: string,
  mapping: State = state,
): readonly Grant[] {
  if (!token.workspaces.includes(workspace)) return [];
  if (whyDead(state, workspace, token, jtis)) return [];
  const roles = rolesOf(state, workspace, token.provider, token.sub);
  if (!roles) return [];
  const mapped = token.provider === 'centrali' ? [] : [mapping.mapped[workspace] ?? ''];
  return grantsOf(state, workspace, [...roles, ...mapped], permission);
}

/** Whether grants cover an event. */
export function covers(grants: readonly Grant[], event: EventModel, sub: string): boolean {
  return grants.some(
    ({ structures, filter }) =>
      (!structures || structures.includes(event.slug)) && (filter === undefined || event.owner === sub),
  );
}
