import {
  type CheckAnswer,
  type CheckRequest,
  OWN_PROVIDER,
  type Permission,
  type ServerErrorCode,
} from '@centrali-io/protocol';
import { passFormGate, Refusal } from '../../resource-server/index.ts';
import { grantsOf } from '../admin/authority.ts';
import { instantOf } from '../admin/instant.ts';
import { checkOf, type JudgedToken, type TokenVerifier } from '../admin/verifier.ts';
import type { IamServices } from '../services.ts';
import type { StoreView } from '../store/port.ts';
import { decidedBy } from './decided-by.ts';
import { type Denial, remedyOf } from './remedy.ts';

/** One step of the connection flow, as `explain` tells it. */
export interface ExplainStep {
  readonly step: 'verify' | 'workspace' | 'decide';
  readonly ok: boolean;
  /** The inner reason of a denial. */
  readonly reason?: string;
  readonly detail?: Readonly<Record<string, unknown>>;
}

/** Why a principal is let in, or is not. */
export interface Explanation {
  readonly allowed: boolean;
  readonly code?: ServerErrorCode;
  /** The record that decides. */
  readonly decidedBy: string;
  readonly steps: readonly ExplainStep[];
  /** The command that would mend the denial. */
  readonly remedy?: string;
}

/** Who or what is asked about. */
export interface ExplainQuestion {
  readonly workspace: string;
  readonly permission: Permission;
}

/** Explains what a gateway would answer. Nothing is spent, kept or logged. */
export interface Explainer {
  /** A token, as if it came with a request; only about tokens that name the workspace. */
  token(token: string, question: ExplainQuestion): Promise<Explanation>;
  /** A principal, as if it came with a fresh token that limits nothing. */
  principal(provider: string, sub: string, question: ExplainQuestion): Promise<Explanation>;
}

/** Makes the explainer on IAM's own verifier and decisions. */
export function createExplainer(services: IamServices, verifier: TokenVerifier): Explainer {
  const { store, issuer } = services;

  /** Step 4, told. */
  const decide = async (request: CheckRequest, before: readonly ExplainStep[]): Promise<Explanation> => {
    const { workspace, permission } = request;
    const [answer] = await services.decisions.check([request]);
    if (!answer) throw new Refusal('AUTH_ERROR', 'check_unanswered');
    return store.read(async (view) => {
      const facts = await factsOf(view, request);
      if (answer.decision === 'allowed') {
        const by = await rolesThatGrant(view, workspace, permission, answer);
        const detail = { permission, roles: answer.roles, grants: answer.grants };
        const steps: ExplainStep[] = [...before, { step: 'decide', ok: true, detail }];
        return { allowed: true, decidedBy: `role ${by.join(', ')}`, steps };
      }
      const { decision, reason } = answer;
      const step: ExplainStep = { step: 'decide', ok: false, reason, detail: { permission, roles: facts.roles } };
      return denied(decision === 'revoked' ? 'INVALID_TOKEN' : 'FORBIDDEN', decidedBy(reason), [...before, step], {
        reason,
        permission,
        workspace,
        issuer,
        provider: request.provider,
        sub: request.sub,
        ...facts,
      });
    });
  };

  return {
    async token(token, question) {
      const { workspace, permission } = question;
      const base = { permission, workspace, issuer };
      try {
        mustNameWorkspace(token, issuer, workspace);
      } catch (error) {
        const { code, reason } = asRefusal(error);
        const step = code === 'WORKSPACE_MISMATCH' ? 'workspace' : 'verify';
        return denied(code, step === 'workspace' ? 'token' : decidedBy(reason), [{ step, ok: false, reason }], {
          ...base,
          reason,
        });
      }
      let judged: JudgedToken;
      try {
        judged = await verifier.judge(token, workspace);
      } catch (error) {
        const { code, reason } = asRefusal(error);
        const step = stepOf(code);
        const passed: ExplainStep[] = step === 'verify' ? [] : [{ step: 'verify', ok: true }];
        return denied(code, decidedBy(reason), [...passed, { step, ok: false, reason }], { ...base, reason });
      }
      const { claims, kid, issuer: by, mapped } = judged;
      const detail = {
        provider: by.provider,
        sub: claims.sub,
        ...(claims.client_id === undefined ? {} : { clientId: claims.client_id }),
        ...(claims.jti === undefined ? {} : { jti: claims.jti }),
        kid,
        issuedAt: instantOf(claims.iat * 1000),
        expiresAt: instantOf(claims.exp * 1000),
        scope: claims.scope ?? null,
        ...(by.mapping ? { mappedRoles: mapped.roles, attributes: mapped.attributes } : {}),
      };
      return decide(checkOf(judged, workspace, permission), [
        { step: 'verify', ok: true, detail },
        { step: 'workspace', ok: true },
      ]);
    },

    async principal(provider, sub, { workspace, permission }) {
      const isService = provider === OWN_PROVIDER && sub.startsWith('ci_');
      const request = await store.read(async (view): Promise<CheckRequest | undefined> => {
        const account = isService ? await view.accounts.byClientId(sub) : undefined;
        if (isService && account?.workspace !== workspace) return undefined;
        const credentials = account ? await view.credentials.ofClient(sub) : [];
        const now = services.now();
        const live = credentials.findLast(({ validUntil }) => validUntil === null || validUntil > now);
        const stored = provider === OWN_PROVIDER ? undefined : await view.providers.get(provider);
        const { defaultRole } = stored?.record.mapping ?? {};
        return {
          workspace,
          permission,
          provider,
          sub,
          ...(account ? { clientId: sub } : {}),
          ...(live ? { cred: live.cred } : {}),
          // Issued after every revocation so far, by no withdrawn key.
          iat: Math.ceil(now / 1000) + 1,
          kid: '',
          scope: [permission],
          mappedRoles: defaultRole === undefined ? [] : [defaultRole],
          attributes: {},
          atLeast: 0,
        };
      });
      if (request) return decide(request, []);
      // Another workspace's account answers as one that there is not.
      const reason = 'account_unknown';
      const denial: Denial = { reason, permission, workspace, issuer, provider, sub, kind: 'service' };
      return denied('INVALID_TOKEN', decidedBy(reason), [{ step: 'decide', ok: false, reason }], denial);
    },
  };
}

