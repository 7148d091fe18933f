import { randomBytes } from 'node:crypto';
import { openSqliteStore } from '../store/sqlite.ts';
import { type AuditVerdict, type VerifyAuditOptions, verifyAudit } from './verify.ts';

/** Verifies the audit log of a `state.db`, also while a service has it open. Starts nothing else of IAM. */
export async function verifyAuditFile(file: string, options: VerifyAuditOptions = {}): Promise<AuditVerdict> {
  const store = await openSqliteStore({ file, randomBytes, pollMilliseconds: 0 });
  try {
    return await verifyAudit(store, options);
  } finally {
    await store.close();
  }
}
