import type { CheckAnswer, Permission } from '@centrali-io/protocol';
import { Refusal } from '../../resource-server/index.ts';

/** An answer that does not let in. */
export type Denied = Exclude<CheckAnswer, { decision: 'allowed' }>;

/** IAM's reasons for a workspace that is not there: it answers as one that the token does not name. */
const NO_WORKSPACE: ReadonlySet<string> = new Set(['workspace_unknown', 'workspace_deleted']);

/**
 * IAM's denial in the words of HTTP. An open stream was let in because its token names the workspace, so it
 * never ends with WORKSPACE_MISMATCH.
 */
export function refusalOf({ decision, reason }: Denied, permission: Permission, of: 'request' | 'stream'): Refusal {
  if (decision === 'revoked') return new Refusal('INVALID_TOKEN', reason);
  if (of === 'request' && NO_WORKSPACE.has(reason)) return new Refusal('WORKSPACE_MISMATCH', reason);
  return new Refusal('FORBIDDEN', reason, { scope: permission });
}
