import { OWN_PROVIDER } from '@centrali-io/protocol';
import { recordRevocation } from '../decisions/record-revocation.ts';
import { authenticateClient, type ClientAuthentication } from './authenticate-client.ts';
import { type OAuthRequest, readForm } from './form.ts';
import { OAUTH_HEADERS, type OAuthAnswer, OAuthError } from './oauth-error.ts';
import type { OwnTokenVerifier } from './own-token.ts';
import type { TokenState } from './token-state.ts';

/** What revocation stands on. */
export interface RevokeEndpoint extends ClientAuthentication {
  readonly verify: OwnTokenVerifier;
  readonly state: Pick<TokenState, 'revocations'>;
}

const DONE: OAuthAnswer = { status: 200, headers: OAUTH_HEADERS, body: '' };

/**
 * `POST /oidc/revoke` (RFC 7009): ends a token of the client's own, in all its workspaces, with its streams.
 * 200 also for what is no token, is dead already, or is another client's (which is left alone): the answer
 * says nothing about tokens that are not the client's.
 */
export async function revokeEndpoint(request: OAuthRequest, endpoint: RevokeEndpoint): Promise<OAuthAnswer> {
  const form = readForm(request);
  const { account } = await authenticateClient(request, form, endpoint);
  const token = form.get('token');
  if (token === undefined) throw new OAuthError('invalid_request', 'token_missing', 'The token is missing.');
  const verified = await endpoint.verify(token);
  if (verified && verified.claims.client_id === account.clientId) {
    const { jti, exp } = verified.claims;
    const { clientId, workspace } = account;
    const at = endpoint.now();
    const revocation = { workspace: null, provider: OWN_PROVIDER, jti };
    // Once is enough: a second one would only fill the feed.
    if ((await endpoint.state.revocations()).hasToken(OWN_PROVIDER, jti)) return DONE;
    await endpoint.store.transaction((tx) =>
      recordRevocation(tx, {
        revocation,
        expiresAt: (exp + 1) * 1_000,
        audit: {
          workspace,
          at,
          action: 'token.revoke',
          target: jti,
          jti,
          provider: OWN_PROVIDER,
          principalKind: 'service',
          sub: clientId,
          clientId,
          address: request.address,
          requestId: request.id,
        },
      }),
    );
  }
  return DONE;
}
