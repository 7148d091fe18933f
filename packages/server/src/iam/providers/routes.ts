import type { ProviderMapping, ProviderRecord } from '@centrali-io/protocol';
import { z } from 'zod';
import { type OutboundGet, Refusal } from '../../resource-server/index.ts';
import { type AdminApp, operation } from '../admin/app.ts';
import { authorityOf, mustCoverMembers, mustKeepOwner, OWNER } from '../admin/authority.ts';
import type { Caller } from '../admin/caller.ts';
import { noBody, pageOf, pageQuery, workspaceParam } from '../admin/fields.ts';
import { instantOf } from '../admin/instant.ts';
import { decodeCursor, limitOf, pageFrom } from '../admin/page.ts';
import { changeRow } from '../audit/change-row.ts';
import { revisionAnswer } from '../roles/schemas.ts';
import type { IamServices } from '../services.ts';
import type { StoredProvider, StoreTransaction, StoreView } from '../store/port.ts';
import { discover, fetchKeys } from './discovery.ts';
import { faultRefusal, judgeMapping, mustBeFetchable, mustBeNew } from './judge.ts';
import { mappedRoleNames } from './mapping.ts';
import {
  keysRefreshed,
  MAX_LIFETIME_SECONDS,
  providerBody,
  providerCreated,
  providerItem,
  providerParams,
  providerTested,
  storedMapping,
} from './schemas.ts';
import { testDiscovery, testKeySet } from './test-provider.ts';

/** Types of access tokens and of ID tokens; `jwt` is what most providers write. */
const DEFAULT_TYP: readonly string[] = ['jwt', 'at+jwt'];
/** What every OpenID provider can sign with (OpenID Connect Core section 15.1). */
const DEFAULT_ALGORITHMS: readonly string[] = ['RS256'];

function itemOf({ record, createdAt, updatedAt }: StoredProvider): z.output<typeof providerItem> {
  const { id, name, issuer, audiences, typ, algorithms, jwksUri, mapping } = record;
  return {
    id,
    name,
    issuer,
    audiences: [...audiences],
    typ: [...typ],
    algorithms: [...algorithms],
    jwksUri,
    mapping: { ...mapping },
    createdAt: instantOf(createdAt),
    updatedAt: instantOf(updatedAt),
  };
}

async function find(view: StoreView, workspace: string, id: string): Promise<StoredProvider> {
  const stored = await view.providers.get(id);
  if (!stored?.record.workspaces.includes(workspace)) throw new Refusal('NOT_FOUND', 'provider_unknown');
  return stored;
}

/** One that an administrator of this workspace may change: the operator's span several, or are not only this one's. */
async function findOwn(view: StoreView, workspace: string, id: string): Promise<StoredProvider> {
  const stored = await find(view, workspace, id);
  if (stored.record.workspaces.length !== 1) {
    throw new Refusal('FORBIDDEN', 'provider_of_operator', { message: "This provider is the operator's." });
  }
  return stored;
}

