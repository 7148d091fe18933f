import type { ProviderMapping } from '@centrali-io/protocol';

/** Every role that a mapping can give, each once. */
export function mappedRoleNames({ defaultRole, roles }: ProviderMapping): readonly string[] {
  return [...new Set([...(defaultRole === undefined ? [] : [defaultRole]), ...Object.values(roles?.values ?? {})])];
}
