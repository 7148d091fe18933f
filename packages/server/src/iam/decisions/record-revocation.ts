import type { RevocationRecord } from '@centrali-io/protocol';
import type { NewAuditRow, StoreTransaction } from '../store/port.ts';

/** Seconds that another clock may be ahead; tokens with such an `iat` are let in, hence covered too. */
export const CLOCK_LEEWAY_SECONDS = 60;

/** A revocation that is about to be made. */
export interface NewRevocation {
  readonly revocation: RevocationRecord;
  /** Milliseconds since 1970: no token that it ends lives past this moment. */
  readonly expiresAt: number;
  readonly audit: Omit<NewAuditRow, 'kind' | 'revision'>;
}

/** Keeps a revocation and tells the gateways of it, with the moment from which they may forget it. Gives its revision. */
export async function recordRevocation(
  tx: StoreTransaction,
  { revocation: named, expiresAt, audit }: NewRevocation,
): Promise<number> {
  const revocation: RevocationRecord = { ...named, expiresAt };
  const revision = await tx.recordChange({ kind: 'revocation', revocation }, audit);
  await tx.revocations.insert({ revision, revocation, createdAt: audit.at, expiresAt });
  return revision;
}
