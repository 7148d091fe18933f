import { BUILT_IN_ROLES, type Grant, isBuiltInRole } from '@centrali-io/protocol';

/** What a built-in role grants: each permission whole. */
export function builtInGrants(role: string): readonly Grant[] | undefined {
  return isBuiltInRole(role) ? BUILT_IN_ROLES[role].map((permission) => ({ permission })) : undefined;
}

const within = (inner: readonly string[] | undefined, outer: readonly string[] | undefined): boolean => {
  if (!outer || outer.length === 0) return true;
  if (!inner || inner.length === 0) return false;
  return inner.every((name) => outer.includes(name));
};

/**
 * Whether one grant opens nothing that another one does not: same permission, structures and events
 * within its, and a filter only if it is the same text. Filters are not compared by meaning: in doubt
 * a grant counts as wider.
 */
export function covers(outer: Grant, inner: Grant): boolean {
  return (
    outer.permission === inner.permission &&
    within(inner.structures, outer.structures) &&
    within(inner.events, outer.events) &&
    (outer.filter === undefined || outer.filter === inner.filter)
  );
}

/** The first of `wanted` that goes beyond all of `held`, if any: what nobody may hand out. */
export function beyond(held: readonly Grant[], wanted: readonly Grant[]): Grant | undefined {
  return wanted.find((inner) => !held.some((outer) => covers(outer, inner)));
}

/**
 * Grants that do nothing beside the others since one without a filter opens the same and more.
 * Administrators are warned of them: they read as a limit and are none.
 */
export function shadowed(grants: readonly Grant[]): readonly Grant[] {
  return grants.filter(
    (grant) =>
      grant.filter !== undefined &&
      grants.some((other) => other.filter === undefined && covers(other, { ...grant, filter: '' })),
  );
}