/** `external-auth-providers`: foreign issuers that vouch for users of this workspace. */
export function providerRoutes(app: AdminApp, services: IamServices, get: OutboundGet): void {
  const { store, now } = services;
  const tag = 'External providers';
  const params = providerParams;

  app.post(
    '/external-auth-providers',
    {
      schema: {
        ...operation({ tag, id: 'createProvider', summary: 'Trust an issuer', answers: { 201: providerCreated } }),
        params: z.strictObject(workspaceParam),
        body: providerBody,
      },
    },
    async ({ caller, body }, reply) => {
      const { workspace } = caller;
      const mapping = storedMapping(body.mapping);
      mustBeFetchable('issuer', body.issuer, services.allowPrivateAddresses);
      if (body.jwksUri !== undefined) mustBeFetchable('jwksUri', body.jwksUri, services.allowPrivateAddresses);
      const judge = async (view: StoreView): Promise<void> => {
        await judgeMapping(view, caller, await authorityOf(view, caller), mapping);
        await mustBeNew(view, workspace, body.issuer, services.issuer);
      };
      // Judged twice: before anything is fetched for the caller, and again with what is then stored.
      await store.read(judge);
      const found = await locate(get, body).catch((error: unknown) => {
        throw faultRefusal(error);
      });
      mustBeFetchable('jwksUri', found.jwksUri, services.allowPrivateAddresses);
      const at = now();
      const record: ProviderRecord = {
        id: `pr_${Buffer.from(services.randomBytes(12)).toString('hex')}`,
        name: body.name,
        workspaces: [workspace],
        issuer: body.issuer,
        audiences: [...new Set(body.audiences)],
        typ: [...new Set(body.typ ?? DEFAULT_TYP)],
        algorithms: [...new Set(found.algorithms)],
        jwksUri: found.jwksUri,
        mapping,
        maxLifetimeSeconds: MAX_LIFETIME_SECONDS,
      };
      const stored: StoredProvider = { record, createdAt: at, updatedAt: at };
      const revision = await store.transaction(async (tx) => {
        await judge(tx);
        return save(tx, caller, stored, 'provider.create');
      });
      return reply.code(201).send({ ...itemOf(stored), revision, warnings: warningsOf(mapping) });
    },
  );

  app.get(
    '/external-auth-providers',
    {
      schema: {
        ...operation({ tag, id: 'listProviders', summary: 'All providers', answers: { 200: pageOf(providerItem) } }),
        params: z.strictObject(workspaceParam),
        querystring: z.strictObject(pageQuery),
      },
    },
    async ({ caller: { workspace }, query }) => {
      const after = decodeCursor(query.after, 1)?.[0] ?? '';
      const all = await store.read((view) => view.providers.list(workspace));
      const rows = all.filter(({ record }) => record.id > after).sort((a, b) => (a.record.id < b.record.id ? -1 : 1));
      return pageFrom(rows.slice(0, limitOf(query) + 1), query, ({ record }) => [record.id], itemOf);
    },
  );

  app.get(
    '/external-auth-providers/:id',
    {
      schema: {
        ...operation({ tag, id: 'getProvider', summary: 'One provider', answers: { 200: providerItem } }),
        params,
      },
    },
    async ({ caller, params: { id } }) => itemOf(await store.read((view) => find(view, caller.workspace, id))),
  );

  app.delete(
    '/external-auth-providers/:id',
    {
      schema: {
        ...operation({
          tag,
          id: 'deleteProvider',
          summary: 'Trust it no longer: its streams end',
          answers: { 200: revisionAnswer },
        }),
        params,
        body: noBody,
      },
    },
    async ({ caller, params: { id } }) => {
      const { workspace } = caller;
      const revision = await store.transaction(async (tx) => {
        const authority = await authorityOf(tx, caller);
        await findOwn(tx, workspace, id);
        await mustCoverMembers(tx, workspace, id, authority);
        const owners = await tx.members.withRole(workspace, OWNER);
        if (owners.some(({ provider }) => provider === id)) await mustKeepOwner(tx, workspace, { provider: id });
        await tx.providers.delete(id);
        return tx.recordChange(
          { kind: 'provider', id, provider: null },
          changeRow(caller, { at: now(), action: 'provider.delete', target: id }),
        );
      });
      return { revision };
    },
  );

  app.post(
    '/external-auth-providers/:id/refresh-keys',
    {
      schema: {
        ...operation({
          tag,
          id: 'refreshProviderKeys',
          summary: 'Load its key set anew, everywhere',
          answers: { 200: keysRefreshed },
        }),
        params,
        body: noBody,
      },
    },
    async ({ caller, params: { id } }) => {
      const { record } = await store.read((view) => findOwn(view, caller.workspace, id));
      const keys = await fetchKeys(get, record.jwksUri, record.algorithms).catch((error: unknown) => {
        throw faultRefusal(error);
      });
      const revision = await store.transaction(async (tx) => {
        await authorityOf(tx, caller);
        const stored = await findOwn(tx, caller.workspace, id);
        // The provider itself does not change; that it is told anew makes every gateway load its keys.
        return save(tx, caller, { ...stored, updatedAt: now() }, 'provider.refresh-keys');
      });
      return { revision, keys: keys.length };
    },
  );

  app.post(
    '/external-auth-providers/:id/test',
    {
      schema: {
        ...operation({
          tag,
          id: 'testProvider',
          summary: 'Whether its configuration and keys can be had',
          answers: { 200: providerTested },
        }),
        params,
        body: noBody,
      },
    },
    async ({ caller, params: { id } }) => {
      const { record } = await store.read((view) => find(view, caller.workspace, id));
      const steps = [await testDiscovery(get, record), await testKeySet(get, record)];
      // A provider with a key set of its own need not have an OpenID configuration.
      return { ok: steps.every(({ step, ok }) => ok || step === 'discovery'), steps };
    },
  );
}

/** Key set and algorithms: as the request says, else as the issuer's OpenID configuration does. */
async function locate(
  get: OutboundGet,
  { issuer, jwksUri, algorithms }: z.output<typeof providerBody>,
): Promise<{ readonly jwksUri: string; readonly algorithms: readonly string[] }> {
  if (jwksUri !== undefined) return { jwksUri, algorithms: algorithms ?? DEFAULT_ALGORITHMS };
  const found = await discover(get, issuer);
  const supported = found.algorithms.length > 0 ? found.algorithms : DEFAULT_ALGORITHMS;
  return { jwksUri: found.jwksUri, algorithms: algorithms ?? supported };
}

async function save(tx: StoreTransaction, caller: Caller, stored: StoredProvider, action: string): Promise<number> {
  const { record, updatedAt } = stored;
  await tx.providers.put(stored);
  return tx.recordChange(
    { kind: 'provider', id: record.id, provider: record },
    changeRow(caller, {
      at: updatedAt,
      action,
      target: record.id,
      detail: { issuer: record.issuer, roles: mappedRoleNames(record.mapping) },
    }),
  );
}

function warningsOf(mapping: ProviderMapping): string[] {
  return mappedRoleNames(mapping).length === 0
    ? ['The mapping gives no role: only members that you add can enter.']
    : [];
}
