import { BUILT_IN_ROLES, type BuiltInRole, isBuiltInRole } from '@centrali-io/protocol';
import { z } from 'zod';
import { Refusal } from '../../resource-server/index.ts';
import { type AdminApp, operation } from '../admin/app.ts';
import { authorityOf } from '../admin/authority.ts';
import { noBody, pageOf, pageQuery, workspaceParam } from '../admin/fields.ts';
import { instantOf } from '../admin/instant.ts';
import { decodeCursor, limitOf, pageFrom } from '../admin/page.ts';
import { changeRow } from '../audit/change-row.ts';
import { mappedRoleNames } from '../providers/mapping.ts';
import type { IamServices } from '../services.ts';
import type { RoleRecord, StoreTransaction, StoreView } from '../store/port.ts';
import { builtInGrants } from './cover.ts';
import { mustParseFilters } from './grant-filter.ts';
import { revisionAnswer, roleBody, roleChanged, roleItem, roleParams, storedGrantOf } from './schemas.ts';
import { shadowWarnings } from './shadow-warnings.ts';

/** Most roles that a workspace can make. */
export const MAX_ROLES = 500;

type RoleItem = z.output<typeof roleItem>;

function itemOf({ name, grants, createdAt, updatedAt }: RoleRecord): RoleItem {
  return {
    name,
    builtIn: false,
    grants: grants as RoleItem['grants'],
    createdAt: instantOf(createdAt),
    updatedAt: instantOf(updatedAt),
  };
}

const builtInItem = (name: string): RoleItem => ({
  name,
  builtIn: true,
  grants: (builtInGrants(name) ?? []) as RoleItem['grants'],
  createdAt: null,
  updatedAt: null,
});

const BUILT_IN: readonly RoleItem[] = (Object.keys(BUILT_IN_ROLES) as BuiltInRole[]).map(builtInItem);

/** CONFLICT for a built-in role, also in other case: `Owner` beside `owner` would deceive people. */
function mustBeOwn(name: string): void {
  if (isBuiltInRole(name.toLowerCase())) {
    throw new Refusal('CONFLICT', 'role_built_in', { message: 'Built-in roles cannot be changed.' });
  }
}

async function providersThatMapTo(view: StoreView, workspace: string, role: string): Promise<readonly string[]> {
  const providers = await view.providers.list(workspace);
  return providers
    .filter(({ record }) => mappedRoleNames(record.mapping).includes(role))
    .map(({ record }) => record.id);
}

/** Takes the role from those who hold it, so that a later role of the same name is not theirs by accident. */
async function takeFromHolders(tx: StoreTransaction, workspace: string, role: string, now: number): Promise<number> {
  const rest = (roles: readonly string[]): readonly string[] => roles.filter((name) => name !== role);
  const members = await tx.members.withRole(workspace, role);
  for (const member of members) await tx.members.put({ ...member, roles: rest(member.roles), updatedAt: now });
  const accounts = await tx.accounts.withRole(workspace, role);
  for (const { clientId, roles } of accounts) await tx.accounts.update(clientId, { roles: rest(roles) });
  return members.length + accounts.length;
}

