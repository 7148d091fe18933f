import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DecisionCache, keyOfQuestion } from './decision-cache.ts';
import type { Allowed, Decided, Question } from './question.ts';

const decided = (revision: number): Decided<Allowed> => ({
  answer: {
    decision: 'allowed',
    revision,
    principal: { provider: 'centrali', kind: 'user', sub: 'u1' },
    grants: [{ permission: 'realtime:subscribe' }],
    roles: ['viewer'],
    permissions: [],
  },
  generation: 1,
  askedAt: 0,
});
const QUESTION: Question = {
  workspace: 'acme',
  permission: 'realtime:subscribe',
  provider: 'centrali',
  sub: 'u1',
  iat: 1,
  kid: 'k1',
  scope: [],
  mappedRoles: [],
  attributes: {},
};

describe('DecisionCache', () => {
  it('is bounded, and keeps what is asked for', () => {
    const cache = new DecisionCache(3);
    for (const key of ['a', 'b', 'c']) cache.set(key, decided(1));
    cache.get('a');
    cache.set('d', decided(1));
    expect(cache.size).toBe(3);
    expect(['a', 'b', 'c', 'd'].map((key) => cache.get(key) !== undefined)).toEqual([true, false, true, true]);
  });

  it('keeps nothing when it has no room', () => {
    const cache = new DecisionCache(0);
    cache.set('a', decided(1));
    expect(cache.size).toBe(0);
  });
});

describe('the key of a question', () => {
  it.each<[string, Partial<Question>]>([
    ['workspace', { workspace: 'other' }],
    ['permission', { permission: 'realtime:publish' }],
    ['provider', { provider: 'pr_1' }],
    ['sub', { sub: 'u2' }],
    ['client id', { clientId: 'u1' }],
    ['jti', { jti: 'j1' }],
    ['sid', { sid: 'j1' }],
    ['cred', { cred: 'j1' }],
    ['iat', { iat: 2 }],
    ['kid', { kid: 'k2' }],
    ['scope', { scope: ['realtime:subscribe'] }],
    ['two scopes in one', { scope: ['realtime:subscribe realtime:publish'] }],
    ['mapped roles', { mappedRoles: ['viewer'] }],
    ['attributes', { attributes: { ext_team: 'red' } }],
    ['an attribute of another type', { attributes: { ext_level: 1 } }],
    ['an attribute that is a text', { attributes: { ext_level: '1' } }],
  ])('differs by the %s', (_what, more) => {
    expect(keyOfQuestion({ ...QUESTION, ...more })).not.toBe(keyOfQuestion(QUESTION));
  });

  it('is the same for the same question, in whatever order its attributes come', () => {
    const text = fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer(), fc.boolean()));
    fc.assert(
      fc.property(text, (attributes) => {
        const turned = Object.fromEntries(Object.entries(attributes).reverse());
        expect(keyOfQuestion({ ...QUESTION, attributes: turned })).toBe(keyOfQuestion({ ...QUESTION, attributes }));
      }),
    );
  });
});
