/**
 * The internal RPC between gateway and IAM: JSON over a keep-alive connection on the internal
 * listener. Both ends validate with the functions of `rpc-validate.ts`.
 */
import type { Permission } from './permissions.ts';
import type { Principal } from './principal.ts';

/** One question: may this token's principal do this here, now? */
export interface CheckRequest {
  readonly workspace: string;
  readonly permission: Permission;
  /** `centrali` for our own IAM, else the provider's id. */
  readonly provider: string;
  readonly sub: string;
  /** The token's names and times, for revocation. `iat` in seconds. */
  readonly clientId?: string;
  readonly jti?: string;
  readonly iat: number;
  readonly kid: string;
  readonly cred?: string;
  readonly sid?: string;
  /** The token's scope, split; empty when it has none. */
  readonly scope: readonly string[];
  /** Roles that the provider's mapping gives; empty for our own tokens. */
  readonly mappedRoles: readonly string[];
  /** Attributes that the provider's mapping gives, named `ext_…`. */
  readonly attributes: Readonly<Record<string, Scalar>>;
  /** The gateway's position in the change feed; an answer older than it is asked again. */
  readonly atLeast: number;
}

/** A value that filters compare with. */
export type Scalar = string | number | boolean;

/** What a role permits: a permission, and for realtime ones the part of the events it covers. */
export interface Grant {
  readonly permission: Permission;
  /** Structure slugs; absent or empty = all. */
  readonly structures?: readonly string[];
  /** Event names; absent or empty = all. */
  readonly events?: readonly string[];
  /** CFL expression; absent = all. May hold placeholders `{sub}`, `{claims.x}`. */
  readonly filter?: string;
}

/** Answer to one `CheckRequest`. */
export type CheckAnswer =
  | {
      readonly decision: 'allowed';
      /** The revision of IAM's state that the answer holds for. */
      readonly revision: number;
      /** The principal with its kind from IAM's record. */
      readonly principal: Principal;
      /** The grants of the asked permission: a union. */
      readonly grants: readonly Grant[];
      /** Names of the roles that the grants came from. */
      readonly roles: readonly string[];
      /** Every other permission that the principal holds and the scope lets through. */
      readonly permissions: readonly Permission[];
      /** How long the answer holds at most, in ms, where its end is known: the secret's grace ends then. */
      readonly holdsMs?: number;
    }
  | { readonly decision: 'forbidden' | 'revoked'; readonly revision: number; readonly reason: string };

/** How a provider's claims become rights here. */
export interface ProviderMapping {
  /** Path of a claim that names workspaces; it can refuse this workspace, never add one. */
  readonly workspaces?: string;
  readonly roles?: { readonly path: string; readonly values: Readonly<Record<string, string>> };
  /** Role of every verified user of the provider. */
  readonly defaultRole?: string;
  readonly attributes?: readonly { readonly jwtPath: string; readonly attribute: string; readonly required: boolean }[];
}

/** An external issuer, as the gateway needs it to verify tokens. */
export interface ProviderRecord {
  /** `pr_…`; principals of this issuer are keyed by it. */
  readonly id: string;
  readonly name: string;
  /** The one workspace it vouches for; several only by the operator's configuration. */
  readonly workspaces: readonly string[];
  readonly issuer: string;
  readonly audiences: readonly string[];
  /** Accepted `typ` headers, lower case. */
  readonly typ: readonly string[];
  /** Accepted algorithms: asymmetric, not empty. */
  readonly algorithms: readonly string[];
  readonly jwksUri: string;
  readonly mapping: ProviderMapping;
  /** Longest `exp - iat`, in seconds. */
  readonly maxLifetimeSeconds: number;
}

/** Ends tokens of one workspace, or of all when `workspace` is null: by what it names. */
export interface RevocationRecord {
  readonly workspace: string | null;
  readonly provider: string;
  readonly jti?: string;
  readonly sub?: string;
  readonly clientId?: string;
  readonly sid?: string;
  /** Tokens with `iat` up to this second, inclusive, are ended. Absent for a `jti`. */
  readonly notBefore?: number;
  /** Milliseconds since 1970: no token that it ends lives past this moment, so it may be forgotten then. Absent: kept. */
  readonly expiresAt?: number;
}

