import { describe, expect, test } from 'vitest';
import { bindFilter, grantMatches, matchesFilter, parseFilter, withoutBefore } from './index.ts';

const created = {
  event: 'record_created',
  workspaceSlug: 'demo',
  recordSlug: 'order',
  recordId: 'o1',
  timestamp: '2026-01-02T00:00:00Z',
  createdBy: 'alice',
  data: {
    status: 'paid',
    n: 7,
    zip: '07',
    ok: true,
    none: null,
    tags: ['red', 5],
    deep: { a: [{ b: 1 }] },
    text: 'abc',
  },
};
const updated = {
  ...created,
  event: 'record_updated',
  data: { before: { status: 'open', owner: 'alice', secret: 1 }, after: { status: 'paid', owner: 'bob' } },
};

/** Whether an event passes a client's filter. */
function passes(text: string, event: object = created): boolean {
  return matchesFilter(parseFilter(text), event as typeof created);
}

describe('a client filter', () => {
  test.each([
    ['data.status:paid', true],
    ['data.status:PAID', false],
    ['data.n:7', true],
    ['data.n:7.0', true],
    ['data.n:"7"', false],
    ['data.zip:07', true],
    ['data.zip:"07"', true],
    ['data.ok:true', true],
    ['data.ok:"true"', false],
    ['data.none:null', true],
    ['data.missing:null', false],
    ['data.n:gt:5', true],
    ['data.n:gt:7', false],
    ['data.n:gte:7', true],
    ['data.n:lt:7.5', true],
    ['data.n:lte:6', false],
    ['data.n:gt:"5"', false],
    ['data.status:gt:5', false],
    ['data.status:gt:open', true],
    ['data.status:lt:pb', true],
    ['timestamp:gte:2026-01-02', true],
    ['data.status:ne:open', true],
    ['data.status:ne:paid', false],
    ['data.missing:ne:paid', true],
    ['data.deep:ne:paid', true],
    ['NOT data.missing:paid', true],
    ['data.status:in:open,paid', true],
    ['data.n:in:"7",8', false],
    ['data.n:nin:7,8', false],
    ['data.missing:nin:7', true],
    ['data.text:contains:b', true],
    ['data.text:contains:""', true],
    ['data.zip:contains:7', true],
    ['data.tags:contains:red', true],
    ['data.tags:contains:re', false],
    ['data.tags:contains:5', true],
    ['data.tags:contains:"5"', false],
    ['data.text:startswith:ab', true],
    ['data.zip:startswith:0', true],
    ['data.text:endswith:ab', false],
    ['data.text:endswith:bc', true],
    ['data.n:startswith:7', false],
    ['data.none:exists:true', true],
    ['data.missing:exists:false', true],
    ['data.deep.a.0.b:1', true],
    ['data.deep.a.1.b:exists:true', false],
    ['data.tags.length:exists:true', false],
    ['data.text.length:exists:true', false],
    ['data.constructor:exists:true', false],
    ['data.toString.name:exists:true', false],
    ['event:record_created recordSlug:order recordId:o1 createdBy:alice workspaceSlug:demo', true],
    ['data.status:open OR data.n:7', true],
    ['data.status:open data.n:7', false],
    ['data.status:open OR data.n:8 OR NOT (data.ok:true data.n:8)', true],
  ])('%s is %s', (text, expected) => {
    expect(passes(text)).toBe(expected);
  });

  test('means the state after an update by data.x, and keeps both states explicit', () => {
    expect(passes('data.status:paid', updated)).toBe(true);
    expect(passes('data.status:open', updated)).toBe(false);
    expect(passes('data.after.status:paid data.before.status:open', updated)).toBe(true);
    expect(passes('data.before.status:open')).toBe(false);
    expect(passes('data.secret:exists:true', updated)).toBe(false);
  });

  test('does not see before where the subscriber does not', () => {
    const filter = parseFilter('data.before.secret:1');
    expect(matchesFilter(filter, updated)).toBe(true);
    expect(matchesFilter(filter, updated, { before: false })).toBe(false);
    expect(matchesFilter(filter, withoutBefore(updated))).toBe(false);
    expect(matchesFilter(parseFilter('data.status:paid'), updated, { before: false })).toBe(true);
  });

  test('reads an own property, whatever its name, and never an inherited one', () => {
    const data: unknown = JSON.parse('{"constructor":1,"hasOwnProperty":2}');
    expect(passes('data.constructor:1 data.hasOwnProperty:2', { event: 'x', data })).toBe(true);
    expect(passes('data:5', { event: 'x', data: 5 })).toBe(true);
    expect(passes('data.a:exists:true', { event: 'x' })).toBe(false);
  });

  test('with a placeholder passes nothing', () => {
    const filter = parseFilter('data.status:paid OR NOT data.owner:{sub}', { placeholders: true });
    expect(matchesFilter(filter, created)).toBe(false);
    expect(grantMatches(filter, created)).toEqual({ match: false, before: false });
  });
});

