import { OWN_PROVIDER, writePrincipal } from '@centrali-io/protocol';
import { z } from 'zod';
import { Refusal } from '../../resource-server/index.ts';
import { type AdminApp, operation } from '../admin/app.ts';
import { authorityOf, mustKeepOwner, OWNER } from '../admin/authority.ts';
import { noBody, pageOf, pageQuery, workspaceParam } from '../admin/fields.ts';
import { instantOf } from '../admin/instant.ts';
import { decodeCursor, limitOf, pageFrom } from '../admin/page.ts';
import { changeRow } from '../audit/change-row.ts';
import { mappedRoleNames } from '../providers/mapping.ts';
import type { IamServices } from '../services.ts';
import type { MemberKey, MemberRecord, StoreView } from '../store/port.ts';
import { putMember } from './put-member.ts';
import { memberBody, memberChanged, memberDeleted, memberItem, memberParams, providerQuery } from './schemas.ts';

function itemOf({ sub, provider, roles, blocked, createdAt, updatedAt }: MemberRecord): z.output<typeof memberItem> {
  return {
    sub,
    provider,
    kind: 'user',
    roles: [...roles],
    blocked,
    createdAt: instantOf(createdAt),
    updatedAt: instantOf(updatedAt),
  };
}

/** The provider that a request names, in the query or in the body; our own IAM when it names none. */
function providerOf(inQuery: string | undefined, inBody?: string): string {
  if (inQuery !== undefined && inBody !== undefined && inQuery !== inBody) {
    throw new Refusal('BAD_REQUEST', 'provider_twice', { message: 'provider: is given twice, and not the same.' });
  }
  return inQuery ?? inBody ?? OWN_PROVIDER;
}

/** The roles that the member's provider gives, or may give, without a member record. */
async function rolesWithoutRecord(view: StoreView, provider: string): Promise<readonly string[]> {
  if (provider === OWN_PROVIDER) return [];
  const stored = await view.providers.get(provider);
  return stored ? mappedRoleNames(stored.record.mapping) : [];
}

/** `members`: which users are who in the workspace. */
export function memberRoutes(app: AdminApp, { store, now }: IamServices): void {
  app.get(
    '/members',
    {
      schema: {
        ...operation({
          tag: 'Members',
          id: 'listMembers',
          summary: 'All members',
          answers: { 200: pageOf(memberItem) },
        }),
        params: z.strictObject(workspaceParam),
        querystring: z.strictObject(pageQuery),
      },
    },
    async ({ caller, query }) => {
      const [provider, sub] = decodeCursor(query.after, 2) ?? [];
      const after = provider === undefined || sub === undefined ? undefined : { provider, sub };
      const rows = await store.read((view) => view.members.list(caller.workspace, limitOf(query) + 1, after));
      return pageFrom(rows, query, (row) => [row.provider, row.sub], itemOf);
    },
  );

  app.get(
    '/members/:sub',
    {
      schema: {
        ...operation({ tag: 'Members', id: 'getMember', summary: 'One member', answers: { 200: memberItem } }),
        params: memberParams,
        querystring: providerQuery,
      },
    },
    async ({ caller: { workspace }, params: { sub }, query }) => {
      const key: MemberKey = { workspace, provider: providerOf(query.provider), sub };
      const member = await store.read((view) => view.members.get(key));
      if (!member) throw new Refusal('NOT_FOUND', 'member_unknown');
      return itemOf(member);
    },
  );

  app.put(
    '/members/:sub',
    {
      schema: {
        ...operation({
          tag: 'Members',
          id: 'putMember',
          summary: 'Make a member, or replace its roles',
          answers: { 200: memberChanged },
        }),
        params: memberParams,
        querystring: providerQuery,
        body: memberBody,
      },
    },
    async ({ caller, params: { sub }, query, body }) => {
      const key: MemberKey = { workspace: caller.workspace, provider: providerOf(query.provider, body.provider), sub };
      const change = { roles: body.roles, blocked: body.blocked ?? false, at: now() };
      const { member, revision, warnings } = await store.transaction((tx) => putMember(tx, caller, key, change));
      return { ...itemOf(member), revision, warnings: [...warnings] };
    },
  );

  app.delete(
    '/members/:sub',
    {
      schema: {
        ...operation({
          tag: 'Members',
          id: 'deleteMember',
          summary: 'Remove a member',
          answers: { 200: memberDeleted },
        }),
        params: memberParams,
        querystring: providerQuery,
        body: noBody,
      },
    },
    async ({ caller, params: { sub }, query }) => {
      const key: MemberKey = { workspace: caller.workspace, provider: providerOf(query.provider), sub };
      return store.transaction(async (tx) => {
        const authority = await authorityOf(tx, caller);
        const present = await tx.members.get(key);
        if (!present) throw new Refusal('NOT_FOUND', 'member_unknown');
        await authority.mustCoverRoles(present.roles);
        if (!present.blocked && present.roles.includes(OWNER)) await mustKeepOwner(tx, key.workspace, key);
        await tx.members.delete(key);
        const revision = await tx.recordChange(
          { kind: 'member', ...key },
          changeRow(caller, {
            at: now(),
            action: 'member.delete',
            target: writePrincipal(key),
            detail: { before: { roles: present.roles, blocked: present.blocked } },
          }),
        );
        const mapped = await rolesWithoutRecord(tx, key.provider);
        return {
          revision,
          stillAdmittedBy: mapped.length > 0 ? mapped.join(', ') : null,
          warnings:
            mapped.length > 0 ? ['The provider gives its users roles here: block the member to keep it out.'] : [],
        };
      });
    },
  );
}
