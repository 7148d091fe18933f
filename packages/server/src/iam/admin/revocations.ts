import { OWN_PROVIDER, type RevocationRecord } from '@centrali-io/protocol';
import { z } from 'zod';
import { Refusal } from '../../resource-server/index.ts';
import { changeRow } from '../audit/change-row.ts';
import { CLOCK_LEEWAY_SECONDS, recordRevocation } from '../decisions/record-revocation.ts';
import { mustKnowProvider } from '../members/put-member.ts';
import { revisionAnswer } from '../roles/schemas.ts';
import type { IamServices } from '../services.ts';
import type { StoredRevocation, StoreView } from '../store/port.ts';
import { type AdminApp, operation } from './app.ts';
import { authorityOf } from './authority.ts';
import { instant, noBody, opaqueId, pageOf, pageQuery, provider, sub, workspaceParam } from './fields.ts';
import { instantOf, instantOrNull } from './instant.ts';
import { decodeCursor, limitOf, pageFrom } from './page.ts';

/**
 * Revocations that may be live in one workspace: they are in every gateway's memory and in each snapshot of the feed,
 * which all workspaces share. Twice what signals may make, so that those leave room for people.
 */
const MAX_LIVE = 40_000;

const NAMES = ['jti', 'sub', 'clientId', 'notBefore'] as const;

const revocationBody = z
  .strictObject({
    jti: opaqueId.optional().describe('Ends this token.'),
    sub: sub.optional().describe("Ends the principal's tokens issued up to now."),
    clientId: opaqueId.optional().describe("Ends the client's tokens issued up to now."),
    notBefore: z
      .int()
      .min(0)
      .optional()
      .describe('Ends all tokens with `iat` up to this second (since 1970), inclusive.'),
    provider: provider.optional(),
  })
  .refine((value) => NAMES.filter((name) => value[name] !== undefined).length === 1, {
    error: `must name exactly one of ${NAMES.join(', ')}`,
  });

const revocationItem = z.strictObject({
  revision: z.int().describe('Its name.'),
  provider: z.string(),
  jti: z.string().optional(),
  sub: z.string().optional(),
  clientId: z.string().optional(),
  sid: z.string().optional(),
  notBefore: z.int().optional(),
  createdAt: instant,
  expiresAt: instant.nullable().describe('No token that it ends lives past this moment; it may be forgotten then.'),
});

const revocationParams = z.strictObject({ workspace: z.string(), revision: z.string() });

function itemOf({
  revision: name,
  revocation,
  createdAt,
  expiresAt,
}: StoredRevocation): z.output<typeof revocationItem> {
  const { workspace: _workspace, expiresAt: _expiresAt, ...names } = revocation;
  return { revision: name, ...names, createdAt: instantOf(createdAt), expiresAt: instantOrNull(expiresAt) };
}

/** What the request means: tokens up to now, unless it names one token or another moment. */
function recordOf(workspace: string, body: z.output<typeof revocationBody>, nowMs: number): RevocationRecord {
  const { jti, sub: who, clientId, notBefore } = body;
  const base = { workspace, provider: body.provider ?? OWN_PROVIDER };
  if (jti !== undefined) return { ...base, jti };
  const second = Math.floor(nowMs / 1000);
  if (notBefore !== undefined && notBefore > second + CLOCK_LEEWAY_SECONDS) {
    throw new Refusal('BAD_REQUEST', 'not_before_in_future', {
      message: 'notBefore: lies in the future; it is in seconds since 1970.',
    });
  }
  return {
    ...base,
    ...(who === undefined ? {} : { sub: who }),
    ...(clientId === undefined ? {} : { clientId }),
    notBefore: Math.min(notBefore ?? second, second),
  };
}

/** When the last token that a revocation ends is dead anyway. */
async function expiryOf(
  view: StoreView,
  { lifetimes }: IamServices,
  record: RevocationRecord,
  nowMs: number,
): Promise<number> {
  const own = Math.max(lifetimes.service, lifetimes.user, lifetimes.devMaximum);
  const stored = record.provider === OWN_PROVIDER ? undefined : await view.providers.get(record.provider);
  const longest = Math.max(own, stored?.record.maxLifetimeSeconds ?? 0);
  return nowMs + (longest + CLOCK_LEEWAY_SECONDS) * 1000;
}

