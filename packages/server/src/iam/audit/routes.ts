import { z } from 'zod';
import { Refusal } from '../../resource-server/index.ts';
import { type AdminApp, operation } from '../admin/app.ts';
import { opaqueId, pageOf, pageQuery, sub, workspaceParam } from '../admin/fields.ts';
import { instantOf } from '../admin/instant.ts';
import { decodeCursor, limitOf, pageFrom } from '../admin/page.ts';
import type { IamServices } from '../services.ts';
import type { AuditRow } from '../store/port.ts';

const KINDS = ['connect', 'refuse', 'close', 'token', 'change'] as const;

const auditItem = z.strictObject({
  seq: z.int().describe('Counts up; gaps mean nothing. Can be given as `after`.'),
  at: z.string(),
  kind: z.enum(KINDS),
  action: z.string().optional(),
  target: z.string().optional(),
  code: z.string().optional(),
  reason: z.string().optional(),
  provider: z.string().optional(),
  principalKind: z.enum(['user', 'service']).optional(),
  sub: z.string().optional(),
  clientId: z.string().optional(),
  jti: z.string().optional(),
  address: z.string().optional(),
  requestId: z.string().optional(),
  connectionId: z.string().optional(),
  revision: z.int().optional(),
  count: z.int().describe('How many events the row sums up.'),
  detail: z.record(z.string(), z.unknown()).optional(),
});

const auditQuery = z.strictObject({
  ...pageQuery,
  code: opaqueId.optional().describe('Only rows of this code.'),
  sub: sub.optional().describe('Only rows of this principal.'),
  kind: z.enum(KINDS).optional(),
});

function itemOf({ workspace: _workspace, at, detail, ...row }: AuditRow): z.output<typeof auditItem> {
  return { ...row, at: instantOf(at), ...(detail === undefined ? {} : { detail: { ...detail } }) };
}

/** `audit-log`: what was decided, granted and changed in the workspace, oldest first. */
export function auditRoutes(app: AdminApp, { store }: IamServices): void {
  app.get(
    '/audit-log',
    {
      schema: {
        ...operation({
          tag: 'Audit',
          id: 'listAuditLog',
          summary: 'The audit log, oldest first',
          answers: { 200: pageOf(auditItem) },
        }),
        params: z.strictObject(workspaceParam),
        querystring: auditQuery,
      },
    },
    async ({ caller: { workspace }, query }) => {
      // The `seq` of a row is as good as a cursor: who has read to the end goes on from there.
      const after = /^[0-9]{1,15}$/.test(query.after ?? '') ? query.after : decodeCursor(query.after, 1)?.[0];
      if (after !== undefined && !/^[0-9]{1,15}$/.test(after)) {
        throw new Refusal('BAD_REQUEST', 'cursor_invalid', { message: 'after: is not a cursor of this list.' });
      }
      const { code, sub: who, kind } = query;
      const rows = await store.read((view) =>
        view.audit.list({
          workspace,
          limit: limitOf(query) + 1,
          ...(after === undefined ? {} : { after: Number(after) }),
          ...(code === undefined ? {} : { code }),
          ...(who === undefined ? {} : { sub: who }),
          ...(kind === undefined ? {} : { kind }),
        }),
      );
      return pageFrom(rows, query, ({ seq }) => [String(seq)], itemOf);
    },
  );
}
