import { type CheckRequest, isWorkspaceSlug, type Principal } from '@centrali-io/protocol';
import { HeaderFields, Refusal, readToken } from '../../resource-server/index.ts';
import { auditOf } from '../audit/actor.ts';
import type { IamServices, RequestContext } from '../services.ts';
import type { AuthorizeAdmin, Caller } from './caller.ts';
import { checkOf, type JudgedToken, type TokenVerifier } from './verifier.ts';

/**
 * Steps 1 to 4 of the connection flow for the administration. The token comes from the header only; its
 * scope must name `iam:manage`, whatever its principal may do: a token made to listen never administers.
 * Refusals go into the audit log: with the principal once it is verified for this workspace, summed before.
 */
export function createAuthorizeAdmin(services: IamServices, verifier: TokenVerifier): AuthorizeAdmin {
  const { decisions, audit, now } = services;

  /** Steps 1 to 3. */
  const judge = async (rawHeaders: readonly string[], workspace: string): Promise<JudgedToken> => {
    const { token } = readToken({ headers: new HeaderFields(rawHeaders), query: new URLSearchParams() }, 'no');
    const judged = await verifier.judge(token, workspace);
    // A slug that is none is a workspace that no token names, whatever a token holds.
    if (!isWorkspaceSlug(workspace)) throw new Refusal('WORKSPACE_MISMATCH', 'workspace_malformed');
    return judged;
  };

  return async ({ raw, context }, workspace) => {
    const row = {
      workspace,
      kind: 'refuse',
      action: 'administer',
      address: context.address,
      requestId: context.id,
    } as const;
    const judged = await judge(raw.rawHeaders, workspace).catch((error: unknown) => {
      if (error instanceof Refusal && isWorkspaceSlug(workspace)) {
        audit.sum({ ...row, at: now(), code: error.code, reason: error.reason });
      }
      throw error;
    });
    const check = checkOf(judged, workspace, 'iam:manage');
    const [answer] = await decisions.check([check]).catch((error: unknown) => {
      throw new Refusal('AUTH_ERROR', 'check_failed', { cause: error });
    });
    if (!answer) throw new Refusal('AUTH_ERROR', 'check_unanswered');
    if (answer.decision === 'allowed') return callerOf(workspace, answer.principal, check, context);
    const refusal =
      answer.decision === 'revoked'
        ? new Refusal('INVALID_TOKEN', answer.reason)
        : new Refusal('FORBIDDEN', answer.reason, { scope: 'iam:manage' });
    const kind = judged.claims.sub === check.clientId ? 'service' : 'user';
    const { actor } = callerOf(workspace, { provider: check.provider, kind, sub: check.sub }, check, context);
    audit.push({ ...row, ...auditOf(actor, now()), code: refusal.code, reason: refusal.reason });
    throw refusal;
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
