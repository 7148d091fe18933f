import { type CheckRequest, isWorkspaceSlug, type Principal } from '@centrali-io/protocol';
import { HeaderFields, Refusal, readToken } from '../../resource-server/index.ts';
import type { IamServices, RequestContext } from '../services.ts';
import type { AuthorizeAdmin, Caller } from './caller.ts';
import { checkOf, type TokenVerifier } from './verifier.ts';

/**
 * Steps 1 to 4 of the connection flow for the administration. The token comes from the header only; its
 * scope must name `iam:manage`, whatever its principal may do: a token made to listen never administers.
 */
export function createAuthorizeAdmin({ decisions }: IamServices, verifier: TokenVerifier): AuthorizeAdmin {
  return async (request, workspace) => {
    const headers = new HeaderFields(request.raw.rawHeaders);
    const { token } = readToken({ headers, query: new URLSearchParams() }, 'no');
    // A slug that is none is a workspace that no token names.
    if (!isWorkspaceSlug(workspace)) {
      await verifier.verify(token, workspace);
      throw new Refusal('WORKSPACE_MISMATCH', 'workspace_malformed');
    }
    const judged = await verifier.judge(token, workspace);
    const check = checkOf(judged, workspace, 'iam:manage');
    const [answer] = await decisions.check([check]).catch((error: unknown) => {
      throw new Refusal('AUTH_ERROR', 'check_failed', { cause: error });
    });
    if (!answer) throw new Refusal('AUTH_ERROR', 'check_unanswered');
    if (answer.decision !== 'allowed') {
      if (answer.decision === 'revoked') throw new Refusal('INVALID_TOKEN', answer.reason);
      throw new Refusal('FORBIDDEN', answer.reason, { scope: 'iam:manage' });
    }
    return callerOf(workspace, answer.principal, check, request.context);
  };
}

function callerOf(
  workspace: string,
  principal: Principal,
  { clientId, jti, mappedRoles }: CheckRequest,
  { address, id: requestId }: RequestContext,
): Caller {
  const names = { ...(clientId === undefined ? {} : { clientId }), ...(jti === undefined ? {} : { jti }) };
  return { workspace, principal, mappedRoles, clientId, actor: { ...principal, ...names, address, requestId } };
}
