import { OWN_PROVIDER } from '@centrali-io/protocol';
import type { Actor } from '../services.ts';
import type { NewAuditRow } from '../store/port.ts';

/** The operator's command, and what the service does by itself. */
export const OPERATOR: Actor = { provider: OWN_PROVIDER, kind: 'service', sub: 'operator' };
export const SYSTEM: Actor = { provider: OWN_PROVIDER, kind: 'service', sub: 'system' };

/** Who acted and when, as an audit row says it. */
export function auditOf(actor: Actor, at: number): Pick<NewAuditRow, 'at' | 'provider' | 'principalKind' | 'sub'> {
  const { provider, kind, sub, clientId, jti, address, requestId } = actor;
  return {
    at,
    provider,
    principalKind: kind,
    sub,
    ...(clientId === undefined ? {} : { clientId }),
    ...(jti === undefined ? {} : { jti }),
    ...(address === undefined ? {} : { address }),
    ...(requestId === undefined ? {} : { requestId }),
  };
}
