import { describe, expect, test } from 'vitest';
import type { CheckAnswer, CheckRequest } from './rpc.ts';
import {
  isTicketHash,
  parseAuditEntries,
  parseCheckAnswers,
  parseCheckRequests,
  parseFeedFrame,
  parseTicket,
} from './rpc-validate.ts';

const check: CheckRequest = {
  workspace: 'demo',
  permission: 'realtime:subscribe',
  provider: 'centrali',
  sub: 'u1',
  iat: 1,
  kid: 'k',
  scope: [],
  mappedRoles: [],
  attributes: { ext_plan: 'pro' },
  atLeast: 0,
};
const allowed: CheckAnswer = {
  decision: 'allowed',
  revision: 3,
  principal: { provider: 'centrali', kind: 'user', sub: 'u1' },
  grants: [{ permission: 'realtime:subscribe' }],
  roles: ['viewer'],
  permissions: ['realtime:subscribe'],
};

const REVOCATION = { workspace: 'demo', provider: 'centrali', sub: 'u1', notBefore: 5 };

describe('checks', () => {
  test('good ones pass', () => {
    expect(parseCheckRequests([check])).toEqual([check]);
  });
  test.each([
    ['an empty array', []],
    ['no array', check],
    ['more than a call may hold', Array.from({ length: 257 }, () => check)],
    ['an unknown permission', [{ ...check, permission: 'realtime:*' }]],
    ['a workspace that is no slug', [{ ...check, workspace: '../a' }]],
    ['an attribute that is an object', [{ ...check, attributes: { a: {} } }]],
    ['a missing time', [{ ...check, iat: undefined }]],
  ])('%s is refused', (_, body) => {
    expect(parseCheckRequests(body)).toBeUndefined();
  });
});

describe('answers', () => {
  test('good ones pass', () => {
    expect(parseCheckAnswers([allowed], 1)).toEqual([allowed]);
    expect(parseCheckAnswers([{ decision: 'forbidden', revision: 1, reason: 'no_role' }], 1)).toHaveLength(1);
  });
  test.each([
    ['an unknown decision', [{ ...allowed, decision: 'ALLOW' }]],
    ['a missing decision', [{ ...allowed, decision: undefined }]],
    ['no principal', [{ ...allowed, principal: undefined }]],
    ['a grant that is none', [{ ...allowed, grants: [{}] }]],
    ['an end that is no time', [{ ...allowed, holdsMs: -1 }]],
    ['fewer than asked', []],
    ['more than asked', [allowed, allowed]],
    ['a bare true', true],
  ])('%s is refused, so that nobody is let in', (_, body) => {
    expect(parseCheckAnswers(body, 1)).toBeUndefined();
  });
});

describe('the change feed', () => {
  test.each([
    { type: 'heartbeat', epoch: 'e', revision: 1 },
    { type: 'snapshot', epoch: 'e', revision: 1, providers: [], withdrawnKeys: [], revocations: [] },
    { type: 'change', revision: 2, change: { kind: 'member', workspace: 'demo', provider: 'centrali', sub: 'u' } },
    { type: 'change', revision: 2, change: { kind: 'provider', id: 'pr_1', provider: null } },
    { type: 'change', revision: 2, change: { kind: 'revocation', revocation: { ...REVOCATION, expiresAt: 9_000 } } },
    { type: 'change', revision: 2, change: { kind: 'revocation-lifted', revocation: REVOCATION } },
  ])('$type passes', (frame) => {
    expect(parseFeedFrame(frame)).toEqual(frame);
  });
  test.each([
    ['a change of an unknown kind', { type: 'change', revision: 2, change: { kind: 'x' } }],
    ['a frame of an unknown type', { type: 'x', revision: 2 }],
    ['a revision that is no count', { type: 'heartbeat', epoch: 'e', revision: -1 }],
    [
      'a revocation that expires at no moment',
      { type: 'change', revision: 2, change: { kind: 'revocation', revocation: { ...REVOCATION, expiresAt: null } } },
    ],
    [
      'a snapshot with a revocation that expires at a text',
      {
        type: 'snapshot',
        epoch: 'e',
        revision: 1,
        providers: [],
        withdrawnKeys: [],
        revocations: [{ ...REVOCATION, expiresAt: '9' }],
      },
    ],
    ['a snapshot without revocations', { type: 'snapshot', epoch: 'e', revision: 1, providers: [], withdrawnKeys: [] }],
  ])('%s is refused', (_, frame) => {
    expect(parseFeedFrame(frame)).toBeUndefined();
  });
});

test('audit entries name a workspace and a known kind', () => {
  const entry = { at: 1, kind: 'refuse', workspace: 'demo', code: 'FORBIDDEN' };
  expect(parseAuditEntries([entry])).toEqual([entry]);
  expect(parseAuditEntries([{ ...entry, kind: 'x' }])).toBeUndefined();
  expect(parseAuditEntries([{ ...entry, workspace: 'A' }])).toBeUndefined();
});

test('a ticket is what a token said, and nothing that a check could not be asked with', () => {
  const ticket = {
    ...{ workspace: 'demo', provider: 'centrali', sub: 'ann', kid: 'k', iat: 1, expiresAt: 2 },
    ...{ scope: ['realtime:subscribe'], mappedRoles: [], attributes: { ext_n: 1 }, claims: { plan: 'gold' } },
  };
  expect(parseTicket(ticket)).toEqual(ticket);
  for (const change of [
    { workspace: 'Demo' },
    { sub: undefined },
    { iat: -1 },
    { expiresAt: 1.5 },
    { scope: 'realtime:subscribe' },
    { claims: { nested: {} } },
    { attributes: null },
    { jti: 7 },
    { jkt: {} },
  ])
    expect([change, parseTicket({ ...ticket, ...change })]).toEqual([change, undefined]);
  expect(parseTicket(null)).toBeUndefined();
  expect(['a'.repeat(64), 'A'.repeat(64), 'a'.repeat(63), `${'a'.repeat(64)}\n`, 7].map(isTicketHash)).toEqual([
    true,
    false,
    false,
    false,
    false,
  ]);
});
