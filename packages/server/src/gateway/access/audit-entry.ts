import type { AuditEntry } from '@centrali-io/protocol';
import type { ServerRequest } from '../../resource-server/index.ts';
import type { Subject } from './subject.ts';

/** Who did something, by which request. */
export interface Actor {
  readonly subject: Pick<Subject, 'provider' | 'sub'> & {
    readonly token: Pick<Subject['token'], 'clientId' | 'jti'>;
  };
  readonly request: Pick<ServerRequest, 'id' | 'address'>;
}

/** An audit entry with the names of whoever acted: the principal's, its token's, the request's. Never the token itself. */
export function auditEntry(
  { subject: { provider, sub, token }, request }: Actor,
  what: Pick<AuditEntry, 'at' | 'kind' | 'workspace'> & Partial<AuditEntry>,
): AuditEntry {
  return {
    ...what,
    provider,
    sub,
    ...(token.clientId === undefined ? {} : { clientId: token.clientId }),
    ...(token.jti === undefined ? {} : { jti: token.jti }),
    address: request.address,
    requestId: request.id,
  };
}

/** The actor of an access, for `auditEntry`. */
export function actorOf(
  { principal, token }: { readonly principal: Pick<Subject, 'provider' | 'sub'>; readonly token: Subject['token'] },
  request: Actor['request'],
): Actor {
  return { subject: { provider: principal.provider, sub: principal.sub, token }, request };
}
