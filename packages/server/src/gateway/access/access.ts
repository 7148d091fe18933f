import { type Grant, OWN_PROVIDER, type Permission, type Principal, type Scalar } from '@centrali-io/protocol';
import { Refusal } from '../../resource-server/index.ts';
import type { Allowed, Decided } from './question.ts';
import type { Subject, TokenFacts } from './subject.ts';

export type { TokenFacts } from './subject.ts';

/**
 * What steps 1 to 4 of the connection flow found out: who may do what here, by which grants, until when.
 * Everything that an open stream is bound to is in it (docs/access-ends.md).
 */
export interface Access {
  /** The workspace of the URL, which the token names. */
  readonly workspace: string;
  /** The permission that was asked for. */
  readonly permission: Permission;
  /** Provider, kind (from IAM's record) and sub. */
  readonly principal: Principal;
  /** The grants of the asked permission, as stored: a union; filters may hold placeholders. Not empty. */
  readonly grants: readonly Grant[];
  /** Roles that the grants came from. */
  readonly roles: readonly string[];
  /** Every other permission that the principal holds here and the token's scope lets through. */
  readonly permissions: readonly Permission[];
  /** IAM's revision that the decision holds for, within the feed's `generation`. */
  readonly revision: number;
  readonly generation: number;
  /** When IAM was asked, monotonic ms: up to then, at least, all of it held. */
  readonly askedAt: number;
  /** The verified token: its names and times. */
  readonly token: TokenFacts;
  /** Values of the placeholders of grant filters: `sub`, `claims.<name>` (own claims or mapped attributes). */
  readonly placeholders: ReadonlyMap<string, Scalar>;
}

/**
 * Puts a subject and IAM's answer together.
 *
 * @throws Refusal `AUTH_ERROR` when the answer is about another principal: then something is very wrong
 */
export function accessOf(
  { provider, sub, token }: Subject,
  workspace: string,
  permission: Permission,
  { answer, generation, askedAt }: Decided<Allowed>,
): Access {
  const { principal, grants, roles, permissions, revision } = answer;
  if (principal.provider !== provider || principal.sub !== sub) throw new Refusal('AUTH_ERROR', 'rpc_wrong_principal');
  const own = grants.filter((grant) => grant.permission === permission);
  if (own.length === 0) throw new Refusal('FORBIDDEN', 'no_grant', { scope: permission });
  return {
    workspace,
    permission,
    principal,
    grants: own,
    roles,
    permissions,
    revision,
    generation,
    askedAt,
    token,
    // Most grants have none, and then no stream carries the values along.
    placeholders: own.some(({ filter }) => filter?.includes('{')) ? placeholdersOf(provider, sub, token) : NO_VALUES,
  };
}

const NO_VALUES: ReadonlyMap<string, Scalar> = new Map();

/** A provider's own claims are not ours to compare with: only what its mapping names is. */
function placeholdersOf(provider: string, sub: string, token: TokenFacts): ReadonlyMap<string, Scalar> {
  const values = new Map<string, Scalar>([['sub', sub]]);
  for (const [name, value] of Object.entries(provider === OWN_PROVIDER ? token.claims : token.attributes)) {
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
      values.set(`claims.${name}`, value);
    }
  }
  return values;
}
