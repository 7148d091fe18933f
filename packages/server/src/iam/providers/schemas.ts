import type { ProviderMapping } from '@centrali-io/protocol';
import { z } from 'zod';
import { isVerifiableAlgorithm } from '../../resource-server/index.ts';
import { instant, revision, roleName, title } from '../admin/fields.ts';

/** Longest `exp - iat` of a provider's token, in seconds. */
export const MAX_LIFETIME_SECONDS = 86_400;

/** Most providers of one workspace. */
export const MAX_PROVIDERS = 32;

/** Claims are named by texts or URLs, or lie inside others: `realm_access.roles`, `https://example.com/role`. */
const claimPath = z
  .string()
  .regex(/^[\x21-\x7e]{1,256}$/, { error: 'must be 1 to 256 visible ASCII characters' })
  .describe('Name of a claim, or names joined by dots.');

const url = z.string().regex(/^https?:\/\/[\x21-\x7e]{1,1024}$/, { error: 'must be a URL of at most 1024 characters' });

const typ = z
  .string()
  .regex(/^[A-Za-z0-9.+/-]{1,64}$/, { error: 'must be a media type, such as JWT or at+jwt' })
  .transform((value) => value.toLowerCase().replace(/^application\//, ''));

const algorithm = z
  .string()
  .refine(isVerifiableAlgorithm, { error: 'must be an asymmetric signature algorithm, such as RS256' });

const mapping = z
  .strictObject({
    workspaces: claimPath.optional().describe('Claim that names workspaces: it can refuse this one, never add one.'),
    roles: z
      .strictObject({
        path: claimPath,
        values: z
          .record(z.string().min(1).max(256), roleName)
          .refine((value) => Object.keys(value).length <= 64, { error: 'must be at most 64 values' }),
      })
      .optional()
      .describe('Which value of a claim gives which role; other values give none.'),
    defaultRole: roleName.optional().describe('Role of every verified user of the provider.'),
    attributes: z
      .array(
        z.strictObject({
          jwtPath: claimPath,
          attribute: z
            .string()
            .regex(/^[A-Za-z][A-Za-z0-9_]{0,63}$/, { error: 'must match [A-Za-z][A-Za-z0-9_]{0,63}' }),
          required: z.boolean().optional().default(false),
        }),
      )
      .max(32)
      .refine((items) => new Set(items.map(({ attribute }) => attribute.replace(/^ext_/, ''))).size === items.length, {
        error: 'must name each attribute once',
      })
      .optional()
      .describe('Claims that grants can use, as `{claims.ext_…}`.'),
  })
  .describe('How claims become rights here.');

export const providerBody = z.strictObject({
  name: title,
  issuer: url.describe('`iss` of its tokens, exactly.'),
  audiences: z
    .array(z.string().regex(/^[\x20-\x7e]{1,512}$/, { error: 'must be 1 to 512 ASCII characters' }))
    .min(1)
    .max(16)
    .describe('One of them must be in `aud`.'),
  typ: z
    .union([typ.transform((value) => [value]), z.array(typ).min(1).max(8)], {
      error: 'must be a type or a list of types',
    })
    .optional()
    .describe('Accepted `typ` headers; JWT and at+jwt by default.'),
  algorithms: z
    .array(algorithm)
    .min(1)
    .max(8)
    .optional()
    .describe('Accepted `alg` headers; by default those of its OpenID configuration, else RS256.'),
  jwksUri: url.optional().describe('Its key set; by default found by OpenID Connect Discovery.'),
  mapping: mapping.optional(),
});

export const providerParams = z.strictObject({ workspace: z.string(), id: z.string() });

export const providerItem = z.strictObject({
  id: z.string(),
  name: z.string(),
  issuer: z.string(),
  audiences: z.array(z.string()),
  typ: z.array(z.string()),
  algorithms: z.array(z.string()),
  jwksUri: z.string(),
  mapping: z.record(z.string(), z.unknown()),
  createdAt: instant,
  updatedAt: instant,
});

export const providerCreated = z.strictObject({ ...providerItem.shape, revision, warnings: z.array(z.string()) });

export const keysRefreshed = z.strictObject({
  revision,
  keys: z.int().describe('Usable keys of the set as it is now.'),
});

export const providerTested = z.strictObject({
  ok: z.boolean(),
  steps: z.array(
    z.strictObject({
      step: z.enum(['discovery', 'key-set']),
      ok: z.boolean(),
      reason: z.string().optional().describe('Why it failed, in a word.'),
      keys: z.array(z.strictObject({ kid: z.string(), alg: z.string() })).optional(),
    }),
  ),
});

/** A validated mapping without the members that are absent, as it is stored. */
export function storedMapping(input: z.output<typeof mapping> | undefined): ProviderMapping {
  const { workspaces, roles, defaultRole, attributes } = input ?? {};
  return {
    ...(workspaces === undefined ? {} : { workspaces }),
    ...(roles === undefined ? {} : { roles }),
    ...(defaultRole === undefined ? {} : { defaultRole }),
    ...(attributes === undefined || attributes.length === 0 ? {} : { attributes }),
  };
}