/** `revocations`: ends tokens in this workspace before their time. */
export function revocationRoutes(app: AdminApp, services: IamServices): void {
  const { store, now } = services;
  const tag = 'Revocations';

  app.post(
    '/revocations',
    {
      schema: {
        ...operation({ tag, id: 'createRevocation', summary: 'End tokens', answers: { 201: revisionAnswer } }),
        params: z.strictObject(workspaceParam),
        body: revocationBody,
      },
    },
    async ({ caller, body }, reply) => {
      const at = now();
      const { workspace } = caller;
      const revocation = recordOf(workspace, body, at);
      const made = await store.transaction(async (tx) => {
        await authorityOf(tx, caller);
        await mustKnowProvider(tx, workspace, revocation.provider);
        await tx.revocations.prune(at);
        if ((await tx.revocations.count(workspace, at)) >= MAX_LIVE)
          throw new Refusal('CONFLICT', 'revocations_too_many', { message: `A workspace has at most ${MAX_LIVE}.` });
        return recordRevocation(tx, {
          revocation,
          expiresAt: await expiryOf(tx, services, revocation, at),
          audit: changeRow(caller, {
            at,
            action: 'revocation.create',
            target: targetOf(revocation),
            detail: detailOf(revocation),
          }),
        });
      });
      return reply.code(201).send({ revision: made });
    },
  );

  app.get(
    '/revocations',
    {
      schema: {
        ...operation({
          tag,
          id: 'listRevocations',
          summary: 'Revocations that can still end a token',
          answers: { 200: pageOf(revocationItem) },
        }),
        params: z.strictObject(workspaceParam),
        querystring: z.strictObject(pageQuery),
      },
    },
    async ({ caller: { workspace }, query }) => {
      const after = decodeCursor(query.after, 1)?.[0];
      const from = after === undefined ? undefined : revisionOf(after);
      const rows = await store.read((view) => view.revocations.list(workspace, limitOf(query) + 1, from));
      return pageFrom(rows, query, (row) => [String(row.revision)], itemOf);
    },
  );

  app.delete(
    '/revocations/:revision',
    {
      schema: {
        ...operation({
          tag,
          id: 'deleteRevocation',
          summary: 'Take a revocation back',
          answers: { 200: revisionAnswer },
        }),
        params: revocationParams,
        body: noBody,
      },
    },
    async ({ caller, params }) => {
      const name = revisionOf(params.revision);
      const { workspace } = caller;
      const lifted = await store.transaction(async (tx) => {
        await authorityOf(tx, caller);
        const stored = await tx.revocations.get(workspace, name);
        // One that spans workspaces is the operator's.
        if (stored?.revocation.workspace !== workspace) throw new Refusal('NOT_FOUND', 'revocation_unknown');
        await tx.revocations.delete(name);
        const { revocation } = stored;
        return tx.recordChange(
          { kind: 'revocation-lifted', revocation },
          changeRow(caller, {
            at: now(),
            action: 'revocation.delete',
            target: targetOf(revocation),
            detail: { ...detailOf(revocation), lifted: name },
          }),
        );
      });
      return { revision: lifted };
    },
  );
}

function revisionOf(text: string): number {
  if (!/^[1-9][0-9]{0,14}$/.test(text)) throw new Refusal('NOT_FOUND', 'revocation_unknown');
  return Number(text);
}

function targetOf({ jti, sub: who, clientId, sid }: RevocationRecord): string {
  return jti ?? who ?? clientId ?? sid ?? 'all tokens';
}

function detailOf({
  provider: by,
  notBefore,
  jti,
  sub: who,
  clientId,
  sid,
}: RevocationRecord): Record<string, unknown> {
  const by_ =
    jti !== undefined
      ? 'jti'
      : who !== undefined
        ? 'sub'
        : clientId !== undefined
          ? 'clientId'
          : sid !== undefined
            ? 'sid'
            : 'notBefore';
  return { provider: by, by: by_, ...(notBefore === undefined ? {} : { notBefore }) };
}