describe('a grant', () => {
  const grant = (text: string, event: object = created) => grantMatches(parseFilter(text), event as typeof created);

  test.each([
    'data.missing:ne:x',
    'data.missing:nin:x,y',
    'NOT data.missing:x',
    'NOT data.missing.deeper:gt:5',
    'data.status:paid OR data.missing:x',
    'data.missing:x OR data.status:paid',
    'data.status:paid NOT (data.n:8 data.missing:x)',
    'NOT data.status:gt:5',
    'NOT data.deep:x',
    'NOT data.n:contains:7',
  ])('%s denies, since a comparison cannot be made', (text) => {
    expect(grant(text)).toEqual({ match: false, before: false });
  });

  test('may ask whether something exists', () => {
    expect(grant('data.missing:exists:false').match).toBe(true);
    expect(grant('NOT data.missing:exists:true').match).toBe(true);
  });

  test('covers an update by its state after, and before only if that matches too', () => {
    expect(grant('data.owner:bob', updated)).toEqual({ match: true, before: false });
    expect(grant('data.owner:alice', updated)).toEqual({ match: false, before: false });
    expect(grant('data.owner:in:alice,bob', updated)).toEqual({ match: true, before: true });
    expect(grant('data.after.owner:bob', updated)).toEqual({ match: true, before: false });
    expect(grant('recordSlug:order', updated)).toEqual({ match: true, before: true });
    expect(grant('data.before.owner:alice', updated)).toEqual({ match: true, before: true });
    expect(grant('data.secret:ne:2', updated).match).toBe(false);
  });

  test('covers a delete by the last state', () => {
    expect(grant('data.status:paid', { ...created, event: 'record_deleted' })).toEqual({ match: true, before: true });
  });
});

describe('bindFilter', () => {
  const filter = parseFilter('data.owner:{sub} data.level:gte:{claims.level}', { placeholders: true });

  test('puts typed values in place, never text', () => {
    const bound = bindFilter(
      filter,
      new Map<string, string | number>([
        ['sub', 'x" OR event:"y'],
        ['claims.level', 3],
      ]),
    );
    const event = { event: 'x', data: { owner: 'x" OR event:"y', level: 5 } };
    expect(bound && grantMatches(bound, event).match).toBe(true);
    expect(bound && grantMatches(bound, { event: 'y', data: { owner: 'z', level: 5 } }).match).toBe(false);
    expect(bound && grantMatches(bound, { event: 'x', data: { ...event.data, level: '5' } }).match).toBe(false);
  });

  test.each([undefined, '', null, {}, [], ['alice'], Number.NaN, Number.POSITIVE_INFINITY])('is void for %j', (sub) => {
    const values = new Map<string, string | number>([['claims.level', 3]]);
    values.set('sub', sub as string);
    expect(bindFilter(filter, values)).toBeUndefined();
  });

  test('is void when a value is missing, and is the filter itself when nothing is to be bound', () => {
    expect(bindFilter(filter, new Map([['sub', 'alice']]))).toBeUndefined();
    const plain = parseFilter('data.a:1');
    expect(bindFilter(plain, new Map())).toBe(plain);
  });

  test('binds false and 0, which are values', () => {
    const bound = bindFilter(
      filter,
      new Map<string, boolean | number>([
        ['sub', false],
        ['claims.level', 0],
      ]),
    );
    expect(bound && grantMatches(bound, { event: 'x', data: { owner: false, level: 0 } }).match).toBe(true);
  });
});

test('withoutBefore leaves everything else as it is', () => {
  expect(withoutBefore(created)).toBe(created);
  expect(withoutBefore(updated)).toEqual({ ...updated, data: { after: updated.data.after } });
  expect(updated.data.before.secret).toBe(1);
});
