import { type Grant, PERMISSIONS } from '@centrali-io/protocol';
import { z } from 'zod';
import { eventName, instant, permission, revision, roleName, structure } from '../admin/fields.ts';

/** Most grants of a role. */
export const MAX_GRANTS = 64;

/** Permissions that structures, events and a filter can narrow: the ones that are about events. */
const NARROWABLE: ReadonlySet<string> = new Set(['realtime:subscribe', 'realtime:publish']);

const narrowing = {
  structures: z.array(structure).max(100).optional().describe('Record slugs that it covers; absent or empty: all.'),
  events: z.array(eventName).max(100).optional().describe('Names of events that it covers; absent or empty: all.'),
  filter: z
    .string()
    .optional()
    .describe('CFL v1: which events it covers; `{sub}` and `{claims.x}` stand for values of the token.'),
};

export const grant = z
  .strictObject({ permission, ...narrowing })
  .superRefine((value, context) => {
    if (NARROWABLE.has(value.permission)) return;
    for (const field of ['structures', 'events', 'filter'] as const) {
      if (value[field] !== undefined) {
        context.addIssue({
          code: 'custom',
          path: [field],
          message: 'narrows realtime:subscribe and realtime:publish only',
        });
      }
    }
  })
  .describe('A permission and, for events, the part of them that it covers. Grants of all roles are a union.');

export const roleBody = z.strictObject({ grants: z.array(grant).max(MAX_GRANTS) });
export const roleParams = z.strictObject({ workspace: z.string(), name: roleName });

const storedGrant = z.object({
  permission: z.enum(PERMISSIONS),
  structures: z.array(z.string()).optional(),
  events: z.array(z.string()).optional(),
  filter: z.string().optional(),
});

export const roleItem = z.strictObject({
  name: z.string(),
  builtIn: z.boolean().describe('Built-in roles cannot be changed.'),
  grants: z.array(storedGrant),
  createdAt: instant.nullable(),
  updatedAt: instant.nullable(),
});

export const roleChanged = z.strictObject({ ...roleItem.shape, revision, warnings: z.array(z.string()) });
export const revisionAnswer = z.strictObject({ revision });

/** A validated grant without the members that are absent, as it is stored. */
export function storedGrantOf(input: z.output<typeof grant>): Grant {
  const { permission: name, structures, events, filter } = input;
  return {
    permission: name,
    ...(structures && structures.length > 0 ? { structures: [...new Set(structures)] } : {}),
    ...(events && events.length > 0 ? { events: [...new Set(events)] } : {}),
    ...(filter === undefined ? {} : { filter }),
  };
}
