import type { IssuerDirectory } from '../../resource-server/index.ts';
import type { Admission } from './admit.ts';
import type { AuditSpool } from './audit.ts';
import type { BindingParts } from './binding.ts';
import type { ChangeFeed } from './change-feed.ts';
import type { DecisionQueue } from './decisions.ts';
import type { AccessEnds } from './ends.ts';
import type { Tickets } from './tickets.ts';

/** What the connection flow stands on. */
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