/**
 * Before anything is found out about a token: one of ours that does not name this workspace is another
 * workspace's, and nothing more is said of it, not even whether it is good.
 */
function mustNameWorkspace(token: string, issuer: string, workspace: string): void {
  const { payload } = passFormGate(token);
  if (payload.iss !== issuer) return;
  const named: unknown[] = Array.isArray(payload.workspaces) ? payload.workspaces : [payload.workspaces];
  if (!named.includes(workspace)) throw new Refusal('WORKSPACE_MISMATCH', 'workspace_not_named');
}

function stepOf(code: ServerErrorCode): ExplainStep['step'] {
  if (code === 'WORKSPACE_MISMATCH') return 'workspace';
  return code === 'FORBIDDEN' ? 'decide' : 'verify';
}

/** An outage is no explanation: it goes out as what it is. */
function asRefusal(error: unknown): Refusal {
  if (!(error instanceof Refusal) || error.code === 'AUTH_ERROR') throw error;
  return error;
}

function denied(code: ServerErrorCode, by: string, steps: readonly ExplainStep[], denial: Denial): Explanation {
  const remedy = remedyOf(denial);
  return { allowed: false, code, decidedBy: by, steps, ...(remedy === undefined ? {} : { remedy }) };
}

/** What this workspace's records say of the principal; nothing of another workspace's account. */
async function factsOf(
  view: StoreView,
  { workspace, provider, sub }: CheckRequest,
): Promise<Pick<Denial, 'kind' | 'accountId' | 'roles'>> {
  const isService = provider === OWN_PROVIDER && sub.startsWith('ci_');
  if (!isService) {
    const member = await view.members.get({ workspace, provider, sub });
    return { kind: 'user', roles: member?.roles ?? [] };
  }
  const account = await view.accounts.byClientId(sub);
  if (account?.workspace !== workspace) return { kind: 'service', roles: [] };
  return { kind: 'service', accountId: account.id, roles: account.roles };
}

async function rolesThatGrant(
  view: StoreView,
  workspace: string,
  permission: Permission,
  { roles }: Extract<CheckAnswer, { readonly decision: 'allowed' }>,
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const name of roles) {
    const grants = await grantsOf(view, workspace, [name]);
    if (grants.some((grant) => grant.permission === permission)) found.push(name);
  }
  return found;
}
