import { mappingAdmits } from './mapping.ts';
import { Refusal } from './refusal.ts';
import type { VerifiedToken } from './verify.ts';

/**
 * Step 3 of the connection flow: the token names the workspace of the URL, exactly. Ours name it in the
 * claim `workspaces`; without the claim a token names none. A provider's tokens are for the provider's
 * workspace, which the choice of the verifier has seen to; its mapping may refuse it.
 *
 * @throws Refusal `WORKSPACE_MISMATCH`. Whether the workspace exists is not looked at: that is not told to strangers.
 */
export function checkWorkspace({ claims, issuer }: VerifiedToken, workspace: string): void {
  const named = issuer.mapping
    ? mappingAdmits(issuer.mapping, claims, workspace)
    : claims.workspaces?.includes(workspace) === true;
  if (!named) throw new Refusal('WORKSPACE_MISMATCH', 'workspace_not_named');
}
