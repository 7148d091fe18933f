/**
 * The Store port: everything IAM remembers. One adapter keeps it in `state.db`; every adapter passes
 * `store.contract.ts`. All times are milliseconds since 1970, but for `RevocationRecord.notBefore`,
 * which is in seconds as the tokens' `iat` is.
 */
import type {
  Change,
  FeedPosition,
  Grant,
  PrincipalKind,
  ProviderRecord,
  RevocationRecord,
  TicketRecord,
} from '@centrali-io/protocol';

/** A JSON Web Key (RFC 7517 section 4). */
export type Jwk = Readonly<Record<string, unknown>>;

/** `deleted` is for good: a slug is never used twice. */
export type WorkspaceState = 'active' | 'suspended' | 'deleted';

export interface WorkspaceRecord {
  readonly slug: string;
  readonly state: WorkspaceState;
  readonly createdAt: number;
}

/** One signing key. A key serves one algorithm; its times say what it is for at a moment. */
export interface SigningKeyRecord {
  readonly kid: string;
  readonly alg: string;
  /** Holds the private members. Never leaves `keys/`. */
  readonly privateJwk: Jwk;
  readonly publicJwk: Jwk;
  /** Published from here on. */
  readonly createdAt: number;
  /** Signs from here on, until a newer key does. */
  readonly signFrom: number;
  /** Out of the key set from here on: the last token it signed has expired. */
  readonly retireAt: number | null;
  /** Withdrawn by the operator: every token it signed is dead. */
  readonly withdrawnAt: number | null;
}

/** A service account: a principal of kind `service` whose `sub` is its `clientId`. */
export interface AccountRecord {
  /** Counts up over all workspaces, never used twice. */
  readonly id: number;
  readonly workspace: string;
  /** `ci_` and 24 hex digits. */
  readonly clientId: string;
  readonly name: string;
  readonly description: string | null;
  readonly roles: readonly string[];
  readonly disabled: boolean;
  readonly createdAt: number;
}

/** One secret or one public key of an account; tokens name it in their claim `cred`. */
export type CredentialRecord = CredentialBase &
  (
    | { readonly kind: 'secret' /** HMAC-SHA-256 under the pepper, hex. */; readonly hash: string }
    | { readonly kind: 'key' /** Public, asymmetric. */; readonly jwk: Jwk }
  );

interface CredentialBase {
  /** `cr_…`, the claim `cred`. */
  readonly cred: string;
  readonly clientId: string;
  readonly createdAt: number;
  /** Dead from here on, and with it the tokens that it obtained; null = until removed. */
  readonly validUntil: number | null;
}

