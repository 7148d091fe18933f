import { PATHS, PERMISSIONS } from '@centrali-io/protocol';
import { DPOP_ALGORITHMS } from '../../resource-server/index.ts';
import { DEFAULT_SCOPE } from './scope.ts';

const AUTH_METHODS = ['client_secret_basic', 'client_secret_post', 'private_key_jwt'] as const;

/** Algorithms of client assertions: those that a client's key can be registered with. */
const ASSERTION_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;

/** What there is to know of the authorization server (RFC 8414 section 2). */
export function authorizationServerMetadata(issuer: string): Readonly<Record<string, unknown>> {
  const endpoint = (name: 'token' | 'revocation' | 'introspection', path: string) => ({
    [`${name}_endpoint`]: issuer + path,
    [`${name}_endpoint_auth_methods_supported`]: AUTH_METHODS,
    [`${name}_endpoint_auth_signing_alg_values_supported`]: ASSERTION_ALGORITHMS,
  });
  return {
    issuer,
    jwks_uri: issuer + PATHS.jwks,
    ...endpoint('token', PATHS.token),
    ...endpoint('revocation', PATHS.revoke),
    ...endpoint('introspection', PATHS.introspect),
    dpop_signing_alg_values_supported: DPOP_ALGORITHMS,
    grant_types_supported: ['client_credentials'],
    // There is no authorization endpoint, so no response type; the list is required all the same.
    response_types_supported: [],
    scopes_supported: [DEFAULT_SCOPE, ...PERMISSIONS],
  };
}

/** The same for clients that look where OpenID Connect Discovery 1.0 section 4 puts it; no ID token is ever issued. */
export function openidConfiguration(issuer: string, algorithm: string): Readonly<Record<string, unknown>> {
  return {
    ...authorizationServerMetadata(issuer),
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: [algorithm],
  };
}

/** What there is to know of the protected resource (RFC 9728 section 2): the whole service is one. */
export function protectedResourceMetadata(issuer: string): Readonly<Record<string, unknown>> {
  return {
    resource: issuer,
    authorization_servers: [issuer],
    scopes_supported: [...PERMISSIONS],
    bearer_methods_supported: ['header', 'query'],
    dpop_signing_alg_values_supported: DPOP_ALGORITHMS,
    resource_name: 'Centrali Realtime',
  };
}