/** One change in IAM's state. It names what changed; the new state is asked for by a check. */
export type Change =
  | { readonly kind: 'member'; readonly workspace: string; readonly provider: string; readonly sub: string }
  | { readonly kind: 'role'; readonly workspace: string; readonly role: string }
  | { readonly kind: 'account'; readonly workspace: string; readonly clientId: string }
  | { readonly kind: 'credential'; readonly workspace: string; readonly cred: string }
  | { readonly kind: 'provider'; readonly id: string; readonly provider: ProviderRecord | null }
  | { readonly kind: 'workspace'; readonly workspace: string }
  | { readonly kind: 'key'; readonly kid: string; readonly withdrawn: boolean }
  | { readonly kind: 'revocation'; readonly revocation: RevocationRecord }
  /** A revocation was taken back: the first one in the reader's memory that equals it goes. */
  | { readonly kind: 'revocation-lifted'; readonly revocation: RevocationRecord };

/** One line of the change feed (`GET /internal/changes?after=<revision>&epoch=<epoch>`, NDJSON). */
export type FeedFrame =
  | {
      /** First line, always when the caller's epoch or revision is not known here any more. */
      readonly type: 'snapshot';
      readonly epoch: string;
      readonly revision: number;
      readonly providers: readonly ProviderRecord[];
      readonly withdrawnKeys: readonly string[];
      readonly revocations: readonly RevocationRecord[];
    }
  | { readonly type: 'change'; readonly revision: number; readonly change: Change }
  /** Each second, with the head. */
  | { readonly type: 'heartbeat'; readonly epoch: string; readonly revision: number };

/** One line of the audit log, as the gateway reports it. Never holds a token, a secret or a ticket. */
export interface AuditEntry {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly kind: 'connect' | 'refuse' | 'close';
  /** The workspace of the URL. */
  readonly workspace: string;
  /** Error code of a refusal or of an end that is an error. */
  readonly code?: string;
  /** The inner reason, for operators. */
  readonly reason?: string;
  readonly provider?: string;
  readonly sub?: string;
  readonly clientId?: string;
  readonly jti?: string;
  readonly address?: string;
  readonly requestId?: string;
  readonly connectionId?: string;
  /** How many refusals of one kind the entry stands for; 1 when absent. */
  readonly count?: number;
}

/**
 * What a ticket stands for: the names and times of a verified token, and never the token. It opens one stream
 * in its workspace; what ends the token ends the ticket.
 */
export interface TicketRecord {
  readonly workspace: string;
  readonly provider: string;
  readonly sub: string;
  readonly kid: string;
  readonly jti?: string;
  readonly clientId?: string;
  readonly cred?: string;
  readonly sid?: string;
  /** Thumbprint of the key that the token is bound to. */
  readonly jkt?: string;
  /** Seconds since 1970. */
  readonly iat: number;
  /** Milliseconds since 1970: when the token dies, and with it the stream. */
  readonly expiresAt: number;
  readonly scope: readonly string[];
  readonly mappedRoles: readonly string[];
  readonly attributes: Readonly<Record<string, Scalar>>;
  /** Claims of our own token that grant filters may compare with. */
  readonly claims: Readonly<Record<string, Scalar>>;
}

/** Where a reader of the feed is. */
export interface FeedPosition {
  readonly epoch: string;
  readonly revision: number;
}

/**
 * The port that gateway and IAM meet in. The adapter in memory calls IAM directly; the other one
 * speaks to the internal listener. Both pass one contract suite.
 */
export interface Decisions {
  /**
   * Answers each request, in order. Rejects when IAM cannot decide; the caller then denies.
   * At most 256 requests a call.
   */
  check(requests: readonly CheckRequest[], signal?: AbortSignal): Promise<readonly CheckAnswer[]>;
  /** The change feed from after `position`, or from a snapshot. Ends or throws when it is lost or aborted. */
  changes(position: FeedPosition | undefined, signal: AbortSignal): AsyncIterable<FeedFrame>;
  /** Records what the gateway decided, in order; at most 256 entries a call. Entries of unknown workspaces are dropped. */
  record(entries: readonly AuditEntry[], signal?: AbortSignal): Promise<void>;
  /**
   * Keeps a ticket under its hash (SHA-256, 64 hex digits) for 60 s, or until its token dies. The same hash
   * again changes nothing. `false`: too many are kept, of its principal or in all.
   */
  putTicket(hash: string, ticket: TicketRecord, signal?: AbortSignal): Promise<boolean>;
  /**
   * Takes a ticket: of all who ask for it, on whatever gateway, one gets it, once. `undefined`: it is
   * unknown, taken or too old.
   */
  takeTicket(hash: string, signal?: AbortSignal): Promise<TicketRecord | undefined>;
  /** IAM's own key set (RFC 7517), as it is right now. */
  jwks(signal?: AbortSignal): Promise<{ readonly keys: readonly Readonly<Record<string, unknown>>[] }>;
}
