/** Against a naive evaluator that is written from the documentation, on a tree of its own. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { equality, type FilterSteps, filterKey, grantMatches, lookup, matchesFilter, parseFilter } from './index.ts';
import { holdsText } from './text-search.ts';

type Value = string | number | boolean | null;
type Tree = { op: string; path: string; values: Value[] } | { and: Tree[] } | { or: Tree[] } | { not: Tree };

const value = fc.oneof(
  fc.constantFrom<Value>('a', 'ab', '', '5', 'true', 5, 7, -1, true, false, null),
  fc.integer({ min: 0, max: 9 }),
);
const orderable = fc.constantFrom<Value>('a', 'ab', '5', 5, 7, -1);
const text = fc.constantFrom<Value>('a', 'b', 'ab', '');
const path = fc.constantFrom(
  'data.x',
  'data.y',
  'data.y.z',
  'data.list',
  'data.before.x',
  'data.after.x',
  'recordSlug',
);
const clause = fc.oneof(
  fc.record({ op: fc.constantFrom('eq', 'ne'), path, values: value.map((v) => [v]) }),
  fc.record({ op: fc.constantFrom('in', 'nin'), path, values: fc.array(value, { minLength: 1, maxLength: 4 }) }),
  fc.record({ op: fc.constantFrom('gt', 'gte', 'lt', 'lte'), path, values: orderable.map((v) => [v]) }),
  fc.record({ op: fc.constantFrom('contains', 'startswith', 'endswith'), path, values: text.map((v) => [v]) }),
  fc.record({ op: fc.constant('exists'), path, values: fc.boolean().map((v) => [v as Value]) }),
);
const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    clause,
    fc.array(tie('tree'), { minLength: 1, maxLength: 3 }).map((and) => ({ and })),
    fc.array(tie('tree'), { minLength: 1, maxLength: 3 }).map((or) => ({ or })),
    tie('tree').map((not) => ({ not })),
  ),
}));
const state = fc.record(
  { x: value, y: fc.oneof(value, fc.record({ z: value })), list: fc.oneof(value, fc.array(value, { maxLength: 3 })) },
  { requiredKeys: [] },
);
const event = fc.oneof(
  fc.record({ event: fc.constantFrom('record_created', 'record_deleted', 'custom'), data: state, recordSlug: value }),
  fc.record({
    event: fc.constant('record_updated'),
    data: fc.record({ before: state, after: state }),
    recordSlug: fc.constant('a'),
  }),
);

const write = (v: Value): string => (typeof v === 'string' ? JSON.stringify(v) : String(v));
const print = (t: Tree): string => {
  if ('op' in t) return `${t.path}:${t.op}:${t.values.map(write).join(',')}`;
  if ('not' in t) return `NOT (${print(t.not)})`;
  return 'and' in t ? t.and.map((c) => `(${print(c)})`).join(' ') : t.or.map((c) => `(${print(c)})`).join(' OR ');
};

/** The state whose field a path names, and the rest of the path. */
function naiveRead(e: any, p: string, before: boolean): unknown {
  let parts = p.split('.');
  let root = e;
  if (parts[0] === 'data') {
    parts = parts.slice(1);
    root = e.data;
    if (e.event === 'record_updated') {
      const named = parts[0] === 'before' || parts[0] === 'after';
      root = before ? e.data.before : named ? e.data[parts[0]!] : e.data.after;
      if (named) parts = parts.slice(1);
    }
  }
  return parts.reduce(
    (o: any, k) => (o !== null && typeof o === 'object' && Object.hasOwn(o, k) ? o[k] : undefined),
    root,
  );
}

/** What a comparison says; `undefined` when it cannot be made. */
function naiveCompare(op: string, v: unknown, values: Value[]): boolean | undefined {
  const [w] = values;
  if (op === 'exists') return (v !== undefined) === w;
  const scalar = v === null || ['string', 'number', 'boolean'].includes(typeof v);
  if (op === 'eq' || op === 'in') return scalar ? values.some((x) => x === v) : undefined;
  if (op === 'ne' || op === 'nin') return scalar ? values.every((x) => x !== v) : undefined;
  if (op === 'contains' && Array.isArray(v)) return v.some((x) => x === w);
  if (['contains', 'startswith', 'endswith'].includes(op)) {
    if (typeof v !== 'string') return undefined;
    return op === 'contains'
      ? v.includes(w as string)
      : op === 'startswith'
        ? v.startsWith(w as string)
        : v.endsWith(w as string);
  }
  if (typeof v !== typeof w || (typeof v !== 'number' && typeof v !== 'string')) return undefined;
  const [l, r] = [v as number, w as number];
  return op === 'gt' ? l > r : op === 'gte' ? l >= r : op === 'lt' ? l < r : l <= r;
}

function naive(t: Tree, e: unknown, before = false): { truth: boolean; whole: boolean } {
  if ('op' in t) {
    const result = naiveCompare(t.op, naiveRead(e, t.path, before), t.values);
    return { truth: result ?? (t.op === 'ne' || t.op === 'nin'), whole: result !== undefined };
  }
  if ('not' in t) {
    const inner = naive(t.not, e, before);
    return { truth: !inner.truth, whole: inner.whole };
  }
  const all = ('and' in t ? t.and : t.or).map((c) => naive(c, e, before));
  return { truth: 'and' in t ? all.every((c) => c.truth) : all.some((c) => c.truth), whole: all.every((c) => c.whole) };
}

