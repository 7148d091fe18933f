import { PATHS, type Permission } from '@centrali-io/protocol';
import { DpopError, type ProofMemory, Refusal, readProof } from '../../resource-server/index.ts';
import type { AuditSpool } from '../audit/spool.ts';
import type { IssuedToken, TokenRequest } from '../services.ts';
import { type AuthenticatedClient, authenticateClient, type ClientAuthentication } from './authenticate-client.ts';
import { type Form, type OAuthRequest, readForm } from './form.ts';
import { type OAuthAnswer, OAuthError, oauthAnswer } from './oauth-error.ts';
import { grantScope } from './scope.ts';

/** What the token endpoint stands on. */
export interface TokenEndpoint extends ClientAuthentication {
  readonly lifetimeSeconds: number;
  readonly issueToken: (request: TokenRequest) => Promise<IssuedToken>;
  /** Permissions that the account's roles hold now. */
  readonly permissionsOf: (client: AuthenticatedClient) => Promise<ReadonlySet<Permission>>;
  readonly audit: Pick<AuditSpool, 'open' | 'push'>;
  /** The proofs of keys that were used here. */
  readonly proofs: ProofMemory;
}

/**
 * `POST /oidc/token`: client credentials for an access token (RFC 6749 section 4.4), in the order of the RFC.
 * Throws `OAuthError`, or a `Refusal` for limits and outages.
 */
export async function tokenEndpoint(request: OAuthRequest, endpoint: TokenEndpoint): Promise<OAuthAnswer> {
  const form = readForm(request);
  // What cannot be recorded is not granted.
  if (!endpoint.audit.open) throw new Refusal('AUTH_ERROR', 'audit_full');
  const client = await authenticateClient(request, form, endpoint);
  checkGrantType(form);
  checkResource(form, endpoint.issuer);
  checkWorkspace(client);
  const scope = grantScope(form.get('scope'), await endpoint.permissionsOf(client));
  const jkt = await boundKey(request, endpoint);
  const issued = await endpoint.issueToken({
    sub: client.account.clientId,
    clientId: client.account.clientId,
    workspaces: [client.account.workspace],
    scope,
    cred: client.credential.cred,
    lifetimeSeconds: endpoint.lifetimeSeconds,
    ...(jkt === undefined ? {} : { jkt }),
  });
  record(request, client, issued, endpoint);
  return oauthAnswer({
    access_token: issued.token,
    token_type: jkt === undefined ? 'Bearer' : 'DPoP',
    expires_in: endpoint.lifetimeSeconds,
    scope,
  });
}

/**
 * The thumbprint of the key that the client proves to have, if it sends a proof: the token is then bound to it
 * (RFC 9449 section 5).
 */
async function boundKey(
  { method, dpops = [] }: OAuthRequest,
  { issuer, proofs, now }: TokenEndpoint,
): Promise<string | undefined> {
  if (dpops.length === 0) return undefined;
  try {
    const proof = await readProof(dpops, { method, url: issuer + PATHS.token }, now());
    const memory = proofs.take(proof);
    if (memory === 'full')
      throw new Refusal('RATE_LIMIT_EXCEEDED', 'dpop_memory_full', { message: 'Too many requests.' });
    if (memory === 'replayed') throw new DpopError('dpop_replayed');
    return proof.jkt;
  } catch (error) {
    if (!(error instanceof DpopError)) throw error;
    throw new OAuthError('invalid_dpop_proof', error.reason, 'The DPoP proof is not valid.');
  }
}

function checkGrantType(form: Form): void {
  const grantType = form.get('grant_type');
  if (grantType === undefined)
    throw new OAuthError('invalid_request', 'grant_type_missing', 'The grant_type is missing.');
  if (grantType !== 'client_credentials')
    throw new OAuthError('unsupported_grant_type', 'grant_type', 'The grant_type must be client_credentials.');
}

/** RFC 8707 section 2: there is one resource here, the public base URL. */
function checkResource({ resources }: Form, issuer: string): void {
  if (!resources.every((resource) => resource === issuer || resource === `${issuer}/`))
    throw new OAuthError('invalid_target', 'resource', 'The resource is not this service.');
}

function checkWorkspace({ workspace }: AuthenticatedClient): void {
  if (workspace.state !== 'active')
    throw new OAuthError('unauthorized_client', 'workspace_suspended', 'The workspace of the client is suspended.');
}

function record(
  request: OAuthRequest,
  client: AuthenticatedClient,
  issued: IssuedToken,
  endpoint: TokenEndpoint,
): void {
  const { account, credential, method } = client;
  endpoint.audit.push({
    workspace: account.workspace,
    at: endpoint.now(),
    kind: 'token',
    action: 'token.issue',
    provider: 'centrali',
    principalKind: 'service',
    sub: account.clientId,
    clientId: account.clientId,
    jti: issued.claims.jti,
    address: request.address,
    requestId: request.id,
    detail: { cred: credential.cred, method, scope: issued.claims.scope },
  });
}
