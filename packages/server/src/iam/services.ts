/** What the parts of IAM share: made once by `createIam`, handed to the OAuth endpoints and the administration. */
import type { AccessTokenClaims, Decisions, PrincipalKind } from '@centrali-io/protocol';
import type { Log } from '../resource-server/index.ts';
import type { AuditSpool } from './audit/spool.ts';
import type { RevocationIndex } from './decisions/revocations.ts';
import type { AccountRecord, Jwk, Store, StoreTransaction } from './store/port.ts';

/** Who makes a change, for its audit row. */
export interface Actor {
  readonly provider: string;
  readonly kind: PrincipalKind;
  readonly sub: string;
  readonly clientId?: string;
  readonly jti?: string;
  readonly address?: string;
  readonly requestId?: string;
}

/** The claims that a caller of `issueToken` chooses; the rest is set by it. */
export interface TokenRequest {
  readonly sub: string;
  readonly clientId: string;
  readonly workspaces: readonly string[];
  /** Names, space-separated; left out when empty. */
  readonly scope?: string;
  /** Which credential obtained it. */
  readonly cred?: string;
  /** Thumbprint of the key that the token is bound to (RFC 9449 section 6.1). */
  readonly jkt?: string;
  /** Seconds from now to `exp`. */
  readonly lifetimeSeconds: number;
  /** Further claims; registered names and our own are refused with a `TypeError`. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** A signed access token (RFC 9068). */
export interface IssuedToken {
  readonly token: string;
  readonly claims: AccessTokenClaims & { readonly jti: string };
}

/** A new account, with its secret: the only time that it is seen. */
export interface NewAccount {
  readonly account: AccountRecord;
  readonly clientSecret: string;
  readonly revision: number;
}

/**
 * Judges a change of an account inside its transaction, before anything is written: throws a `Refusal`
 * to stop it. Who may do what to whom is read where it cannot change meanwhile.
 */
export type AccountGuard = (tx: StoreTransaction, account: Omit<AccountRecord, 'id'>) => Promise<void>;

/** Service accounts. Each change is one transaction with revision, feed row and audit row. */
export interface AccountService {
  /** `clientId` and `clientSecret` are made here. No roles: no permission. */
  create(
    input: {
      readonly workspace: string;
      readonly name: string;
      readonly description?: string;
      readonly roles?: readonly string[];
    },
    actor: Actor,
    guard?: AccountGuard,
  ): Promise<NewAccount>;
  /** A new secret; the present ones stay valid for `graceSeconds` (default 0: dead at once). Undefined: no such account. */
  rotate(
    workspace: string,
    id: number,
    graceSeconds: number,
    actor: Actor,
    guard?: AccountGuard,
  ): Promise<
    { readonly clientSecret: string; readonly previousValidUntil: number; readonly revision: number } | undefined
  >;
  /** Undefined: no such account. */
  setDisabled(
    workspace: string,
    id: number,
    disabled: boolean,
    actor: Actor,
    guard?: AccountGuard,
  ): Promise<{ readonly revision: number } | undefined>;
  /** Undefined: no such account. */
  delete(
    workspace: string,
    id: number,
    actor: Actor,
    guard?: AccountGuard,
  ): Promise<{ readonly revision: number } | undefined>;
  /**
   * Replaces the keys for private_key_jwt. Throws `Refusal` BAD_REQUEST for more than 4, for private,
   * symmetric or unfit keys, and for equal `kid`s. Undefined: no such account.
   */
  putKeys(
    workspace: string,
    id: number,
    keys: readonly Jwk[],
    actor: Actor,
    guard?: AccountGuard,
  ): Promise<{ readonly revision: number } | undefined>;
}

/** What IAM's routes stand on. */
export interface IamServices {
  /** The public base URL without a trailing slash: our `iss` and `aud`. */
  readonly issuer: string;
  readonly store: Store;
  readonly accounts: AccountService;
  readonly decisions: Decisions;
  /** Rows that are no change (`token`): grouped, bounded, not awaited. Changes write theirs by `recordChange`. */
  readonly audit: Pick<AuditSpool, 'open' | 'push' | 'sum' | 'flush'>;
  /** Signs an access token; it is not stored. Issues none in a second that a revocation of its principal names. */
  readonly issueToken: (request: TokenRequest) => Promise<IssuedToken>;
  /** The revocations that can still end a token. */
  readonly revocations: () => Promise<RevocationIndex>;
  /** Requests to the receivers of providers' signals per minute from one address; 0 = no limit. */
  readonly signalsPerMinutePerAddress: number;
  /** Lifetimes in seconds. */
  readonly lifetimes: { readonly service: number; readonly user: number; readonly devMaximum: number };
  /** Whether `dev-tokens` answers. */
  readonly devTokens: boolean;
  /** Whether providers may live at private addresses and speak plain http (tests, closed networks). */
  readonly allowPrivateAddresses: boolean;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly randomBytes: (size: number) => Uint8Array;
  readonly log: Log;
}

/** What the listener knows of a public request beside the request itself. */
export interface RequestContext {
  /** `req_…`. */
  readonly id: string;
  /** The client's address: the peer's, or what a trusted proxy says it is. */
  readonly address: string;
  /** Whether the client's connection is safe: TLS, loopback, or a trusted proxy that says `https`. */
  readonly secure: boolean;
}
