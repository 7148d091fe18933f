import { authenticateClient, type ClientAuthentication } from './authenticate-client.ts';
import { type OAuthRequest, readForm } from './form.ts';
import { type OAuthAnswer, OAuthError, oauthAnswer } from './oauth-error.ts';
import type { OwnTokenVerifier } from './own-token.ts';
import type { TokenState } from './token-state.ts';

/** What introspection stands on. */
export interface IntrospectEndpoint extends ClientAuthentication {
  readonly verify: OwnTokenVerifier;
  readonly state: Pick<TokenState, 'isActive'>;
}

/**
 * `POST /oidc/introspect` (RFC 7662): about tokens that name the caller's workspace, and only that workspace
 * of theirs. Everything else is exactly `{"active":false}`.
 */
export async function introspectEndpoint(request: OAuthRequest, endpoint: IntrospectEndpoint): Promise<OAuthAnswer> {
  const form = readForm(request);
  const { account, workspace } = await authenticateClient(request, form, endpoint);
  const token = form.get('token');
  if (token === undefined) throw new OAuthError('invalid_request', 'token_missing', 'The token is missing.');
  const inactive = oauthAnswer({ active: false });
  if (workspace.state !== 'active') return inactive;
  const verified = await endpoint.verify(token);
  if (!verified?.claims.workspaces?.includes(account.workspace)) return inactive;
  if (!(await endpoint.state.isActive(verified, account.workspace))) return inactive;
  const { iss, aud, sub, client_id, iat, exp, jti, scope, cnf } = verified.claims;
  return oauthAnswer({
    active: true,
    token_type: cnf === undefined ? 'Bearer' : 'DPoP',
    iss,
    aud,
    sub,
    client_id,
    iat,
    exp,
    jti,
    ...(scope === undefined ? {} : { scope }),
    ...(cnf === undefined ? {} : { cnf }),
    workspaces: [account.workspace],
  });
}
