import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Decisions } from '@centrali-io/protocol';
import type { Log, ServerRequest } from '../resource-server/index.ts';
import type { AuditVerdict, VerifyAuditOptions } from './audit/verify.ts';
import type { SigningAlgorithm } from './keys/algorithm.ts';
import type { IamServices, NewAccount, RequestContext } from './services.ts';
import type { SigningKeyRecord, WorkspaceRecord, WorkspaceState } from './store/port.ts';

/** Options of `createIam`; they are checked once, faults are a `TypeError`. */
export interface IamOptions {
  /** Path of `state.db`; `:memory:` for a state that goes with the process. Its folder must exist. */
  readonly file: string;
  /** The public base URL, without a trailing slash: our `iss` and `aud`. */
  readonly issuer: string;
  /** Default `RS256`. A change makes a new key at the next start; older ones stay until they retire. */
  readonly algorithm?: SigningAlgorithm;
  /**
   * From the publication of a signing key to its first signature, in seconds, at least 1. Default 360: every cache
   * that keeps the key set as long as it is let (300 s) knows the key by then.
   */
  readonly keyPublishLeadSeconds?: number;
  /** Signing keys that are published at once, 2 to 64. Default 32. */
  readonly maxPublishedKeys?: number;
  /** Lifetime of service tokens in seconds. Default 25,200. */
  readonly serviceLifetimeSeconds?: number;
  /** Lifetime of user tokens in seconds. Default 3,600. */
  readonly userLifetimeSeconds?: number;
  /** Whether `dev-tokens` answers. Default false. */
  readonly devTokens?: boolean;
  /** Default false. */
  readonly allowPrivateAddresses?: boolean;
  /** Requests to the OAuth endpoints per minute from one address; 0 = no limit. Default 1,200. */
  readonly tokenRequestsPerMinutePerAddress?: number;
  /** Failed authentications per minute of one client id; 0 = no limit. Default 30. */
  readonly tokenFailuresPerMinutePerClient?: number;
  /** Failed authentications per minute from one address; 0 = no limit. Default 120. */
  readonly tokenFailuresPerMinutePerAddress?: number;
  /** Requests to the receivers of providers' signals per minute from one address; 0 = no limit. Default 1,200. */
  readonly signalsPerMinutePerAddress?: number;
  /** Rows that the change feed keeps. Default 100,000. */
  readonly feedRows?: number;
  /** Age up to which audit rows are kept, in seconds; 0 = for good. Default 31,536,000 (365 days). */
  readonly auditMaxAgeSeconds?: number;
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
  /** Milliseconds from any moment on, never set back. Default `performance.now`. */
  readonly monotonic?: () => number;
  readonly randomBytes?: (size: number) => Uint8Array;
  readonly log?: Log;
}

/** IAM, running. */
export interface Iam {
  /** The RPC in memory. */
  readonly decisions: Decisions;
  /** Answers every public request that is IAM's: OAuth, metadata, administration; 404 for the rest. */
  handlePublic(req: IncomingMessage, res: ServerResponse, context: RequestContext): void;
  /**
   * Answers the internal listener's `/internal/…` requests, after it has checked the internal credential.
   * The body of `GET /internal/changes` is an endless stream: pass it on chunk by chunk and cancel it
   * when the peer goes.
   */
  handleInternal(request: ServerRequest): Promise<Response>;
  /** Makes the workspace unless it exists. False: it existed. A deleted one is a `Refusal` CONFLICT. */
  ensureWorkspace(slug: string): Promise<boolean>;
  listWorkspaces(): Promise<readonly WorkspaceRecord[]>;
  /** Suspends, resumes or deletes; undefined: no such workspace. `deleted` is for good. */
  setWorkspaceState(slug: string, state: WorkspaceState): Promise<{ readonly revision: number } | undefined>;
  /** Makes a service account as the operator. */
  createAccount(input: {
    readonly workspace: string;
    readonly name: string;
    readonly description?: string;
    readonly role?: string;
  }): Promise<NewAccount>;
  /** Makes a user of our own IAM a member with this role beside those that it has, and lifts a block. */
  putMember(input: {
    readonly workspace: string;
    readonly sub: string;
    readonly role: string;
  }): Promise<{ readonly revision: number }>;
  /** A token of role owner with scope `iam:manage` and nothing else, for `sub` (made a member). */
  issueAdminToken(input: {
    readonly workspace: string;
    /** Default `operator`. */
    readonly sub?: string;
    /** Default 43,200 (12 h). */
    readonly lifetimeSeconds?: number;
  }): Promise<{ readonly token: string /** Milliseconds since 1970. */; readonly expiresAt: number }>;
  /** Signing keys, without their private members. */
  listKeys(): Promise<readonly Omit<SigningKeyRecord, 'privateJwk'>[]>;
  /** Publishes a new key, which signs once every cache must know it. */
  rotateKeys(): Promise<{ readonly kid: string; readonly signFrom: number }>;
  /** Withdraws a key: its tokens are dead at once. Undefined: no such key. */
  withdrawKey(kid: string): Promise<{ readonly revision: number } | undefined>;
  /** Walks the chains of the audit log, rows that still wait to be written included. */
  verifyAudit(options?: VerifyAuditOptions): Promise<AuditVerdict>;
  /** What the routes stand on. */
  readonly services: IamServices;
  close(): Promise<void>;
}
