import type { Grant } from '@centrali-io/protocol';
import { shadowed } from './cover.ts';

/** What an administrator should know of grants that read as a limit and are none: one sentence per permission. */
export function shadowWarnings(grants: readonly Grant[]): string[] {
  const names = new Set(shadowed(grants).map(({ permission }) => permission));
  return [...names].map(
    (name) => `A grant of ${name} without a filter opens all that a filtered one is meant to narrow.`,
  );
}
