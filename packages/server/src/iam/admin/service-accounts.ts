import { z } from 'zod';
import { Refusal } from '../../resource-server/index.ts';
import { mustKnowRoles } from '../members/put-member.ts';
import { revisionAnswer } from '../roles/schemas.ts';
import type { AccountGuard, IamServices } from '../services.ts';
import type { AccountRecord, CredentialRecord } from '../store/port.ts';
import { type AdminApp, operation } from './app.ts';
import { authorityOf, mustKeepOwner, OWNER } from './authority.ts';
import type { Caller } from './caller.ts';
import { noBody, pageOf, pageQuery, workspaceParam } from './fields.ts';
import { instantOf, instantOrNull } from './instant.ts';
import { decodeCursor, limitOf, pageFrom } from './page.ts';
import {
  accountBody,
  accountCreated,
  accountDetail,
  accountItem,
  accountParams,
  type credentialItem,
  keysBody,
  rotateBody,
  rotated,
} from './service-account-schemas.ts';

function itemOf(account: AccountRecord): z.output<typeof accountItem> {
  const { id, name, description, roles, clientId, disabled, createdAt } = account;
  return { id, name, description, role: roles[0] ?? null, clientId, disabled, createdAt: instantOf(createdAt) };
}

function credentialOf(record: CredentialRecord): z.output<typeof credentialItem> {
  const { cred, kind, createdAt, validUntil } = record;
  const kid = record.kind === 'key' && typeof record.jwk.kid === 'string' ? record.jwk.kid : null;
  return { cred, kind, kid, createdAt: instantOf(createdAt), validUntil: instantOrNull(validUntil) };
}

const UNKNOWN = (): Refusal => new Refusal('NOT_FOUND', 'account_unknown');

/** The id of a path; one that cannot be an id names nothing. */
function idOf(text: string): number {
  if (!/^[1-9][0-9]{0,14}$/.test(text)) throw UNKNOWN();
  return Number(text);
}

function found<T>(result: T | undefined): T {
  if (result === undefined) throw UNKNOWN();
  return result;
}

/** Whoever holds an account's credentials acts as it: nobody gets at one above their own permissions. */
const within =
  (caller: Caller): AccountGuard =>
  async (tx, { roles }) => {
    const authority = await authorityOf(tx, caller);
    await authority.mustCoverRoles(roles);
  };

/** The same, and the account must not be the last owner: it is about to go. */
const leaving =
  (caller: Caller): AccountGuard =>
  async (tx, account) => {
    await within(caller)(tx, account);
    if (account.roles.includes(OWNER) && !account.disabled) {
      await mustKeepOwner(tx, account.workspace, { clientId: account.clientId });
    }
  };

/** `service-accounts`: programs with client credentials. */
export function serviceAccountRoutes(app: AdminApp, { store, accounts }: IamServices): void {
  const tag = 'Service accounts';
  const params = accountParams;

  app.post(
    '/service-accounts',
    {
      schema: {
        ...operation({
          tag,
          id: 'createServiceAccount',
          summary: 'Make a service account',
          answers: { 201: accountCreated },
        }),
        params: z.strictObject(workspaceParam),
        body: accountBody,
      },
    },
    async ({ caller, body }, reply) => {
      const roles = body.role === undefined ? [] : [body.role];
      const input = {
        workspace: caller.workspace,
        name: body.name,
        ...(body.description ? { description: body.description } : {}),
        roles,
      };
      const { account, clientSecret, revision } = await accounts.create(input, caller.actor, async (tx, draft) => {
        const authority = await authorityOf(tx, caller);
        await mustKnowRoles(tx, caller.workspace, roles, 'role');
        await authority.mustCoverRoles(draft.roles);
      });
      return reply.code(201).send({ ...itemOf(account), clientSecret, revision });
    },
  );

  app.get(
    '/service-accounts',
    {
      schema: {
        ...operation({
          tag,
          id: 'listServiceAccounts',
          summary: 'All service accounts',
          answers: { 200: pageOf(accountItem) },
        }),
        params: z.strictObject(workspaceParam),
        querystring: z.strictObject(pageQuery),
      },
    },
    async ({ caller, query }) => {
      const after = decodeCursor(query.after, 1)?.[0];
      const rows = await store.read((view) =>
        view.accounts.list(caller.workspace, limitOf(query) + 1, after === undefined ? undefined : idOf(after)),
      );
      return pageFrom(rows, query, ({ id }) => [String(id)], itemOf);
    },
  );

  app.get(
    '/service-accounts/:id',
    {
      schema: {
        ...operation({ tag, id: 'getServiceAccount', summary: 'One service account', answers: { 200: accountDetail } }),
        params,
      },
    },
    async ({ caller, params: { id } }) =>
      store.read(async (view) => {
        const account = found(await view.accounts.get(caller.workspace, idOf(id)));
        const credentials = await view.credentials.ofClient(account.clientId);
        return { ...itemOf(account), credentials: credentials.map(credentialOf) };
      }),
  );

  app.delete(
    '/service-accounts/:id',
    {
      schema: {
        ...operation({
          tag,
          id: 'deleteServiceAccount',
          summary: 'Delete a service account',
          answers: { 200: revisionAnswer },
        }),
        params,
        body: noBody,
      },
    },
    async ({ caller, params: { id } }) =>
      found(await accounts.delete(caller.workspace, idOf(id), caller.actor, leaving(caller))),
  );

  app.post(
    '/service-accounts/:id/rotate',
    {
      schema: {
        ...operation({ tag, id: 'rotateServiceAccount', summary: 'Give it a new secret', answers: { 200: rotated } }),
        params,
        body: rotateBody,
      },
    },
    async ({ caller, params: { id }, body }) => {
      const grace = body?.graceSeconds ?? 0;
      const result = found(await accounts.rotate(caller.workspace, idOf(id), grace, caller.actor, within(caller)));
      return { ...result, previousValidUntil: instantOf(result.previousValidUntil) };
    },
  );

  for (const [verb, disabled, summary] of [
    ['disable', true, 'Disable it: its tokens and streams end'],
    ['enable', false, 'Enable it again'],
  ] as const) {
    app.post(
      `/service-accounts/:id/${verb}`,
      {
        schema: {
          ...operation({ tag, id: `${verb}ServiceAccount`, summary, answers: { 200: revisionAnswer } }),
          params,
          body: noBody,
        },
      },
      async ({ caller, params: { id } }) => {
        const guard = disabled ? leaving(caller) : within(caller);
        return found(await accounts.setDisabled(caller.workspace, idOf(id), disabled, caller.actor, guard));
      },
    );
  }

  app.put(
    '/service-accounts/:id/keys',
    {
      schema: {
        ...operation({
          tag,
          id: 'putServiceAccountKeys',
          summary: 'Set its keys for private_key_jwt',
          answers: { 200: revisionAnswer },
        }),
        params,
        body: keysBody,
      },
    },
    async ({ caller, params: { id }, body }) =>
      found(await accounts.putKeys(caller.workspace, idOf(id), body.jwks.keys, caller.actor, within(caller))),
  );
}
