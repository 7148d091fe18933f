import type { StoreTransaction } from '../port.ts';
import { accountsOf } from './accounts.ts';
import { auditOf } from './audit.ts';
import { countUp } from './counter.ts';
import { credentialsOf } from './credentials.ts';
import { feedOf, insertFeedRow } from './feed.ts';
import { membersOf } from './members.ts';
import { providersOf } from './providers.ts';
import { revocationsOf, usedJtisOf } from './revocations.ts';
import { rolesOf } from './roles.ts';
import type { Database } from './schema.ts';
import { signingKeysOf } from './signing-keys.ts';
import { ticketsOf } from './tickets.ts';
import { workspacesOf } from './workspaces.ts';

/** What the state is known by. */
export interface StoreFacts {
  readonly epoch: string;
  /** The key of the audit log's chains. */
  readonly auditKey: Uint8Array;
}

/** All tables over one connection that is in a transaction. `changed` hears each revision, before the commit. */
export function storeTransaction(
  db: Database,
  { epoch, auditKey }: StoreFacts,
  changed: (revision: number) => void,
): StoreTransaction {
  const audit = auditOf(db, auditKey);
  return {
    workspaces: workspacesOf(db),
    signingKeys: signingKeysOf(db),
    accounts: accountsOf(db),
    credentials: credentialsOf(db),
    members: membersOf(db),
    roles: rolesOf(db),
    providers: providersOf(db),
    revocations: revocationsOf(db),
    usedJtis: usedJtisOf(db),
    tickets: ticketsOf(db),
    audit,
    feed: feedOf(db, epoch),
    async recordChange(change, row) {
      const revision = await countUp(db, 'revision');
      await insertFeedRow(db, revision, change);
      await audit.append([{ ...row, kind: 'change', revision }]);
      changed(revision);
      return revision;
    },
  };
}
