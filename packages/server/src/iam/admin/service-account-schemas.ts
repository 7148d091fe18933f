import { z } from 'zod';
import { description, instant, revision, roleName, seconds, title } from './fields.ts';

/** Longest grace of a rotation, in seconds: 30 days. */
export const MAX_GRACE_SECONDS: number = 30 * 24 * 3600;

export const accountParams = z.strictObject({ workspace: z.string(), id: z.string() });

export const accountBody = z.strictObject({
  name: title,
  description: description.optional(),
  role: roleName.optional(),
});

export const accountItem = z.strictObject({
  id: z.int(),
  name: z.string(),
  description: z.string().nullable(),
  role: z.string().nullable().describe('Null: no role, hence no permission.'),
  clientId: z.string(),
  disabled: z.boolean(),
  createdAt: instant,
});

export const accountCreated = z.strictObject({
  ...accountItem.shape,
  clientSecret: z.string().describe('Shown this once; kept as a hash.'),
  revision,
});

export const credentialItem = z.strictObject({
  cred: z.string().describe('What the claim `cred` of a token names.'),
  kind: z.enum(['secret', 'key']),
  kid: z.string().nullable(),
  createdAt: instant,
  validUntil: instant.nullable(),
});

export const accountDetail = z.strictObject({ ...accountItem.shape, credentials: z.array(credentialItem) });

export const rotateBody = z
  .strictObject({
    graceSeconds: seconds(0, MAX_GRACE_SECONDS)
      .optional()
      .describe('How long the present secret stays valid, in seconds; 0 by default: it dies at once.'),
  })
  .nullish();

export const rotated = z.strictObject({
  clientSecret: z.string().describe('Shown this once; kept as a hash.'),
  previousValidUntil: instant,
  revision,
});

export const keysBody = z.strictObject({
  jwks: z
    .strictObject({ keys: z.array(z.record(z.string(), z.json())).max(4) })
    .describe('JSON Web Key Set (RFC 7517): at most 4 public, asymmetric keys. They replace the present ones.'),
});
