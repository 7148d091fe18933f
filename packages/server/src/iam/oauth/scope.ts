import { isPermission, type Permission } from '@centrali-io/protocol';
import { OAuthError } from './oauth-error.ts';

/** The scope of a token for which none was asked: it names no permission and so limits nothing. */
export const DEFAULT_SCOPE = 'openid';

/** RFC 6749 section 3.3: names of visible characters without quote and backslash, one space between. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/;

/**
 * The scope of a token. What was asked for is granted whole or refused: `openid`, and permissions that the
 * account's roles hold. `iam:manage` is in a token only when it was asked for.
 */
export function grantScope(asked: string | undefined, held: ReadonlySet<Permission>): string {
  if (asked === undefined) return DEFAULT_SCOPE;
  if (!SCOPE.test(asked)) throw new OAuthError('invalid_scope', 'scope_form', 'The scope is malformed.');
  const names = [...new Set(asked.split(' '))];
  for (const name of names) {
    if (name === 'openid') continue;
    if (!isPermission(name)) throw new OAuthError('invalid_scope', 'scope_unknown', 'The scope names nothing known.');
    if (!held.has(name))
      throw new OAuthError('invalid_scope', 'scope_beyond', 'The scope goes beyond the permissions of the account.');
  }
  return names.join(' ');
}
