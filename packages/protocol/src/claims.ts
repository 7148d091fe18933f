/** Claims of an access token (RFC 9068 section 2.2), as our IAM issues them and after verification. */
export interface AccessTokenClaims {
  /** Who issued it. Our own IAM's issuer is the public base URL. */
  readonly iss: string;
  /** For whom: holds the public base URL. */
  readonly aud: string | readonly string[];
  /** The principal within its issuer: a service account's is its `client_id`, no user's begins with `ci_`. */
  readonly sub: string;
  /** Which client obtained it. A provider may waive it. */
  readonly client_id?: string;
  /** Seconds since 1970. */
  readonly iat: number;
  /** Seconds since 1970; the token is dead from this second on, without leeway. */
  readonly exp: number;
  readonly nbf?: number;
  /** The token's own id. A provider may waive it. */
  readonly jti?: string;
  /** Space-separated (RFC 6749 section 3.3). Names of permissions in it limit the token to them. */
  readonly scope?: string;
  /** Slugs of the workspaces that the token is for. */
  readonly workspaces?: readonly string[];
  /** Which secret or key of the account obtained it (our IAM only). */
  readonly cred?: string;
  /** The session at the issuer (OpenID Connect back-channel logout). */
  readonly sid?: string;
  /** Key to which the token is bound (RFC 9449, RFC 8705). */
  readonly cnf?: { readonly jkt?: string; readonly 'x5t#S256'?: string };
  /** Other claims of the issuer. */
  readonly [claim: string]: unknown;
}

/** The `client_id` of tokens made by `dev-tokens`. */
export const DEV_CLIENT = 'centrali-dev';

/** The `client_id` of tokens that the operator's own command made. */
export const OPERATOR_CLIENT = 'centrali-operator';

/** A token's `scope`, split; empty when absent. */
export function scopeOf(claims: Pick<AccessTokenClaims, 'scope'>): readonly string[] {
  return claims.scope ? claims.scope.split(' ').filter((name) => name !== '') : [];
}

/**
 * Whether a scope lets a permission through. A scope that names at least one permission (`x:y`)
 * limits the token to those it names; one that names none (`openid`) limits nothing.
 * `iam:manage` must always be named.
 */
export function scopeAllows(scope: readonly string[], permission: string): boolean {
  if (scope.includes(permission)) return true;
  if (permission === 'iam:manage') return false;
  return !scope.some((name) => name.includes(':'));
}
