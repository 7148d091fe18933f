import { expect, test } from 'vitest';
import { scopeAllows, scopeOf } from './claims.ts';

test.each([
  ['no scope limits nothing', '', 'realtime:subscribe', true],
  ['openid alone limits nothing', 'openid', 'realtime:subscribe', true],
  ['a named permission passes', 'openid realtime:subscribe', 'realtime:subscribe', true],
  ['naming another permission limits', 'realtime:publish', 'realtime:subscribe', false],
  ['names match exactly', 'realtime:subscribeX', 'realtime:subscribe', false],
  ['there are no wildcards', 'realtime:*', 'realtime:subscribe', false],
  ['iam:manage must be named', 'openid', 'iam:manage', false],
  ['iam:manage must be named, also without a scope', '', 'iam:manage', false],
  ['iam:manage passes when named', 'iam:manage', 'iam:manage', true],
])('%s', (_, scope, permission, allowed) => {
  expect(scopeAllows(scopeOf({ scope }), permission)).toBe(allowed);
});
