/** What a principal is: a person, or a program with client credentials. */
export type PrincipalKind = 'user' | 'service';

/** The name of our own IAM among the providers. */
export const OWN_PROVIDER = 'centrali';

/**
 * Who acts: members, grants, limits, tickets and revocations are keyed by all three, never by a bare `sub`.
 * The kind comes from IAM's record, never from the token's shape.
 */
export interface Principal {
  /** `centrali` for our own IAM, else the provider's id. */
  readonly provider: string;
  readonly kind: PrincipalKind;
  readonly sub: string;
}

/** A principal as events and lists write it: `sub` for our own IAM, `{provider}:{sub}` for another. */
export function writePrincipal({ provider, sub }: Pick<Principal, 'provider' | 'sub'>): string {
  return provider === OWN_PROVIDER ? sub : `${provider}:${sub}`;
}

/** One string for a principal, for maps and indexes; a provider's id never holds a space. */
export function principalKey({ provider, kind, sub }: Principal): string {
  return `${provider} ${kind} ${sub}`;
}