/** `roles`: what the workspace's own roles grant. */
export function roleRoutes(app: AdminApp, { store, now }: IamServices): void {
  app.get(
    '/roles',
    {
      schema: {
        ...operation({
          tag: 'Roles',
          id: 'listRoles',
          summary: 'All roles, built-in ones first',
          answers: { 200: pageOf(roleItem) },
        }),
        params: z.strictObject(workspaceParam),
        querystring: z.strictObject(pageQuery),
      },
    },
    async ({ caller, query }) => {
      const after = decodeCursor(query.after, 1)?.[0];
      const stored = await store.read((view) => view.roles.list(caller.workspace));
      const passed = after === undefined ? 0 : BUILT_IN.findIndex(({ name }) => name === after) + 1;
      // A cursor that names no built-in role is past them all, also when its own role has gone since.
      const rows =
        after === undefined || passed > 0
          ? [...BUILT_IN.slice(passed), ...stored.map(itemOf)]
          : stored.filter(({ name }) => name > after).map(itemOf);
      const page = pageFrom(
        rows.slice(0, limitOf(query) + 1),
        query,
        ({ name }) => [name],
        (item) => item,
      );
      return page;
    },
  );

  app.get(
    '/roles/:name',
    {
      schema: {
        ...operation({ tag: 'Roles', id: 'getRole', summary: 'One role', answers: { 200: roleItem } }),
        params: roleParams,
      },
    },
    async ({ caller, params: { name } }) => {
      if (isBuiltInRole(name)) return builtInItem(name);
      const role = await store.read((view) => view.roles.get(caller.workspace, name));
      if (!role) throw new Refusal('NOT_FOUND', 'role_unknown');
      return itemOf(role);
    },
  );

  app.put(
    '/roles/:name',
    {
      schema: {
        ...operation({
          tag: 'Roles',
          id: 'putRole',
          summary: 'Make a role, or replace its grants',
          answers: { 200: roleChanged },
        }),
        params: roleParams,
        body: roleBody,
      },
    },
    async ({ caller, params: { name }, body }) => {
      mustBeOwn(name);
      const grants = body.grants.map(storedGrantOf);
      mustParseFilters(grants);
      const { workspace } = caller;
      return store.transaction(async (tx) => {
        const authority = await authorityOf(tx, caller);
        const present = await tx.roles.get(workspace, name);
        authority.mustCover(present?.grants ?? []);
        authority.mustCover(grants);
        if (!present && (await tx.roles.list(workspace)).length >= MAX_ROLES) {
          throw new Refusal('CONFLICT', 'too_many_roles', { message: `A workspace has at most ${MAX_ROLES} roles.` });
        }
        const manages = grants.some(({ permission }) => permission === 'iam:manage');
        if (manages && (await providersThatMapTo(tx, workspace, name)).length > 0) {
          throw new Refusal('CONFLICT', 'mapping_target', {
            message: 'A provider maps users to this role, so it cannot hold iam:manage.',
          });
        }
        const at = now();
        const role: RoleRecord = { workspace, name, grants, createdAt: present?.createdAt ?? at, updatedAt: at };
        await tx.roles.put(role);
        const revision = await tx.recordChange(
          { kind: 'role', workspace, role: name },
          changeRow(caller, {
            at,
            action: 'role.put',
            target: name,
            detail: { permissions: [...new Set(grants.map(({ permission }) => permission))] },
          }),
        );
        return { ...itemOf(role), revision, warnings: shadowWarnings(grants) };
      });
    },
  );

  app.delete(
    '/roles/:name',
    {
      schema: {
        ...operation({
          tag: 'Roles',
          id: 'deleteRole',
          summary: 'Delete a role; members and service accounts lose it',
          answers: { 200: revisionAnswer },
        }),
        params: roleParams,
        body: noBody,
      },
    },
    async ({ caller, params: { name } }) => {
      mustBeOwn(name);
      const { workspace } = caller;
      return store.transaction(async (tx) => {
        const authority = await authorityOf(tx, caller);
        const present = await tx.roles.get(workspace, name);
        if (!present) throw new Refusal('NOT_FOUND', 'role_unknown');
        authority.mustCover(present.grants);
        if ((await providersThatMapTo(tx, workspace, name)).length > 0) {
          throw new Refusal('CONFLICT', 'mapping_target', { message: 'A provider maps users to this role.' });
        }
        const at = now();
        const holders = await takeFromHolders(tx, workspace, name, at);
        await tx.roles.delete(workspace, name);
        const revision = await tx.recordChange(
          { kind: 'role', workspace, role: name },
          changeRow(caller, { at, action: 'role.delete', target: name, detail: { holders } }),
        );
        return { revision };
      });
    },
  );
}
