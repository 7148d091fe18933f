import { BUILT_IN_ROLES, type Grant, OWN_PROVIDER, type Principal } from '@centrali-io/protocol';
import { Refusal } from '../../resource-server/index.ts';
import { beyond, builtInGrants } from '../roles/cover.ts';
import type { StoreView } from '../store/port.ts';
import type { Caller } from './caller.ts';

/** The role that a workspace never loses its last holder of. */
export const OWNER = 'owner';

/**
 * Everything that the roles grant in a workspace. A name that no role has grants nothing.
 * Reads in the caller's transaction, so that what is judged is what is changed.
 */
export async function grantsOf(view: StoreView, workspace: string, roles: Iterable<string>): Promise<readonly Grant[]> {
  const grants: Grant[] = [];
  for (const name of new Set(roles)) {
    grants.push(...(builtInGrants(name) ?? (await view.roles.get(workspace, name))?.grants ?? []));
  }
  return grants;
}

/** Whether a role of this name exists in the workspace. */
export async function roleExists(view: StoreView, workspace: string, name: string): Promise<boolean> {
  return builtInGrants(name) !== undefined || (await view.roles.get(workspace, name)) !== undefined;
}

/** The roles that IAM's records give a principal; none when it is blocked, disabled or unknown. */
export async function storedRoles(
  view: StoreView,
  workspace: string,
  { provider, kind, sub }: Principal,
): Promise<readonly string[]> {
  if (kind === 'service') {
    const account = await view.accounts.byClientId(sub);
    return account?.workspace === workspace && !account.disabled ? account.roles : [];
  }
  const member = await view.members.get({ workspace, provider, sub });
  return member && !member.blocked ? member.roles : [];
}

/**
 * What the caller may hand out: the grants of all its roles as they are in this transaction, whatever
 * the scope of its token. FORBIDDEN when `iam:manage` went since the request was let in.
 */
export async function authorityOf(view: StoreView, caller: Caller): Promise<Authority> {
  const { workspace, principal, mappedRoles } = caller;
  const member =
    principal.kind === 'user'
      ? await view.members.get({ workspace, provider: principal.provider, sub: principal.sub })
      : undefined;
  const mapped = member?.blocked ? [] : await grantsOf(view, workspace, mappedRoles);
  const held = [
    ...(await grantsOf(view, workspace, await storedRoles(view, workspace, principal))),
    // As decisions have it: what a provider's claims say never administers.
    ...mapped.filter(({ permission }) => permission !== 'iam:manage'),
  ];
  if (!held.some(({ permission }) => permission === 'iam:manage')) {
    throw new Refusal('FORBIDDEN', 'permission_gone', { scope: 'iam:manage' });
  }
  const mustCover = (grants: readonly Grant[]): void => {
    if (!beyond(held, grants)) return;
    throw new Refusal('FORBIDDEN', 'above_own_permissions', {
      message: 'This goes beyond your own permissions in this workspace.',
    });
  };
  return { held, mustCover, mustCoverRoles: async (names) => mustCover(await grantsOf(view, workspace, names)) };
}

/** What a caller may hand out. */
export interface Authority {
  readonly held: readonly Grant[];
  /** FORBIDDEN when one of the grants goes beyond the caller's own. */
  mustCover(grants: readonly Grant[]): void;
  /** The same for everything that these roles grant. */
  mustCoverRoles(names: Iterable<string>): Promise<void>;
}

/**
 * FORBIDDEN when a provider has members above the caller: who takes the provider away takes them away too.
 * Blocked ones do not count.
 */
export async function mustCoverMembers(
  view: StoreView,
  workspace: string,
  provider: string,
  authority: Authority,
): Promise<void> {
  const custom = (await view.roles.list(workspace)).map(({ name }) => name);
  for (const name of [...Object.keys(BUILT_IN_ROLES), ...custom]) {
    const grants = await grantsOf(view, workspace, [name]);
    if (!beyond(authority.held, grants)) continue;
    const holders = await view.members.withRole(workspace, name);
    if (holders.some((member) => member.provider === provider)) authority.mustCover(grants);
  }
}

/** Who is about to stop being an owner. */
export type LeavingOwner = { readonly clientId: string } | { readonly provider: string; readonly sub?: string };

/**
 * CONFLICT when the workspace would be left without an owner. Owners are members that are not blocked and
 * service accounts that are not disabled, with the role owner. Call it only for one that is an owner now.
 * @param leaving Who goes; a provider without `sub` stands for all its members.
 */
export async function mustKeepOwner(view: StoreView, workspace: string, leaving: LeavingOwner): Promise<void> {
  // Nobody can come as a member whose provider has gone.
  const providers = new Set([OWN_PROVIDER, ...(await view.providers.list(workspace)).map(({ record }) => record.id)]);
  const members = (await view.members.withRole(workspace, OWNER)).filter(({ provider }) => providers.has(provider));
  const accounts = await view.accounts.withRole(workspace, OWNER);
  const stay =
    'clientId' in leaving
      ? members.length + accounts.filter(({ clientId }) => clientId !== leaving.clientId).length
      : accounts.length +
        members.filter(
          ({ provider, sub }) => provider !== leaving.provider || (leaving.sub !== undefined && sub !== leaving.sub),
        ).length;
  if (stay === 0) {
    throw new Refusal('CONFLICT', 'last_owner', {
      message: 'This is the last owner of the workspace; make another one first.',
    });
  }
}
