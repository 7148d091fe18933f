/** Steps 2 and 3 of the connection flow, for both kinds of credential: whose it is, and that it is for this workspace. */
import {
  type Bearer,
  checkWorkspace,
  passFormGate,
  Refusal,
  type ServerRequest,
  type Ways,
} from '../../resource-server/index.ts';
import type { Attempt } from './attempt.ts';
import type { Authority } from './authority.ts';
import { checkBinding } from './binding.ts';
import { checkQueryLifetime } from './query-token.ts';
import { type Subject, subjectOf } from './subject.ts';
import { spent, subjectOfTicket, Tickets } from './tickets.ts';

/** Form, then the key set of its issuer in this workspace, signature, claims; then the workspace. */
export async function verifyBearer(
  authority: Authority,
  bearer: Bearer,
  { workspace, query }: { readonly workspace: string; readonly query: Ways['query'] },
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
export async function redeemTicket(
  { feed, tickets, now }: Authority,
  ticket: string,
  workspace: string,
): Promise<Subject> {
  if (!Tickets.hasForm(ticket)) throw spent();
  if (!feed.isReady) throw new Refusal('AUTH_ERROR', 'feed_starting');
  const record = await tickets.take(ticket, now());
  if (record.workspace !== workspace) throw new Refusal('WORKSPACE_MISMATCH', 'ticket_of_other_workspace');
  return subjectOfTicket(record);
}
