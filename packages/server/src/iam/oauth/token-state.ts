import { OWN_PROVIDER, type Permission } from '@centrali-io/protocol';
import { heldPermissions, type TokenFacts, whyBarred, whyRevoked } from '../decisions/decide.ts';
import { DecisionReader } from '../decisions/decision-reader.ts';
import type { RevocationIndex } from '../decisions/revocations.ts';
import type { Store } from '../store/port.ts';
import type { AuthenticatedClient } from './authenticate-client.ts';
import type { OwnToken } from './own-token.ts';

/** What the OAuth endpoints ask of the decisions: the same state and rules as a gateway's check. */
export interface TokenState {
  /** Permissions that the client's roles hold now. */
  readonly permissionsOf: (client: AuthenticatedClient) => Promise<ReadonlySet<Permission>>;
  /** The revocations that can still end a token. */
  readonly revocations: () => Promise<RevocationIndex>;
  /** Whether a verified token still opens anything in the workspace. */
  readonly isActive: (token: OwnToken, workspace: string) => Promise<boolean>;
}

/** Reads from the store, with a memory of its own. */
export function createTokenState(store: Store, now: () => number): TokenState {
  const reader = new DecisionReader();
  const stateOf = async (facts: TokenFacts) => {
    const [state] = await store.read((view) => reader.read(view, [facts], now()));
    if (!state) throw new Error('A token without its state.');
    return state;
  };
  return {
    revocations: () => store.read((view) => reader.revocations(view, now())),
    async permissionsOf({ account, credential }) {
      const { workspace, clientId } = account;
      const facts = {
        workspace,
        provider: OWN_PROVIDER,
        sub: clientId,
        clientId,
        cred: credential.cred,
        iat: Math.floor(now() / 1e3),
        kid: '',
        mappedRoles: [],
      };
      const state = await stateOf(facts);
      return whyBarred(state, facts) === undefined ? heldPermissions(state, facts) : new Set();
    },
    async isActive({ kid, claims }, workspace) {
      const { sub, client_id: clientId, jti, iat, cred } = claims;
      const facts: TokenFacts = {
        workspace,
        provider: OWN_PROVIDER,
        sub,
        jti,
        iat,
        kid,
        mappedRoles: [],
        ...(clientId === undefined ? {} : { clientId }),
        ...(cred === undefined ? {} : { cred }),
      };
      const state = await stateOf(facts);
      return whyRevoked(state, facts) === undefined && whyBarred(state, facts) === undefined;
    },
  };
}
