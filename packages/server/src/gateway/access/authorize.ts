/** The connection flow, for every route that takes a bearer. Cheap checks first; the first failure ends it; any doubt denies. */
import type { Permission } from '@centrali-io/protocol';
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
import { type Access, accessOf } from './access.ts';
import type { Admission } from './admit.ts';
import type { Attempt } from './attempt.ts';
import type { AuditSpool } from './audit.ts';
import { type BindingParts, checkBinding } from './binding.ts';
import type { ChangeFeed } from './change-feed.ts';
import type { DecisionQueue } from './decisions.ts';
import type { AccessEnds } from './ends.ts';
import { checkQueryLifetime } from './query-token.ts';
import { refusalOf } from './refusal-of.ts';
import { questionOf, type Subject, subjectOf } from './subject.ts';
import { spent, subjectOfTicket, Tickets } from './tickets.ts';

/** What the flow stands on. */
export interface Authority {
  readonly issuers: Pick<IssuerDirectory, 'verify' | 'providerOf'>;
  readonly feed: ChangeFeed;
  readonly decisions: DecisionQueue;
  readonly ends: AccessEnds;
  readonly admission: Admission;
  readonly audit: Pick<AuditSpool, 'isFull' | 'add'>;
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
      : await verifyBearer(authority, credential, claim, request, attempt);
  attempt.subject = subject;
  return { subject, asked };
}

/** Form, then the key set of its issuer in this workspace, signature, claims; then the workspace. */
async function verifyBearer(
  authority: Authority,
  bearer: Bearer,
  { workspace, query }: Claim<unknown>,
  request: ServerRequest,
  attempt: Attempt,
): Promise<Subject> {
  const token = passFormGate(bearer.token);
  const provider = authority.issuers.providerOf(token, workspace);
  if (provider !== undefined) attempt.provider = provider;
  if (!authority.feed.isReady) throw new Refusal('AUTH_ERROR', 'feed_starting');
  // An issuer that nobody here has heard of may have been added since the feed was lost.
  if (provider === undefined && !authority.feed.isLive) throw new Refusal('AUTH_ERROR', 'feed_lost');
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
