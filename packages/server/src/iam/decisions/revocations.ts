/** Which tokens a revocation ends. */
import type { RevocationRecord } from '@centrali-io/protocol';

/** A token, as far as revocations look at it. */
export interface RevocableToken {
  readonly workspace: string;
  readonly provider: string;
  readonly sub: string;
  readonly clientId?: string;
  readonly jti?: string;
  readonly sid?: string;
  /** Seconds since 1970. */
  readonly iat: number;
}

/**
 * Whether a revocation ends a token: everything it names must fit, and `iat` must not be after its moment,
 * which is inclusive. One that names nothing but a moment ends every token of the provider.
 */
export function coversToken(revocation: RevocationRecord, token: RevocableToken): boolean {
  const { workspace, provider, jti, sub, clientId, sid, notBefore } = revocation;
  return (
    (workspace === null || workspace === token.workspace) &&
    provider === token.provider &&
    (jti === undefined || jti === token.jti) &&
    (sub === undefined || sub === token.sub) &&
    (clientId === undefined || clientId === token.clientId) &&
    (sid === undefined || sid === token.sid) &&
    (notBefore === undefined || token.iat <= notBefore) &&
    // A record that names nothing at all ends nothing, rather than everything.
    (jti ?? sub ?? clientId ?? sid ?? notBefore) !== undefined
  );
}

/** Revocations, found by what they name: a check looks at those for its token, not at all. */
export class RevocationIndex {
  readonly #named = new Map<string, RevocationRecord[]>();

  constructor(revocations: Iterable<RevocationRecord>) {
    for (const revocation of revocations) {
      const key = keyOf(revocation);
      const bucket = this.#named.get(key);
      if (bucket) bucket.push(revocation);
      else this.#named.set(key, [revocation]);
    }
  }

  /** The first revocation that ends the token. */
  find(token: RevocableToken): RevocationRecord | undefined {
    const { jti, sub, clientId, sid } = token;
    const keys = ['all', `sub ${sub}`];
    if (jti !== undefined) keys.push(`jti ${jti}`);
    if (clientId !== undefined) keys.push(`client ${clientId}`);
    if (sid !== undefined) keys.push(`sid ${sid}`);
    for (const key of keys) {
      const found = this.#named.get(key)?.find((revocation) => coversToken(revocation, token));
      if (found) return found;
    }
    return undefined;
  }

  /** Whether a token is ended by its own name, in all its workspaces. */
  hasToken(provider: string, jti: string): boolean {
    const named = this.#named.get(`jti ${jti}`) ?? [];
    return named.some((revocation) => revocation.workspace === null && revocation.provider === provider);
  }
}

function keyOf({ jti, sub, clientId, sid }: RevocationRecord): string {
  if (jti !== undefined) return `jti ${jti}`;
  if (sub !== undefined) return `sub ${sub}`;
  if (clientId !== undefined) return `client ${clientId}`;
  if (sid !== undefined) return `sid ${sid}`;
  return 'all';
}
