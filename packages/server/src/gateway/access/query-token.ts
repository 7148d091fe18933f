import { type Bearer, type QueryTokenPolicy, Refusal, type VerifiedToken } from '../../resource-server/index.ts';

/** Longest lifetime of a token that comes in the URL under the policy `short-lived`: the guide's 15 to 60 minutes. */
export const SHORT_LIVED_SECONDS = 3600;

/**
 * Under the policy `short-lived`, a token in the URL lives at most an hour in all.
 *
 * @throws Refusal `BAD_REQUEST`: the token is good, the way it came is not
 */
export function checkQueryLifetime({ via }: Bearer, policy: QueryTokenPolicy | 'no', { claims }: VerifiedToken): void {
  if (via !== 'query' || policy !== 'short-lived' || claims.exp - claims.iat <= SHORT_LIVED_SECONDS) return;
  throw new Refusal('BAD_REQUEST', 'query_token_long_lived', {
    message: 'A token that lives longer than an hour is accepted in the Authorization header only.',
    challenge: 'invalid_request',
  });
}
