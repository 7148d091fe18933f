import { OWN_PROVIDER } from '@centrali-io/protocol';
import { z } from 'zod';
import { type AdminApp, operation } from '../admin/app.ts';
import { permission, provider, sub, workspaceParam } from '../admin/fields.ts';
import type { TokenVerifier } from '../admin/verifier.ts';
import type { IamServices } from '../services.ts';
import { createExplainer } from './explain.ts';

const explainBody = z
  .strictObject({
    token: z.string().min(1).max(8192).optional().describe('An access token: what would a gateway say to it?'),
    sub: sub.optional().describe('A principal: what would a gateway say to a fresh token of it?'),
    provider: provider.optional(),
    permission: permission.optional().describe('`realtime:subscribe` by default.'),
  })
  .refine((value) => (value.token === undefined) !== (value.sub === undefined), {
    error: 'must name exactly one of token, sub',
  })
  .refine((value) => value.token === undefined || value.provider === undefined, {
    path: ['provider'],
    error: 'goes with sub; a token names its issuer itself',
  });

const explanation = z.strictObject({
  allowed: z.boolean(),
  code: z.string().optional().describe('Error code that a gateway would answer with.'),
  decidedBy: z.string().describe('The record that decides.'),
  steps: z.array(
    z.strictObject({
      step: z.enum(['verify', 'workspace', 'decide']),
      ok: z.boolean(),
      reason: z.string().optional(),
      detail: z.record(z.string(), z.unknown()).optional(),
    }),
  ),
  remedy: z.string().optional().describe('The command that would mend the denial.'),
});

/** `access/explain`: why a token or a principal is let in, or is not. */
export function explainRoutes(app: AdminApp, services: IamServices, verifier: TokenVerifier): void {
  const explainer = createExplainer(services, verifier);
  app.post(
    '/access/explain',
    {
      schema: {
        ...operation({
          tag: 'Access',
          id: 'explainAccess',
          summary: 'Why access is given or denied',
          answers: { 200: explanation },
        }),
        params: z.strictObject(workspaceParam),
        body: explainBody,
      },
    },
    async ({ caller: { workspace }, body }) => {
      const question = { workspace, permission: body.permission ?? 'realtime:subscribe' };
      const { steps, ...rest } =
        body.token === undefined
          ? await explainer.principal(body.provider ?? OWN_PROVIDER, body.sub ?? '', question)
          : await explainer.token(body.token, question);
      return {
        ...rest,
        steps: steps.map(({ detail, ...step }) => ({ ...step, ...(detail ? { detail: { ...detail } } : {}) })),
      };
    },
  );
}
