import { Refusal } from '../../resource-server/index.ts';
import type { Access } from './access.ts';
import type { Authority } from './authority.ts';
import { decide } from './authorize.ts';

/** How often an access is decided on anew before it is given up: something changes faster than it can be asked. */
const REPEATS = 3;

/**
 * Does what must be done while an access holds, in the same turn. Where something has changed since it was
 * decided on, step 4 is taken once more first. `take` gives `undefined` when the access does not hold.
 *
 * @throws Refusal as `decide`, and what `take` throws
 */
export async function whileItHolds<T>(
  authority: Pick<Authority, 'decisions' | 'ends'>,
  access: Access,
  take: (access: Access) => T | undefined,
): Promise<T> {
  const { principal, token, workspace, permission } = access;
  const subject = { provider: principal.provider, sub: principal.sub, token };
  let current = access;
  for (let asked = 0; ; asked++) {
    const taken = take(current);
    if (taken !== undefined) return taken;
    if (asked === REPEATS) throw new Refusal('AUTH_ERROR', 'decision_stale');
    current = await decide(authority, subject, workspace, permission);
  }
}