/** A principal's place in a workspace. */
export interface MemberRecord {
  readonly workspace: string;
  /** `centrali` for our own IAM, else the provider's id. */
  readonly provider: string;
  readonly sub: string;
  readonly roles: readonly string[];
  /** Beats every role, mapped ones too. */
  readonly blocked: boolean;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** A role made by an administrator; the built-in ones are in protocol and never stored. */
export interface RoleRecord {
  readonly workspace: string;
  readonly name: string;
  readonly grants: readonly Grant[];
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface StoredProvider {
  readonly record: ProviderRecord;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface StoredRevocation {
  /** The revision that it came with; names it in the administration. */
  readonly revision: number;
  readonly revocation: RevocationRecord;
  readonly createdAt: number;
  /** No token that it ends lives past this moment; null = kept for good. */
  readonly expiresAt: number | null;
}

/** What an audit row is about. `token`: one was granted or refused. `change`: IAM's state changed. */
export type AuditKind = 'connect' | 'refuse' | 'close' | 'token' | 'change';

/** A row of the audit log, before it is stored. Never holds a token, a secret or a ticket. */
export interface NewAuditRow {
  /** Null for what belongs to no workspace (signing keys). */
  readonly workspace: string | null;
  readonly at: number;
  readonly kind: AuditKind;
  /** What was done, e.g. `service-account.create`. */
  readonly action?: string;
  /** To what: a client id, a member, a role's name … */
  readonly target?: string;
  /** Wire code of a refusal, or OAuth error. */
  readonly code?: string;
  /** Inner reason. */
  readonly reason?: string;
  /** Who acted. */
  readonly provider?: string;
  readonly principalKind?: PrincipalKind;
  readonly sub?: string;
  readonly clientId?: string;
  readonly jti?: string;
  readonly address?: string;
  readonly requestId?: string;
  readonly connectionId?: string;
  readonly revision?: number;
  /** How many events the row sums up; 1 by default. */
  readonly count?: number;
  /** Further facts, JSON. */
  readonly detail?: Readonly<Record<string, unknown>>;
}

export interface AuditRow extends NewAuditRow {
  /** Counts up over the whole log. */
  readonly seq: number;
  readonly count: number;
}

export interface AuditQuery {
  readonly workspace: string;
  /** Rows after this `seq`. */
  readonly after?: number;
  /** At most so many rows. */
  readonly limit: number;
  readonly code?: string;
  readonly sub?: string;
  readonly kind?: AuditKind;
}

export interface WorkspaceReader {
  get(slug: string): Promise<WorkspaceRecord | undefined>;
  list(): Promise<readonly WorkspaceRecord[]>;
}
export interface Workspaces extends WorkspaceReader {
  /** False when the slug exists or existed. */
  insert(record: WorkspaceRecord): Promise<boolean>;
  setState(slug: string, state: WorkspaceState): Promise<boolean>;
}

export interface SigningKeyReader {
  /** All keys, oldest first; withdrawn and retired ones too, until they are removed. */
  list(): Promise<readonly SigningKeyRecord[]>;
}
export interface SigningKeys extends SigningKeyReader {
  insert(record: SigningKeyRecord): Promise<void>;
  update(
    kid: string,
    times: Partial<Pick<SigningKeyRecord, 'signFrom' | 'retireAt' | 'withdrawnAt'>>,
  ): Promise<boolean>;
  delete(kid: string): Promise<boolean>;
}

export interface AccountReader {
  get(workspace: string, id: number): Promise<AccountRecord | undefined>;
  byClientId(clientId: string): Promise<AccountRecord | undefined>;
  byClientIds(clientIds: readonly string[]): Promise<readonly AccountRecord[]>;
  /** By id, from after `after`. */
  list(workspace: string, limit: number, after?: number): Promise<readonly AccountRecord[]>;
  /** Whether a role is still some account's. */
  anyWithRole(workspace: string, role: string): Promise<boolean>;
  /** Accounts that hold a role and are not disabled. */
  withRole(workspace: string, role: string): Promise<readonly AccountRecord[]>;
}
export interface Accounts extends AccountReader {
  /** Gives the new account's id. */
  insert(record: Omit<AccountRecord, 'id'>): Promise<number>;
  update(
    clientId: string,
    change: Partial<Pick<AccountRecord, 'name' | 'description' | 'roles' | 'disabled'>>,
  ): Promise<boolean>;
  /** Its credentials go too. */
  delete(clientId: string): Promise<boolean>;
}

export interface CredentialReader {
  /** All of the account's, expired ones too, oldest first. */
  ofClient(clientId: string): Promise<readonly CredentialRecord[]>;
  byCreds(creds: readonly string[]): Promise<readonly CredentialRecord[]>;
  /** Those whose `validUntil` lies after `after` and up to `upTo`: their tokens end then. */
  endingBetween(after: number, upTo: number): Promise<readonly CredentialRecord[]>;
}
export interface Credentials extends CredentialReader {
  insert(record: CredentialRecord): Promise<void>;
  setValidUntil(cred: string, validUntil: number | null): Promise<boolean>;
  delete(cred: string): Promise<boolean>;
}

/** Names one member. */
export interface MemberKey {
  readonly workspace: string;
  readonly provider: string;
  readonly sub: string;
}
export interface MemberReader {
  get(key: MemberKey): Promise<MemberRecord | undefined>;
  getMany(keys: readonly MemberKey[]): Promise<readonly MemberRecord[]>;
  /** By provider and sub, from after `after`. */
  list(workspace: string, limit: number, after?: Pick<MemberKey, 'provider' | 'sub'>): Promise<readonly MemberRecord[]>;
  /** Members that hold a role and are not blocked. */
  withRole(workspace: string, role: string): Promise<readonly MemberRecord[]>;
}
export interface Members extends MemberReader {
  /** Makes the member or replaces its roles and `blocked`; `createdAt` of an existing one stays. */
  put(record: MemberRecord): Promise<void>;
  delete(key: MemberKey): Promise<boolean>;
}

export interface RoleReader {
  get(workspace: string, name: string): Promise<RoleRecord | undefined>;
  list(workspace: string): Promise<readonly RoleRecord[]>;
  ofWorkspaces(workspaces: readonly string[]): Promise<readonly RoleRecord[]>;
}
export interface Roles extends RoleReader {
  put(record: RoleRecord): Promise<void>;
  delete(workspace: string, name: string): Promise<boolean>;
}

export interface ProviderReader {
  get(id: string): Promise<StoredProvider | undefined>;
  /** Those that vouch for the workspace. */
  list(workspace: string): Promise<readonly StoredProvider[]>;
  all(): Promise<readonly StoredProvider[]>;
}
export interface Providers extends ProviderReader {
  put(provider: StoredProvider): Promise<void>;
  delete(id: string): Promise<boolean>;
}

export interface RevocationReader {
  get(workspace: string, revision: number): Promise<StoredRevocation | undefined>;
  list(workspace: string, limit: number, after?: number): Promise<readonly StoredRevocation[]>;
  /** How many revocations of one workspace can still end a token at `now`. */
  count(workspace: string, now: number): Promise<number>;
  /** Every revocation that can still end a token at `now`. */
  live(now: number): Promise<readonly StoredRevocation[]>;
}
export interface Revocations extends RevocationReader {
  insert(revocation: StoredRevocation): Promise<void>;
  delete(revision: number): Promise<boolean>;
  /** Removes what expired before `now`; says how many. */
  prune(now: number): Promise<number>;
}

export interface UsedJtis {
  /** Takes a `jti` for a client: false when it was taken before (RFC 7523 section 3, replay). */
  take(clientId: string, jti: string, expiresAt: number): Promise<boolean>;
  prune(now: number): Promise<number>;
}

/** One end of a chain of audit rows; `seq` 0 before the first row. */
export interface AuditMark {
  readonly seq: number;
  /** 64 hex digits; empty before the first row. */
  readonly mac: string;
}

/** The chain of one workspace's audit rows (`audit-chain.ts`). */
export interface AuditChain {
  /** Null: what belongs to no workspace. */
  readonly workspace: string | null;
  /** The newest row that retention has removed. */
  readonly anchor: AuditMark;
  /** The newest row. */
  readonly head: AuditMark;
  /** Covers the two, under the key of the state. */
  readonly seal: string;
}

/** One row as its chain sees it. */
export interface AuditLink extends AuditMark {
  /** The row as it is stored, as text: what `mac` covers beside the `mac` before. */
  readonly content: string;
}

/** Tickets, by the hash of their text. */
export interface Tickets {
  /** Keeps a ticket until `expiresAt`; the same hash again changes nothing. `false`: there is no room. */
  put(ticket: StoredTicket, now: number, room: TicketRoom): Promise<boolean>;
  /** Takes it out, once; undefined: unknown, taken before, or its time is over. */
  take(hash: string, now: number): Promise<TicketRecord | undefined>;
  /** Removes those whose time was over at `now`; says how many. */
  prune(now: number): Promise<number>;
}

/** A ticket, as it is kept. */
export interface StoredTicket {
  readonly hash: string;
  readonly ticket: TicketRecord;
  readonly expiresAt: number;
}

/** How many tickets are kept at once. */
export interface TicketRoom {
  readonly inAll: number;
  /** Of one provider's `sub` in one workspace. */
  readonly ofPrincipal: number;
}

export interface AuditReader {
  list(query: AuditQuery): Promise<readonly AuditRow[]>;
  /** Every chain, and how many there must be; undefined when that number was tampered with. */
  chains(): Promise<{ readonly chains: readonly AuditChain[]; readonly count: number | undefined }>;
  /** The chain of one workspace; undefined before its first row. */
  chain(workspace: string | null): Promise<AuditChain | undefined>;
  /** Rows of one chain after `seq`, in order. */
  links(workspace: string | null, after: number, limit: number): Promise<readonly AuditLink[]>;
  /** Every workspace that has a row, null among them. */
  workspaces(): Promise<readonly (string | null)[]>;
}
export interface AuditLog extends AuditReader {
  /** Chains the rows on, each to its workspace's. */
  append(rows: readonly NewAuditRow[]): Promise<void>;
  /**
   * Removes rows older than `before` from the beginning of each chain, up to the first that is not, and at
   * most `limit` of each (default 10,000); the chain keeps the last of them as its anchor. Says how many.
   */
  prune(before: number, limit?: number): Promise<number>;
}

export interface FeedRow {
  readonly revision: number;
  readonly change: Change;
}
export interface FeedReader {
  /** Epoch and the newest revision; 0 before the first change. */
  head(): Promise<FeedPosition>;
  /** Rows after `revision`, oldest first; undefined when some of them have been trimmed. */
  after(revision: number, limit: number): Promise<readonly FeedRow[] | undefined>;
}
export interface Feed extends FeedReader {
  /** Keeps the newest `keep` rows. */
  trim(keep: number): Promise<number>;
}

/** Everything that can be read, at one moment of the state. */
export interface StoreView {
  readonly workspaces: WorkspaceReader;
  readonly signingKeys: SigningKeyReader;
  readonly accounts: AccountReader;
  readonly credentials: CredentialReader;
  readonly members: MemberReader;
  readonly roles: RoleReader;
  readonly providers: ProviderReader;
  readonly revocations: RevocationReader;
  readonly audit: AuditReader;
  readonly feed: FeedReader;
}

/** Everything that can be read and written, all or nothing. */
export interface StoreTransaction extends StoreView {
  readonly workspaces: Workspaces;
  readonly signingKeys: SigningKeys;
  readonly accounts: Accounts;
  readonly credentials: Credentials;
  readonly members: Members;
  readonly roles: Roles;
  readonly providers: Providers;
  readonly revocations: Revocations;
  readonly usedJtis: UsedJtis;
  readonly tickets: Tickets;
  readonly audit: AuditLog;
  readonly feed: Feed;
  /**
   * Gives the change its revision, a row in the feed and an audit row (`kind: change`). Every change
   * that a gateway must hear of calls this in the transaction that makes it.
   */
  recordChange(change: Change, audit: Omit<NewAuditRow, 'kind' | 'revision'>): Promise<number>;
}

/** The port. */
export interface Store {
  /** The key under which secrets are hashed; made with the state and kept in it. */
  readonly pepper: Uint8Array;
  /** Reads at one moment of the state. */
  read<T>(fn: (view: StoreView) => Promise<T>): Promise<T>;
  /** Commits when `fn` resolves, rolls back when it rejects. Transactions do not nest. */
  transaction<T>(fn: (tx: StoreTransaction) => Promise<T>): Promise<T>;
  /** Called after each commit that recorded a change, with the new head. Gives the way to stop it. */
  onChange(listener: (revision: number) => void): () => void;
  close(): Promise<void>;
}
