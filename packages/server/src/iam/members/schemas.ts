import { z } from 'zod';
import { instant, isSub, provider, revision, roleName, sub } from '../admin/fields.ts';

/** Most roles of one member. */
export const MAX_MEMBER_ROLES = 32;

export const memberParams = z.strictObject({ workspace: z.string(), sub });
export const providerQuery = z.strictObject({ provider: provider.optional() });

export const memberBody = z.strictObject({
  roles: z.array(roleName).max(MAX_MEMBER_ROLES),
  blocked: z.boolean().optional().describe('Beats every role, mapped ones too. Default false.'),
  provider: provider.optional(),
});

export const memberItem = z.strictObject({
  sub: z.string(),
  provider: z.string(),
  kind: z.literal('user'),
  roles: z.array(z.string()),
  blocked: z.boolean(),
  createdAt: instant,
  updatedAt: instant,
});

export const memberChanged = z.strictObject({ ...memberItem.shape, revision, warnings: z.array(z.string()) });

export const memberDeleted = z.strictObject({
  revision,
  stillAdmittedBy: z
    .string()
    .nullable()
    .describe(
      'Roles that the provider gives, or may give, its users here all the same: block the member to keep it out.',
    ),
  warnings: z.array(z.string()),
});

/** Whether a `sub` can be a user's: service accounts have the prefix to themselves. */
export function isUserSub(value: string): boolean {
  return isSub(value) && !value.startsWith('ci_');
}
