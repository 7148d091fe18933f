/** Every permission there is. Names match exactly; there are no wildcards. */
export const PERMISSIONS = [
  'realtime:subscribe',
  'realtime:publish',
  'realtime:publish-as',
  'realtime:connections',
  'iam:manage',
] as const;

/** A permission of a workspace. */
export type Permission = (typeof PERMISSIONS)[number];

/** Whether `value` names a permission, exactly. */
export function isPermission(value: unknown): value is Permission {
  return typeof value === 'string' && (PERMISSIONS as readonly string[]).includes(value);
}

/** The built-in roles: immutable, present in every workspace. */
export type BuiltInRole = 'owner' | 'admin' | 'developer' | 'viewer';

/**
 * What each built-in role permits. Each role holds what the next lower one holds, since nobody may
 * hand out more than they hold themselves.
 */
export const BUILT_IN_ROLES: Readonly<Record<BuiltInRole, readonly Permission[]>> = {
  owner: ['realtime:subscribe', 'realtime:publish', 'realtime:connections', 'iam:manage', 'realtime:publish-as'],
  admin: ['realtime:subscribe', 'realtime:publish', 'realtime:connections', 'iam:manage'],
  developer: ['realtime:subscribe', 'realtime:publish'],
  viewer: ['realtime:subscribe'],
};

/** Whether `name` is a built-in role. */
export function isBuiltInRole(name: string): name is BuiltInRole {
  return Object.hasOwn(BUILT_IN_ROLES, name);
}
