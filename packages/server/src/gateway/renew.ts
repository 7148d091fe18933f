import { OWN_PROVIDER, principalKey } from '@centrali-io/protocol';
import { ERROR_HEADERS, Refusal, type ServerRequest } from '../resource-server/index.ts';
import type { Attempt } from './access/attempt.ts';
import { actorOf, auditEntry } from './access/audit-entry.ts';
import type { Authority } from './access/authority.ts';
import { admit, decide, identify } from './access/authorize.ts';
import { Bound } from './access/bound.ts';
import type { Subject } from './access/subject.ts';
import { whileItHolds } from './access/while-it-holds.ts';
import { noConnection } from './connections.ts';
import type { Delivery, StreamInfo } from './delivery/port.ts';
import { onlyKnown } from './parameters.ts';
import type { Place } from './routes.ts';
import { refuseBody } from './selection.ts';

/** What renewal stands on. */
export interface RenewParts {
  readonly authority: Authority;
  readonly delivery: Delivery;
}

const NO_PARAMETERS: ReadonlySet<string> = new Set();

/**
 * `POST …/connections/{id}/token`: renews an open stream's token in place; 204, and `renewed` on the stream.
 * The bearer is the new token, from the header only. Steps 2 to 5 of the connection flow judge it like any
 * other; the stream is touched at the very end or not at all, and its lifetime runs on.
 *
 * @throws Refusal as the flow does; `CONFLICT` when the token is older than the one that the stream has, dies
 * before it, or is bound to another key; `NOT_FOUND`, the same one for a stream that is unknown, of another
 * workspace or of another principal
 */
export async function renew(
  { authority, delivery }: RenewParts,
  request: ServerRequest,
  { workspace, connectionId }: Place,
  attempt: Attempt,
): Promise<Response> {
  const understand = (): void => {
    onlyKnown(request.query, NO_PARAMETERS);
    refuseBody(request.headers);
  };
  const { subject } = await identify(authority, request, { workspace, query: 'no', understand }, attempt);
  // Before IAM is asked: whoever tries ids costs no more than this.
  const { bound } = checkSuccessor(delivery.find(connectionId), workspace, subject);
  const decided = await decide(authority, subject, workspace, 'realtime:subscribe');
  await admit(authority, decided);
  const access = await whileItHolds(authority, decided, (current) => {
    // Nothing waits here: what is true now is true when the stream goes on.
    const { stream } = checkSuccessor(delivery.find(connectionId), workspace, subject);
    if (principalKey(current.principal) !== principalKey(stream.access.principal)) throw noConnection();
    checkAlive(authority, subject, workspace);
    return authority.ends.renew(bound, current) ? current : undefined;
  });
  const renewed = { at: authority.now(), kind: 'connect', reason: 'renewed', workspace, connectionId } as const;
  authority.audit.add(auditEntry(actorOf(access, request), renewed));
  return new Response(null, { status: 204, headers: ERROR_HEADERS });
}

/** The stream, when the token of `subject` may follow the one that it has. */
function checkSuccessor(
  stream: StreamInfo | undefined,
  workspace: string,
  { provider, sub, token }: Subject,
): { readonly stream: StreamInfo; readonly bound: Bound } {
  if (stream?.access.workspace !== workspace || !(stream.hold instanceof Bound)) throw noConnection();
  const { principal, token: present } = stream.access;
  if (principal.provider !== provider || principal.sub !== sub) throw noConnection();
  if (present.jkt !== token.jkt)
    throw conflict('renewal_binding', 'The token is bound to another key than the stream.');
  if (token.iat < present.iat || token.expiresAt < present.expiresAt)
    throw conflict('renewal_older', 'The token is older than the one that the stream has, or dies before it.');
  return { stream, bound: stream.hold };
}

/** What the change feed told while IAM was asked. */
function checkAlive({ feed }: Authority, { provider, sub, token }: Subject, workspace: string): void {
  const { jti, clientId, sid, iat, kid } = token;
  const names = {
    workspace,
    provider,
    sub,
    iat,
    ...(jti === undefined ? {} : { jti }),
    ...(clientId === undefined ? {} : { clientId }),
    ...(sid === undefined ? {} : { sid }),
  };
  if (feed.revocations.covers(names)) throw new Refusal('INVALID_TOKEN', 'token_revoked');
  if (provider === OWN_PROVIDER && feed.isWithdrawn(kid)) throw new Refusal('INVALID_TOKEN', 'key_withdrawn');
}

function conflict(reason: string, message: string): Refusal {
  return new Refusal('CONFLICT', reason, { message });
}
