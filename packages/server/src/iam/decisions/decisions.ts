import type { AuditEntry, CheckRequest, Decisions } from '@centrali-io/protocol';
import { isTicketHash, MAX_CHECKS, TICKET_SECONDS, type TicketRecord } from '@centrali-io/protocol';
import { Refusal } from '../../resource-server/index.ts';
import type { AuditSpool } from '../audit/spool.ts';
import type { ChangeFeed } from '../changes/change-feed.ts';
import type { KeyRing } from '../keys/key-ring.ts';
import type { NewAuditRow, Store } from '../store/port.ts';
import { decide } from './decide.ts';
import { DecisionReader } from './decision-reader.ts';

/** What `createDecisions` puts together. */
export interface DecisionsDependencies {
  readonly store: Store;
  readonly feed: ChangeFeed;
  readonly keys: Pick<KeyRing, 'jwks'>;
  readonly audit: Pick<AuditSpool, 'open' | 'push' | 'sum'>;
  readonly now: () => number;
}

/** Tickets that wait at once: a minute of 1,600 connects a second in all, and two tabs a second of one principal. */
const TICKET_ROOM = { inAll: 100_000, ofPrincipal: 120 } as const;

/** The Decisions port in memory: the reference that the adapter over HTTP is held against. */
export function createDecisions({ store, feed, keys, audit, now }: DecisionsDependencies): Decisions {
  const reader = new DecisionReader();
  return {
    async check(requests: readonly CheckRequest[], signal?: AbortSignal) {
      signal?.throwIfAborted();
      if (requests.length === 0 || requests.length > MAX_CHECKS)
        throw new RangeError(`A check asks 1 to ${MAX_CHECKS} questions.`);
      // What cannot be recorded is not let in.
      if (!audit.open) throw new Refusal('AUTH_ERROR', 'audit_full');
      const states = await store.read((view) => reader.read(view, requests, now()));
      return requests.map((request, index) => {
        const state = states[index];
        if (!state) throw new Error('A check without its state.');
        return decide(state, request);
      });
    },
    changes: feed,
    async record(entries: readonly AuditEntry[], signal?: AbortSignal) {
      signal?.throwIfAborted();
      for (const entry of entries) {
        if (entry.kind === 'refuse' && entry.sub === undefined) audit.sum(rowOf(entry));
        else audit.push(rowOf(entry));
      }
    },
    async putTicket(hash: string, ticket: TicketRecord, signal?: AbortSignal) {
      signal?.throwIfAborted();
      if (!isTicketHash(hash)) throw new RangeError('A ticket is kept under 64 hex digits.');
      const expiresAt = Math.min(now() + TICKET_SECONDS * 1_000, ticket.expiresAt);
      return await store.transaction((tx) => tx.tickets.put({ hash, ticket, expiresAt }, now(), TICKET_ROOM));
    },
    async takeTicket(hash: string, signal?: AbortSignal) {
      signal?.throwIfAborted();
      return await store.transaction((tx) => tx.tickets.take(hash, now()));
    },
    async jwks(signal?: AbortSignal) {
      signal?.throwIfAborted();
      return keys.jwks();
    },
  };
}

/** An entry of a gateway as a row: what is named here and nothing else. */
function rowOf({ at, kind, workspace, ...rest }: AuditEntry): NewAuditRow {
  const { code, reason, provider, sub, clientId, jti, address, requestId, connectionId, count } = rest;
  const optional = { code, reason, provider, sub, clientId, jti, address, requestId, connectionId, count };
  return {
    at,
    kind,
    workspace,
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)),
  };
}
