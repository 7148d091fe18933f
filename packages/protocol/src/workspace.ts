/** A workspace's slug: what URLs and the `workspaces` claim hold. ASCII, compared byte for byte. */
const SLUG = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** Whether `value` is a workspace slug: 1 to 63 characters of `a-z`, `0-9` and `-`, not starting with `-`. */
export function isWorkspaceSlug(value: unknown): value is string {
  return typeof value === 'string' && SLUG.test(value);
}
