import { BUILT_IN_ROLES, type BuiltInRole, OWN_PROVIDER, PATHS, type Permission } from '@centrali-io/protocol';

/** What a remedy is chosen by: the inner reason, and whom and what it is about as far as that may be told. */
export interface Denial {
  readonly reason: string;
  readonly permission: Permission;
  readonly workspace: string;
  /** The public base URL. */
  readonly issuer: string;
  readonly provider?: string;
  readonly sub?: string;
  readonly kind?: 'user' | 'service';
  /** Of the service account. */
  readonly accountId?: number;
  /** Roles that the member has now. */
  readonly roles?: readonly string[];
}

const CENTRALI = 'npx --no centrali';

/** Quotes an argument for a POSIX shell, unless it needs none: what is printed can be pasted. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_./:@=+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The least of the built-in roles that holds the permission. */
function roleWith(permission: Permission): BuiltInRole {
  const upwards: readonly BuiltInRole[] = ['viewer', 'developer', 'admin', 'owner'];
  return upwards.find((role) => BUILT_IN_ROLES[role].includes(permission)) ?? 'owner';
}

function memberCommand({ provider, sub = 'SUB', roles = [], permission }: Denial, add: boolean): string {
  const names = [...new Set(add ? [...roles, roleWith(permission)] : roles)];
  const flags = names.map((name) => ` --role ${shellWord(name)}`).join('');
  const by = provider === undefined || provider === OWN_PROVIDER ? '' : ` --provider ${provider}`;
  return `${CENTRALI} member put ${shellWord(sub)}${flags}${by}`;
}

/** A new token: by `token` for our own users, by its credentials for a service account. */
function tokenCommand(
  { provider, kind, sub = 'SUB', issuer, permission }: Denial,
  withScope: boolean,
): string | undefined {
  if (kind === 'service') {
    const scope = withScope ? ` -d scope=${permission}` : '';
    return `curl -u "$CENTRALI_CLIENT_ID:$CENTRALI_CLIENT_SECRET" -d grant_type=client_credentials${scope} ${issuer}${PATHS.token}`;
  }
  // A provider's tokens come from the provider.
  if (provider !== undefined && provider !== OWN_PROVIDER) return undefined;
  return `${CENTRALI} token --sub ${shellWord(sub)}${withScope ? ` --role ${roleWith(permission)}` : ''}`;
}

const NEW_ACCOUNT = (permission: Permission): string =>
  `${CENTRALI} service-account create NAME --role ${roleWith(permission)}`;

/** The command that would mend a denial; undefined where none would. */
export function remedyOf(denial: Denial): string | undefined {
  const { reason, permission, workspace, kind, accountId } = denial;
  switch (reason) {
    case 'no_role':
    case 'permission_missing':
      return kind === 'service' ? NEW_ACCOUNT(permission) : memberCommand(denial, true);
    case 'member_blocked':
      return memberCommand(denial, (denial.roles ?? []).length === 0);
    case 'account_disabled':
      return accountId === undefined ? undefined : `${CENTRALI} service-account enable ${accountId}`;
    case 'account_unknown':
    case 'account_elsewhere':
      return NEW_ACCOUNT(permission);
    case 'credential_expired':
    case 'credential_unknown':
      return accountId === undefined ? undefined : `${CENTRALI} service-account rotate ${accountId}`;
    case 'workspace_suspended':
      return `${CENTRALI} workspace resume ${workspace}`;
    case 'workspace_unknown':
      return `${CENTRALI} workspace create ${workspace}`;
    case 'workspace_deleted':
      return undefined;
    case 'scope_lacks_permission':
      return tokenCommand(denial, true);
    case 'iss_unknown':
    case 'provider_unknown':
    case 'provider_of_other_workspace':
    case 'aud_mismatch':
      return `${CENTRALI} provider add NAME --issuer URL --audience AUDIENCE --default-role ${roleWith(permission)}`;
    default:
      return tokenCommand(denial, false);
  }
}
