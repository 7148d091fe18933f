/** The connection flow, for every route that takes a bearer. Cheap checks first; the first failure ends it; any doubt denies. */
import type { Permission } from '@centrali-io/protocol';
import { Refusal, readCredential, type ServerRequest, type Ways } from '../../resource-server/index.ts';
import { type Access, accessOf } from './access.ts';
import type { Attempt } from './attempt.ts';
import type { Authority } from './authority.ts';
import { refusalOf } from './refusal-of.ts';
import { questionOf, type Subject } from './subject.ts';
import { redeemTicket, verifyBearer } from './verify-credential.ts';

/** What a route asks of steps 0 to 3: by which ways it takes a credential, beside the header. */
export interface Claim<T> extends Ways {
  readonly workspace: string;
  /** Reads what else the request says. Cheap, so it comes before anything is spent on the request. */
  readonly understand: () => T;
}

/** What a route asks of the flow. */
export interface Demand<T> extends Claim<T> {
  readonly permission: Permission;
}

/**
 * Steps 0 to 5. Returns who may do what; the caller takes step 6. `attempt` learns on the way who asks,
 * for the audit of a refusal.
 *
 * @throws Refusal with the code of the step that failed
 */
export async function authorize<T>(
  authority: Authority,
  request: ServerRequest,
  demand: Demand<T>,
  attempt: Attempt,
): Promise<{ readonly access: Access; readonly asked: T }> {
  const { subject, asked } = await identify(authority, request, demand, attempt);
  const access = await decide(authority, subject, demand.workspace, demand.permission);
  await admit(authority, access);
  return { access, asked };
}

/**
 * Steps 0 to 3: whose token it is, for which workspace.
 *
 * @throws Refusal with the code of the step that failed
 */
export async function identify<T>(
  authority: Authority,
  request: ServerRequest,
  claim: Claim<T>,
  attempt: Attempt,
): Promise<{ readonly subject: Subject; readonly asked: T }> {
  // 0. Admit the address: the listener has, and has bounded head and body, before it called us.

  // 1. Read the token, or the ticket that stands for one.
  const credential = readCredential(request, { ...claim, dpop: true });
  const asked = claim.understand();

  // 2. Verify it, and 3. check that it is for the workspace of the URL.
  const subject =
    'ticket' in credential
      ? await redeemTicket(authority, credential.ticket, claim.workspace)
      : await verifyBearer(authority, credential, claim, request, attempt);
  attempt.subject = subject;
  return { subject, asked };
}

/**
 * Step 4: asks IAM. Revoked? May this principal do it here, by which grants?
 *
 * @throws Refusal `INVALID_TOKEN`, `FORBIDDEN`, `WORKSPACE_MISMATCH`, `AUTH_ERROR`
 */
export async function decide(
  { decisions, ends }: Pick<Authority, 'decisions' | 'ends'>,
  subject: Subject,
  workspace: string,
  permission: Permission,
): Promise<Access> {
  const { answer, ...of } = await decisions.ask(questionOf(subject, workspace, permission));
  if (answer.decision === 'forbidden' && !ends.isKnown(subject)) throw new Refusal('AUTH_ERROR', 'provider_changed');
  if (answer.decision !== 'allowed') throw refusalOf(answer, permission, 'request');
  return accessOf(subject, workspace, permission, { answer, ...of });
}

/**
 * Step 5: admits the principal. What could not be recorded is not let in.
 *
 * @throws Refusal `AUTH_ERROR`, `RATE_LIMIT_EXCEEDED`
 */
export async function admit(authority: Authority, { workspace, principal }: Access): Promise<void> {
  if (authority.audit.isFull) throw new Refusal('AUTH_ERROR', 'audit_full');
  await authority.admission.request(workspace, principal);
}