const count = (t: Tree): number =>
  'op' in t ? 1 : ('not' in t ? [t.not] : 'and' in t ? t.and : t.or).reduce((sum, c) => sum + count(c), 0);
const small = tree.filter((t) => count(t) <= 32 && print(t).length <= 1024);

describe('for any filter and event', () => {
  test('a client filter and a grant say what the naive evaluator says', () => {
    fc.assert(
      fc.property(small, event, (t, e) => {
        const filter = parseFilter(print(t));
        expect(matchesFilter(filter, e)).toBe(naive(t, e).truth);
        const after = naive(t, e);
        const match = after.truth && after.whole;
        const before = naive(t, e, true);
        expect(grantMatches(filter, e)).toEqual({
          match,
          before: match && (e.event !== 'record_updated' || (before.truth && before.whole)),
        });
      }),
      { numRuns: 3000 },
    );
  });

  test('the key is a filter that says the same, and is its own key', () => {
    fc.assert(
      fc.property(small, event, (t, e) => {
        const filter = parseFilter(print(t));
        const key = filterKey(filter);
        fc.pre(key.length <= 1024);
        const again = parseFilter(key);
        expect(filterKey(again)).toBe(key);
        expect(matchesFilter(again, e)).toBe(matchesFilter(filter, e));
        expect(grantMatches(again, e)).toEqual(grantMatches(filter, e));
      }),
      { numRuns: 2000 },
    );
  });

  test('what matches has the value that equality promises', () => {
    fc.assert(
      fc.property(small, event, (t, e) => {
        const filter = parseFilter(print(t));
        const key = equality(filter);
        if (key && matchesFilter(filter, e)) expect(lookup(e, key.path)).toBe(key.value);
      }),
      { numRuns: 2000 },
    );
  });
});

test('equality finds the conjunct that tells most apart, and none under OR or NOT', () => {
  const of = (filter: string) => equality(parseFilter(filter, { placeholders: true }));
  expect(of('event:record_created data.a:gt:1 data.b:x')).toEqual({ path: ['data', 'b'], value: 'x' });
  expect(of('event:record_created data.a:gt:1')).toEqual({ path: ['event'], value: 'record_created' });
  expect(of('(data.a:in:5 data.c:ne:1)')).toEqual({ path: ['data', 'a'], value: 5 });
  expect(of('NOT NOT data.a:1')).toEqual({ path: ['data', 'a'], value: 1 });
  expect(of('data.a:1 OR data.b:2')).toBeUndefined();
  expect(of('NOT data.a:1')).toBeUndefined();
  expect(of('data.a:in:1,2')).toBeUndefined();
  expect(of('data.a:{sub}')).toBeUndefined();
});

test('different filters have different keys', () => {
  const keys = [
    'data.a:5',
    'data.a:"5"',
    'data.a:null',
    'data.a:"null"',
    'data.a:ne:5',
    'data.a:contains:5',
    'data.a:contains:"5"',
  ];
  expect(new Set(keys.map((text) => filterKey(parseFilter(text)))).size).toBe(keys.length);
});

describe('hostile filters and events cost steps linear in their size', () => {
  const steps = (filter: string, data: unknown): number => {
    const counter: FilterSteps = { count: 0 };
    matchesFilter(parseFilter(filter), { event: 'x', data }, { steps: counter });
    return counter.count;
  };

  test.each([
    ['long texts', (n: number) => ({ a: 'a'.repeat(n) })],
    ['long arrays', (n: number) => ({ a: Array.from({ length: n }, () => 'b') })],
  ])('%s: twice the event, at most twice the steps', (_, make) => {
    const filter = Array.from({ length: 32 }, () => 'NOT data.a:contains:aaaab')
      .join(' ')
      .slice(0, 1024)
      .trim();
    const [one, two] = [steps(filter, make(10_000)), steps(filter, make(20_000))];
    expect(one).toBeLessThan(32 * (10_000 + filter.length));
    expect(two).toBeLessThan(2.1 * one);
  });

  test('a deep event costs by the path, not by its depth', () => {
    let data: unknown = 1;
    for (let i = 0; i < 20_000; i++) data = { a: data };
    expect(steps('data.a.a.a.a.a.a.a.a:1', data)).toBeLessThan(20);
  });

  test('the worst text for a search is no worse than others', () => {
    const [part, hay] = [`${'a'.repeat(900)}b`, 'a'.repeat(64 * 1024)];
    expect(holdsText(hay, part)).toBe(false);
    expect(holdsText(`${hay}b`, part)).toBe(true);
    // 64 MiB of naive comparisons take some 60 ms; three hundred times that is not bearable, linear is.
    const started = performance.now();
    for (let i = 0; i < 300; i++) holdsText(hay, part);
    expect(performance.now() - started).toBeLessThan(5000);
  });

  test('the linear search agrees with the engine', () => {
    const ab = (max: number) => fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: max });
    fc.assert(
      fc.property(ab(12), ab(40), (part, hay) => {
        const pad = 'c'.repeat(70_000);
        expect(holdsText(hay + pad, part)).toBe((hay + pad).includes(part));
      }),
    );
  });
});
