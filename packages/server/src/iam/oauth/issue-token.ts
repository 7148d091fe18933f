import { type AccessTokenClaims, OWN_PROVIDER } from '@centrali-io/protocol';
import { CompactSign } from 'jose';
import { Refusal } from '../../resource-server/index.ts';
import type { RevocationIndex } from '../decisions/revocations.ts';
import type { KeyRing } from '../keys/key-ring.ts';
import type { IssuedToken, TokenRequest } from '../services.ts';
import { encodePayload } from './token-payload.ts';

/** Names that a caller cannot choose: what is set here (RFC 9068 section 2.2), and what would change its meaning. */
const RESERVED_CLAIMS: ReadonlySet<string> = new Set(
  'iss sub aud exp nbf iat jti client_id scope workspaces cred cnf sid'.split(' '),
);

/** What issuing stands on. */
export interface IssueDependencies {
  readonly issuer: string;
  readonly keys: Pick<KeyRing, 'signer'>;
  /** The revocations that can still end a token. */
  readonly revocations: () => Promise<RevocationIndex>;
  readonly now: () => number;
  readonly randomBytes: (size: number) => Uint8Array;
  /** Resolves after so many milliseconds. */
  readonly sleep: (milliseconds: number) => Promise<void>;
}

/**
 * Signs an access token (RFC 9068). A revocation ends tokens with `iat` up to its moment, inclusive, so no
 * token is issued in that second: the call waits for the next one. Throws `AUTH_ERROR` when the moment lies
 * further ahead, and `TypeError` for a claim that the caller cannot choose.
 */
export async function issueToken(request: TokenRequest, dependencies: IssueDependencies): Promise<IssuedToken> {
  for (const name of Object.keys(request.claims ?? {}))
    if (RESERVED_CLAIMS.has(name)) throw new TypeError(`The claim ${name} cannot be chosen.`);
  const { issuer, keys, randomBytes } = dependencies;
  const iat = await freeSecond(request, dependencies);
  const signer = await keys.signer();
  const claims: AccessTokenClaims & { readonly jti: string } = {
    ...request.claims,
    iss: issuer,
    aud: issuer,
    sub: request.sub,
    client_id: request.clientId,
    iat,
    exp: iat + request.lifetimeSeconds,
    jti: Buffer.from(randomBytes(16)).toString('hex'),
    ...(request.scope ? { scope: request.scope } : {}),
    workspaces: request.workspaces,
    ...(request.cred === undefined ? {} : { cred: request.cred }),
    ...(request.jkt === undefined ? {} : { cnf: { jkt: request.jkt } }),
  };
  const token = await new CompactSign(encodePayload(claims))
    .setProtectedHeader({ alg: signer.alg, typ: 'at+jwt', kid: signer.kid })
    .sign(signer.key);
  return { token, claims };
}

/** The first second, now or the next, that no revocation of this principal names. */
async function freeSecond(request: TokenRequest, { revocations, now, sleep }: IssueDependencies): Promise<number> {
  for (let attempt = 0; ; attempt++) {
    const iat = Math.floor(now() / 1_000);
    const token = { provider: OWN_PROVIDER, sub: request.sub, clientId: request.clientId, iat };
    const index = await revocations();
    const covering = request.workspaces
      .map((workspace) => index.find({ ...token, workspace }))
      .find((revocation) => revocation !== undefined);
    if (!covering) return iat;
    const until = covering.notBefore ?? iat;
    if (until > iat || attempt > 1)
      throw new Refusal('AUTH_ERROR', 'revoked_ahead', { retryAfter: Math.min(60, until + 1 - iat) });
    await sleep((iat + 1) * 1_000 - now());
  }
}
