/** The connection flow, for every route that takes a bearer. Cheap checks first; the first failure ends it; any doubt denies. */
import type { CheckAnswer, Permission } from '@centrali-io/protocol';
import {
  type Bearer,
  checkWorkspace,
  type IssuerDirectory,
  passFormGate,
  Refusal,
  readCredential,
  type ServerRequest,
  type Ways,
} from '../../resource-server/index.ts';
import { type Access, type Allowed, accessOf } from './access.ts';
import type { Admission } from './admit.ts';
import type { Attempt } from './attempt.ts';
import type { AuditSpool } from './audit.ts';
import { type BindingParts, checkBinding } from './binding.ts';
import type { ChangeFeed } from './change-feed.ts';
import type { DecisionQueue } from './decisions.ts';
import { checkQueryLifetime } from './query-token.ts';
import { questionOf, type Subject, subjectOf } from './subject.ts';
import { spent, subjectOfTicket, Tickets } from './tickets.ts';

/** What the flow stands on. */
export interface Authority {
  readonly issuers: IssuerDirectory;
  readonly feed: ChangeFeed;
  readonly decisions: DecisionQueue;
  readonly admission: Admission;
  readonly audit: AuditSpool;
  readonly tickets: Tickets;
  readonly binding: BindingParts;
  /** Wall clock, ms. */
  readonly now: () => number;
}

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
      : await verifyBearer(authority, credential, claim, request);
  attempt.subject = subject;
  return { subject, asked };
}

/** Form, then the key set of its issuer in this workspace, signature, claims; then the workspace. */
async function verifyBearer(
  authority: Authority,
  bearer: Bearer,
  { workspace, query }: Claim<unknown>,
  request: ServerRequest,
): Promise<Subject> {
  const token = passFormGate(bearer.token);
  if (!authority.feed.isReady) throw new Refusal('AUTH_ERROR', 'feed_starting');
  const verified = await authority.issuers.verify(token, workspace, authority.now());
  checkQueryLifetime(bearer, query, verified);
  await checkBinding(authority.binding, bearer, verified, request);
  checkWorkspace(verified, workspace);
  return subjectOf(verified);
}

/** Its token was verified when the ticket was made; what has happened to that since, step 4 tells. */
async function redeemTicket({ feed, tickets, now }: Authority, ticket: string, workspace: string): Promise<Subject> {
  if (!Tickets.hasForm(ticket)) throw spent();
  if (!feed.isReady) throw new Refusal('AUTH_ERROR', 'feed_starting');
  const record = await tickets.take(ticket, now());
  if (record.workspace !== workspace) throw new Refusal('WORKSPACE_MISMATCH', 'ticket_of_other_workspace');
  return subjectOfTicket(record);
}

/**
 * Step 4: asks IAM. Revoked? May this principal do it here, by which grants?
 *
 * @throws Refusal `INVALID_TOKEN`, `FORBIDDEN`, `WORKSPACE_MISMATCH`, `AUTH_ERROR`
 */
export async function decide(
  authority: Authority,
  subject: Subject,
  workspace: string,
  permission: Permission,
): Promise<Access> {
  const answer = await authority.decisions.ask(questionOf(subject, workspace, permission));
  return accessOf(subject, workspace, permission, allowed(answer, permission));
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

/** IAM's reasons for a workspace that is not there: it answers as one that the token does not name. */
const NO_WORKSPACE: ReadonlySet<string> = new Set(['workspace_unknown', 'workspace_deleted']);

/** IAM's answer in the words of HTTP. */
function allowed(answer: CheckAnswer, permission: Permission): Allowed {
  if (answer.decision === 'allowed') return answer;
  if (answer.decision === 'revoked') throw new Refusal('INVALID_TOKEN', answer.reason);
  if (NO_WORKSPACE.has(answer.reason)) throw new Refusal('WORKSPACE_MISMATCH', answer.reason);
  throw new Refusal('FORBIDDEN', answer.reason, { scope: permission });
}
