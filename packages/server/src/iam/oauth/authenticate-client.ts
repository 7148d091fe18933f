import { Refusal } from '../../resource-server/index.ts';
import { hashSecret, sameHash } from '../accounts/secret.ts';
import type { AccountRecord, CredentialRecord, Store, WorkspaceRecord } from '../store/port.ts';
import { readAssertion, type SignatureCheck, verifyAssertion } from './client-assertion.ts';
import { type ClientCredentials, readCredentials } from './credentials.ts';
import type { Form, OAuthRequest } from './form.ts';
import type { OAuthLimits } from './limits.ts';
import { OAuthError } from './oauth-error.ts';

/** A client that has shown who it is. */
export interface AuthenticatedClient {
  readonly account: AccountRecord;
  readonly workspace: WorkspaceRecord;
  /** The secret or key that it used. */
  readonly credential: CredentialRecord;
  readonly method: ClientCredentials['method'];
}

/** What client authentication stands on. */
export interface ClientAuthentication {
  readonly issuer: string;
  readonly store: Store;
  readonly limits: OAuthLimits;
  readonly now: () => number;
  /** Told of each failure; the workspace is the account's, null for an unknown client. */
  readonly onFailure: (request: OAuthRequest, reason: string, workspace: string | null) => void;
  /** How the signature of an assertion is checked; by default with jose. */
  readonly checkSignature?: SignatureCheck;
}

/**
 * Authenticates the client (RFC 6749 section 3.2.1). Every failure answers alike and takes the same work, whatever
 * exists: nobody can tell by the time whether a client does. The right
 * secret from a known address passes even while others fail too often.
 */
export async function authenticateClient(
  request: OAuthRequest,
  form: Form,
  dependencies: ClientAuthentication,
): Promise<AuthenticatedClient> {
  const { store, limits, now } = dependencies;
  const credentials = readCredentials(request, form);
  const assertion = 'assertion' in credentials ? readAssertion(credentials.assertion, credentials.clientId) : undefined;
  const clientId = assertion?.clientId ?? credentials.clientId ?? '';
  const wait = await limits.blocked(clientId, request.address);
  if (wait !== undefined && !limits.isKnown(clientId, request.address)) throw tooMany(wait);

  const { account, workspace, held } = await store.read(async (view) => {
    const found = await view.accounts.byClientId(clientId);
    return {
      account: found,
      // Asked for whether there is an account or not: both take the same work.
      workspace: await view.workspaces.get(found?.workspace ?? ''),
      held: await view.credentials.ofClient(clientId),
    };
  });
  const live = held.filter(({ validUntil }) => validUntil === null || now() < validUntil);
  let reason = account ? 'credentials_wrong' : 'client_unknown';
  let credential: CredentialRecord | undefined;
  if ('secret' in credentials) credential = secretOf(credentials.secret, live, store.pepper);
  else if (assertion) {
    try {
      const verified = await verifyAssertion(assertion, live, dependencies.issuer, now(), dependencies.checkSignature);
      const fresh = await store.transaction((tx) => tx.usedJtis.take(clientId, verified.jti, verified.expiresAt));
      if (fresh) credential = verified.credential;
      else reason = 'assertion_replayed';
    } catch (error) {
      if (!(error instanceof OAuthError)) throw error;
      reason = error.reason;
    }
  }
  if (credential && account?.disabled) reason = 'account_disabled';
  if (credential && workspace?.state === 'deleted') reason = 'workspace_deleted';
  if (!credential || !account || account.disabled || !workspace || workspace.state === 'deleted') {
    await limits.failed(clientId, request.address);
    dependencies.onFailure(request, reason, account?.workspace ?? null);
    if (wait !== undefined) throw tooMany(wait);
    throw new OAuthError('invalid_client', reason, 'The client is unknown or its credentials are wrong.');
  }
  limits.succeeded(clientId, request.address);
  return { account, workspace, credential, method: credentials.method };
}

/** A hash that no secret has: what an unknown client's secret is compared with, so that it takes as long. */
const NO_HASH = '0'.repeat(64);

function secretOf(secret: string, live: readonly CredentialRecord[], pepper: Uint8Array): CredentialRecord | undefined {
  const hash = hashSecret(secret, pepper);
  sameHash(hash, NO_HASH);
  return live.find((credential) => credential.kind === 'secret' && sameHash(hash, credential.hash));
}

function tooMany(retryAfter: number): Refusal {
  return new Refusal('RATE_LIMIT_EXCEEDED', 'client_failures', {
    retryAfter,
    message: 'Too many failed authentications.',
  });
}
