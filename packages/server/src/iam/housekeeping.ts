import type { Log } from '../resource-server/index.ts';
import { endCredential } from './accounts/account-service.ts';
import { SYSTEM } from './audit/actor.ts';
import type { AuditSpool } from './audit/spool.ts';
import type { KeyRing } from './keys/key-ring.ts';
import type { Store } from './store/port.ts';

/** What housekeeping stands on. */
export interface Housekeeping {
  readonly store: Store;
  readonly keys: Pick<KeyRing, 'prune'>;
  readonly audit: Pick<AuditSpool, 'tick'>;
  /** Rows that the change feed keeps. */
  readonly feedRows: number;
  /** Age up to which audit rows are kept, in seconds; 0 = for good. */
  readonly auditMaxAgeSeconds: number;
  readonly now: () => number;
}

/**
 * Ends the credentials whose grace is over, with a change that ends what they obtained. Each second: the
 * bound within which a rotated secret's streams end. Whichever process comes first does it.
 */
export async function endExpiredCredentials({ store, now }: Pick<Housekeeping, 'store' | 'now'>): Promise<number> {
  const due = await store.read((view) => view.credentials.endingBetween(0, now()));
  if (due.length === 0) return 0;
  return await store.transaction(async (tx) => {
    let ended = 0;
    for (const credential of await tx.credentials.endingBetween(0, now())) {
      const account = await tx.accounts.byClientId(credential.clientId);
      if (!account) continue;
      await endCredential(tx, account, credential, SYSTEM, 'credential.expire', now());
      ended++;
    }
    return ended;
  });
}

/** Forgets what nothing can depend on any more. Each minute. */
export async function prune({ store, keys, audit, feedRows, auditMaxAgeSeconds, now }: Housekeeping): Promise<void> {
  await store.transaction(async (tx) => {
    await tx.usedJtis.prune(now());
    await tx.tickets.prune(now());
    await tx.revocations.prune(now());
    await tx.feed.trim(feedRows);
    if (auditMaxAgeSeconds > 0) await tx.audit.prune(now() - auditMaxAgeSeconds * 1_000);
  });
  await keys.prune();
  await audit.tick(now());
}

/** Does both at their times until it is stopped; a round that fails is logged, and the next one tries again. */
export function startHousekeeping(housekeeping: Housekeeping & { readonly log: Log }): () => void {
  const every = (milliseconds: number, what: string, task: () => Promise<unknown>): NodeJS.Timeout => {
    let running = false;
    const timer = setInterval(() => {
      if (running) return;
      running = true;
      void task()
        .catch((error: unknown) => housekeeping.log.error({ error: String(error) }, what))
        .finally(() => {
          running = false;
        });
    }, milliseconds);
    return timer.unref();
  };
  const timers = [
    every(1_000, 'Expired credentials could not be ended', () => endExpiredCredentials(housekeeping)),
    every(60_000, 'Housekeeping failed', () => prune(housekeeping)),
  ];
  return () => {
    for (const timer of timers) clearInterval(timer);
  };
}
