import { OWN_PROVIDER, writePrincipal } from '@centrali-io/protocol';
import { Refusal } from '../../resource-server/index.ts';
import { type Authority, authorityOf, grantsOf, mustKeepOwner, OWNER, roleExists } from '../admin/authority.ts';
import type { Caller } from '../admin/caller.ts';
import { changeRow } from '../audit/change-row.ts';
import { shadowWarnings } from '../roles/shadow-warnings.ts';
import type { MemberKey, MemberRecord, StoreTransaction, StoreView } from '../store/port.ts';
import { isUserSub } from './schemas.ts';

/** A change of a member that was made. */
export interface MemberChange {
  readonly member: MemberRecord;
  readonly revision: number;
  readonly warnings: readonly string[];
}

/** BAD_REQUEST for a name that is a service account's. */
export function mustBeUser(sub: string): void {
  if (!isUserSub(sub)) {
    throw new Refusal('BAD_REQUEST', 'sub_reserved', {
      message: 'sub: begins with ci_, which is for service accounts; see service-accounts.',
    });
  }
}

/** BAD_REQUEST when the provider does not vouch for users of this workspace. */
export async function mustKnowProvider(view: StoreView, workspace: string, provider: string): Promise<void> {
  if (provider === OWN_PROVIDER) return;
  const stored = await view.providers.get(provider);
  if (!stored?.record.workspaces.includes(workspace)) {
    throw new Refusal('BAD_REQUEST', 'provider_unknown', { message: 'provider: is not known in this workspace.' });
  }
}

/** BAD_REQUEST when the workspace has no role of one of these names; `field` is what the request calls them. */
export async function mustKnowRoles(
  view: StoreView,
  workspace: string,
  roles: readonly string[],
  field = 'roles',
): Promise<void> {
  for (const name of roles) {
    if (await roleExists(view, workspace, name)) continue;
    throw new Refusal('BAD_REQUEST', 'role_unknown', {
      message: `${field}: names a role that this workspace does not have.`,
    });
  }
}

/** Everything that a member is by its record and, as far as that is known here, by its provider. */
async function presentRoles(view: StoreView, key: MemberKey, present: MemberRecord | undefined): Promise<string[]> {
  const stored = key.provider === OWN_PROVIDER ? undefined : await view.providers.get(key.provider);
  const { defaultRole } = stored?.record.mapping ?? {};
  return [...(present?.roles ?? []), ...(defaultRole === undefined ? [] : [defaultRole])];
}

/**
 * Makes a member or replaces its roles, in the caller's transaction: neither what it is now nor what it
 * becomes may go beyond the caller's own permissions, and the last owner stays.
 */
export async function putMember(
  tx: StoreTransaction,
  caller: Caller,
  key: MemberKey,
  change: {
    readonly roles: readonly string[];
    readonly blocked: boolean;
    readonly at: number;
    readonly action?: string;
  },
): Promise<MemberChange> {
  mustBeUser(key.sub);
  const { workspace } = key;
  await mustKnowProvider(tx, workspace, key.provider);
  const authority: Authority = await authorityOf(tx, caller);
  const present = await tx.members.get(key);
  const held = await presentRoles(tx, key, present);
  await authority.mustCoverRoles(held);
  await mustKnowRoles(tx, workspace, change.roles);
  await authority.mustCoverRoles(change.roles);

  const roles = [...new Set(change.roles)];
  const wasOwner = present !== undefined && !present.blocked && present.roles.includes(OWNER);
  if (wasOwner && (change.blocked || !roles.includes(OWNER))) await mustKeepOwner(tx, workspace, key);

  const { at } = change;
  const member: MemberRecord = {
    ...key,
    roles,
    blocked: change.blocked,
    createdAt: present?.createdAt ?? at,
    updatedAt: at,
  };
  await tx.members.put(member);
  const revision = await tx.recordChange(
    { kind: 'member', ...key },
    changeRow(caller, {
      at,
      action: change.action ?? 'member.put',
      target: writePrincipal(key),
      detail: {
        roles,
        blocked: change.blocked,
        before: present ? { roles: present.roles, blocked: present.blocked } : null,
      },
    }),
  );
  const grants = await grantsOf(tx, workspace, [...roles, ...held.filter((name) => !present?.roles.includes(name))]);
  return { member, revision, warnings: shadowWarnings(grants) };
}
