import type { AccessTokenClaims, ProviderMapping, Scalar } from '@centrali-io/protocol';
import { Refusal } from './refusal.ts';

/** What a provider's mapping makes of a token's claims. */
export interface Mapped {
  /** Names of roles, each once, in the order of the mapping. */
  readonly roles: readonly string[];
  /** Named `ext_…`. */
  readonly attributes: Readonly<Record<string, Scalar>>;
}

/** Nothing is mapped: our own tokens. */
export const UNMAPPED: Mapped = { roles: [], attributes: {} };

/**
 * The value at a path of claims. A claim whose whole name is the path comes first, since issuers name
 * claims by URLs; then its segments between dots. Own properties only.
 */
export function claimAt(claims: Readonly<Record<string, unknown>>, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path];
  let value: unknown = claims;
  for (const segment of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, segment)) return undefined;
    value = (value as Record<string, unknown>)[segment];
  }
  return value;
}

function isScalar(value: unknown): value is Scalar {
  return typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value);
}

function textsAt(claims: AccessTokenClaims, path: string): readonly string[] {
  const value = claimAt(claims, path);
  const values: unknown[] = Array.isArray(value) ? value : [value];
  return values.filter((item) => typeof item === 'string');
}

/** Whether the mapping lets the token into `workspace`: it can refuse one, never add one. */
export function mappingAdmits(mapping: ProviderMapping, claims: AccessTokenClaims, workspace: string): boolean {
  return mapping.workspaces === undefined || textsAt(claims, mapping.workspaces).includes(workspace);
}

/**
 * Roles and attributes of a provider's token. Values that the mapping does not list give nothing.
 *
 * @throws Refusal `FORBIDDEN` when a required attribute is missing or not a string, number or boolean.
 */
export function mapClaims(mapping: ProviderMapping, claims: AccessTokenClaims): Mapped {
  const roles = new Set<string>();
  if (mapping.roles) {
    const { path, values } = mapping.roles;
    for (const text of textsAt(claims, path)) {
      const role = Object.hasOwn(values, text) ? values[text] : undefined;
      if (role !== undefined) roles.add(role);
    }
  }
  if (mapping.defaultRole !== undefined) roles.add(mapping.defaultRole);

  const attributes = new Map<string, Scalar>();
  for (const { jwtPath, attribute, required } of mapping.attributes ?? []) {
    const value = claimAt(claims, jwtPath);
    if (isScalar(value)) attributes.set(attribute.startsWith('ext_') ? attribute : `ext_${attribute}`, value);
    else if (required) throw new Refusal('FORBIDDEN', 'attribute_missing');
  }
  return { roles: [...roles], attributes: Object.fromEntries(attributes) };
}
