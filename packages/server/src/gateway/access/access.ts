import type { AccessTokenClaims, Grant, Permission, Principal, Scalar } from '@centrali-io/protocol';

/**
 * What steps 1 to 4 of the connection flow found out: who may do what here, by which grants, until when.
 * Everything that an open stream is bound to is in it (see `contracts`: "When access ends").
 */
export interface Access {
  /** The workspace of the URL, which the token names. */
  readonly workspace: string;
  /** The permission that was asked for. */
  readonly permission: Permission;
  /** Provider, kind (from IAM's record) and sub. */
  readonly principal: Principal;
  /** The grants of the asked permission, as stored: a union; filters may hold placeholders. Not empty. */
  readonly grants: readonly Grant[];
  /** Roles that the grants came from. */
  readonly roles: readonly string[];
  /** Every other permission that the principal holds here and the token's scope lets through. */
  readonly permissions: readonly Permission[];
  /** IAM's revision that the decision holds for. */
  readonly revision: number;
  /** The verified token: its names and times. */
  readonly token: TokenFacts;
  /** Values of the placeholders of grant filters: `sub`, `claims.<name>` (own claims or mapped attributes). */
  readonly placeholders: ReadonlyMap<string, Scalar>;
}

/** A verified token's names and times: what can end it. The token itself is not kept. */
export interface TokenFacts {
  readonly kid: string;
  readonly jti?: string;
  readonly clientId?: string;
  readonly cred?: string;
  readonly sid?: string;
  /** Seconds since 1970. */
  readonly iat: number;
  /** Milliseconds since 1970: the token is dead from this moment on, without leeway. */
  readonly expiresAt: number;
  /** The scope, split. */
  readonly scope: readonly string[];
  /** Roles and attributes of the provider's mapping; empty for our own tokens. */
  readonly mappedRoles: readonly string[];
  readonly attributes: Readonly<Record<string, Scalar>>;
  readonly claims: AccessTokenClaims;
}
