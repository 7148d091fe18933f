import { isWorkspaceSlug, OPERATOR_CLIENT, OWN_PROVIDER } from '@centrali-io/protocol';
import { Refusal } from '../resource-server/index.ts';
import { roleExists } from './admin/authority.ts';
import { auditOf, OPERATOR } from './audit/actor.ts';
import type { Iam } from './iam.ts';
import type { KeyRing } from './keys/key-ring.ts';
import { mustBeUser } from './members/put-member.ts';
import type { IamServices } from './services.ts';
import type { StoreTransaction, WorkspaceRecord } from './store/port.ts';

/** What the operator does on the host: access to the store is the authority. */
export type OperatorActions = Pick<
  Iam,
  | 'ensureWorkspace'
  | 'listWorkspaces'
  | 'setWorkspaceState'
  | 'createAccount'
  | 'putMember'
  | 'issueAdminToken'
  | 'listKeys'
  | 'rotateKeys'
  | 'withdrawKey'
>;

const STATE_ACTIONS = { active: 'resume', suspended: 'suspend', deleted: 'delete' } as const;

/** Makes the actions; each change is recorded as the operator's. */
export function operatorActions(services: IamServices, keys: KeyRing): OperatorActions {
  const { store, now } = services;

  const putMember: Iam['putMember'] = ({ workspace, sub, role }) =>
    store.transaction(async (tx) => {
      const at = now();
      mustBeUser(sub);
      mustBeActive(await tx.workspaces.get(workspace));
      await mustBeRole(tx, workspace, role);
      const present = await tx.members.get({ workspace, provider: OWN_PROVIDER, sub });
      const roles = [...new Set([...(present?.roles ?? []), role])];
      if (present && !present.blocked && present.roles.includes(role)) return await tx.feed.head();
      await tx.members.put({
        workspace,
        provider: OWN_PROVIDER,
        sub,
        roles,
        blocked: false,
        createdAt: at,
        updatedAt: at,
      });
      const revision = await tx.recordChange(
        { kind: 'member', workspace, provider: OWN_PROVIDER, sub },
        { ...auditOf(OPERATOR, at), workspace, action: 'member.put', target: sub, detail: { roles } },
      );
      return { revision };
    });

  return {
    ensureWorkspace(slug) {
      if (!isWorkspaceSlug(slug)) throw new TypeError('The slug of a workspace is 1 to 63 of a-z, 0-9 and -.');
      return store.transaction(async (tx) => {
        const present = await tx.workspaces.get(slug);
        if (present?.state === 'deleted')
          throw new Refusal('CONFLICT', 'workspace_deleted', { message: 'A slug is never used twice.' });
        if (present) return false;
        const at = now();
        await tx.workspaces.insert({ slug, state: 'active', createdAt: at });
        await tx.recordChange(
          { kind: 'workspace', workspace: slug },
          { ...auditOf(OPERATOR, at), workspace: slug, action: 'workspace.create', target: slug },
        );
        return true;
      });
    },
    listWorkspaces: () => store.read((view) => view.workspaces.list()),
    setWorkspaceState: (slug, to) =>
      store.transaction(async (tx) => {
        const present = await tx.workspaces.get(slug);
        if (!present) return undefined;
        if (present.state === 'deleted')
          throw new Refusal('CONFLICT', 'workspace_deleted', { message: 'The workspace is deleted for good.' });
        await tx.workspaces.setState(slug, to);
        const revision = await tx.recordChange(
          { kind: 'workspace', workspace: slug },
          { ...auditOf(OPERATOR, now()), workspace: slug, action: `workspace.${STATE_ACTIONS[to]}`, target: slug },
        );
        return { revision };
      }),
    createAccount: ({ workspace, name, description, role }) =>
      services.accounts.create(
        {
          workspace,
          name,
          roles: role === undefined ? [] : [role],
          ...(description === undefined ? {} : { description }),
        },
        OPERATOR,
        async (tx) => {
          mustBeActive(await tx.workspaces.get(workspace));
          if (role !== undefined) await mustBeRole(tx, workspace, role);
        },
      ),
    putMember,
    async issueAdminToken({ workspace, sub = 'operator', lifetimeSeconds = 43_200 }) {
      await putMember({ workspace, sub, role: 'owner' });
      const { token, claims } = await services.issueToken({
        sub,
        clientId: OPERATOR_CLIENT,
        workspaces: [workspace],
        scope: 'iam:manage',
        lifetimeSeconds,
      });
      // A token of an owner is a grant like any other: it stands in the log before it is handed out.
      await store.transaction((tx) =>
        tx.audit.append([
          {
            ...auditOf(OPERATOR, now()),
            workspace,
            kind: 'token',
            action: 'admin-token.issue',
            target: sub,
            jti: claims.jti,
          },
        ]),
      );
      return { token, expiresAt: claims.exp * 1_000 };
    },
    listKeys: async () => keys.list(),
    rotateKeys: () => keys.rotate(OPERATOR),
    withdrawKey: (kid) => keys.withdraw(kid, OPERATOR),
  };
}

async function mustBeRole(tx: StoreTransaction, workspace: string, role: string): Promise<void> {
  if (!(await roleExists(tx, workspace, role)))
    throw new Refusal('BAD_REQUEST', 'role_unknown', { message: 'There is no such role.' });
}

function mustBeActive(workspace: WorkspaceRecord | undefined): void {
  if (!workspace) throw new Refusal('NOT_FOUND', 'workspace_unknown', { message: 'There is no such workspace.' });
  if (workspace.state !== 'active')
    throw new Refusal('CONFLICT', 'workspace_inactive', { message: 'The workspace is suspended or deleted.' });
}
