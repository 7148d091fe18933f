/** IAM: accounts, tokens, roles, decisions. Entered only here. */
export type { AuditVerdict } from './audit/verify.ts';
export { verifyAuditFile } from './audit/verify-file.ts';
export { createIam } from './create-iam.ts';
export type { Iam, IamOptions } from './iam.ts';
export type { SigningAlgorithm } from './keys/algorithm.ts';
export type { NewAccount, RequestContext } from './services.ts';
export { backupState } from './store/backup.ts';
export type { AccountRecord, WorkspaceRecord, WorkspaceState } from './store/port.ts';
