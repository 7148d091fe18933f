import {
  type AccessTokenClaims,
  OWN_PROVIDER,
  type Permission,
  type ProviderMapping,
  type ProviderRecord,
  type Scalar,
  scopeOf,
} from '@centrali-io/protocol';
import { mapClaims, Refusal, UNMAPPED, type VerifiedToken } from '../../resource-server/index.ts';
import type { Question } from './question.ts';

/** A verified token's names and times: what can end it. The token itself is not kept. */
export interface TokenFacts {
  readonly kid: string;
  readonly jti?: string;
  readonly clientId?: string;
  readonly cred?: string;
  readonly sid?: string;
  /** Thumbprint of the key that the token is bound to (RFC 9449 section 6.1). */
  readonly jkt?: string;
  /** Seconds since 1970. */
  readonly iat: number;
  /** Milliseconds since 1970: the token is dead from this moment on, without leeway. */
  readonly expiresAt: number;
  /** The scope, split. */
  readonly scope: readonly string[];
  /** The provider's mapping as it was applied; absent for our own tokens, and for those that came as a ticket. */
  readonly mapping?: ProviderMapping;
  /** Roles and attributes that it gave; empty for our own tokens. */
  readonly mappedRoles: readonly string[];
  readonly attributes: Readonly<Record<string, Scalar>>;
  /** All that the token claims; of a token that was changed for a ticket, what grant filters compare with. */
  readonly claims: Readonly<Record<string, unknown>>;
}

/** Whose token it is: provider and sub, with what the token says. The kind is IAM's to tell. */
export interface Subject {
  readonly provider: string;
  readonly sub: string;
  readonly token: TokenFacts;
}

/**
 * The subject of a verified token, with the provider's mapping applied.
 *
 * @throws Refusal `FORBIDDEN` when an attribute that the mapping requires is missing
 */
export function subjectOf({ claims, issuer, kid }: VerifiedToken): Subject {
  const { roles, attributes } = issuer.mapping ? mapClaims(issuer.mapping, claims) : UNMAPPED;
  const isOwn = issuer.provider === OWN_PROVIDER;
  return {
    provider: issuer.provider,
    sub: claims.sub,
    token: {
      kid,
      iat: claims.iat,
      expiresAt: claims.exp * 1000,
      scope: scopeOf(claims),
      mappedRoles: roles,
      attributes,
      claims,
      ...(issuer.mapping === undefined ? {} : { mapping: issuer.mapping }),
      ...(claims.jti === undefined ? {} : { jti: claims.jti }),
      ...(claims.client_id === undefined ? {} : { clientId: claims.client_id }),
      ...(claims.cnf?.jkt === undefined ? {} : { jkt: claims.cnf.jkt }),
      ...(claims.sid === undefined ? {} : { sid: claims.sid }),
      // Another issuer's claim of this name is not the name of a secret of ours.
      ...(isOwn && typeof claims.cred === 'string' ? { cred: claims.cred } : {}),
    },
  };
}

/**
 * The same token after its provider has said something else of itself.
 *
 * @throws Refusal `INVALID_TOKEN` when the provider would not accept it any more, or when that cannot be told
 * because only a ticket came; `FORBIDDEN` when an attribute that the mapping requires is missing
 */
export function remapped(token: TokenFacts, workspace: string, provider: ProviderRecord): TokenFacts {
  const { workspaces, issuer, audiences, maxLifetimeSeconds, mapping } = provider;
  const claims = token.claims as Partial<AccessTokenClaims>;
  const accepted =
    workspaces.includes(workspace) &&
    claims.iss === issuer &&
    [claims.aud].flat().some((name) => name !== undefined && audiences.includes(name)) &&
    token.expiresAt / 1000 - token.iat <= maxLifetimeSeconds;
  if (!accepted) throw new Refusal('INVALID_TOKEN', 'provider_changed');
  const { roles, attributes } = mapClaims(mapping, token.claims as AccessTokenClaims);
  return { ...token, mapping, mappedRoles: roles, attributes };
}

/** The question of step 4. */
export function questionOf({ provider, sub, token }: Subject, workspace: string, permission: Permission): Question {
  const { kid, iat, scope, mappedRoles, attributes, jti, clientId, sid, cred } = token;
  return {
    workspace,
    permission,
    provider,
    sub,
    iat,
    kid,
    scope,
    mappedRoles,
    attributes,
    ...(jti === undefined ? {} : { jti }),
    ...(clientId === undefined ? {} : { clientId }),
    ...(sid === undefined ? {} : { sid }),
    ...(cred === undefined ? {} : { cred }),
  };
}
