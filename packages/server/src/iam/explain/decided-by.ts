/** Which record decides, by the inner reason of a decision. */
const RECORDS: ReadonlyMap<string, string> = new Map([
  ['key_withdrawn', 'signing key'],
  ['provider_unknown', 'provider'],
  ['token_revoked', 'revocation'],
  ['account_unknown', 'service account'],
  ['account_disabled', 'service account'],
  ['account_elsewhere', 'service account'],
  ['client_mismatch', 'token'],
  ['credential_unknown', 'credential'],
  ['credential_mismatch', 'credential'],
  ['credential_expired', 'credential'],
  ['workspace_unknown', 'workspace'],
  ['workspace_suspended', 'workspace'],
  ['workspace_deleted', 'workspace'],
  ['member_blocked', 'member'],
  ['no_role', 'roles'],
  ['permission_missing', 'roles'],
  ['scope_lacks_permission', 'scope'],
]);

/** What decided, in words: the record behind an inner reason. */
export function decidedBy(reason: string): string {
  return RECORDS.get(reason) ?? 'token';
}
