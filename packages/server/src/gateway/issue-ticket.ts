import { ERROR_HEADERS, type ServerRequest } from '../resource-server/index.ts';
import type { Attempt } from './access/attempt.ts';
import { auditEntry } from './access/audit-entry.ts';
import type { Authority } from './access/authority.ts';
import { admit, decide, identify } from './access/authorize.ts';
import { onlyKnown } from './parameters.ts';
import type { Place } from './routes.ts';
import { refuseBody } from './selection.ts';

const NO_PARAMETERS: ReadonlySet<string> = new Set();

/**
 * `POST …/tickets`: changes the token in the header for a ticket, good for one connect within 60 s; 201 with
 * `{ticket, expiresIn}`. Whoever could not subscribe gets none: the error comes where it can be read.
 *
 * @throws Refusal as the connection flow does
 */
export async function issueTicket(
  { authority }: { readonly authority: Authority },
  request: ServerRequest,
  { workspace }: Place,
  attempt: Attempt,
): Promise<Response> {
  const understand = (): void => {
    onlyKnown(request.query, NO_PARAMETERS);
    refuseBody(request.headers);
  };
  const { subject } = await identify(authority, request, { workspace, query: 'no', understand }, attempt);
  await admit(authority, await decide(authority, subject, workspace, 'realtime:subscribe'));
  const made = await authority.tickets.make(subject, workspace, authority.now());
  const ticketMade = { at: authority.now(), kind: 'connect', reason: 'ticket_made', workspace } as const;
  authority.audit.add(auditEntry({ subject, request }, ticketMade));
  return new Response(JSON.stringify(made), {
    status: 201,
    headers: { ...ERROR_HEADERS, 'content-type': 'application/json' },
  });
}
