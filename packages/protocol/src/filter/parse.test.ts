import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FilterError, filterKey, parseFilter } from './index.ts';

/** The position and message of the refusal. */
function refusal(text: string, placeholders = false): [number, string] {
  try {
    parseFilter(text, { placeholders });
  } catch (error) {
    if (error instanceof FilterError) return [error.position, error.message];
    throw error;
  }
  throw new Error('was not refused');
}

describe('parseFilter reads', () => {
  test.each([
    ['data.status:paid', 'data.status:eq:"paid"'],
    ['data.status:eq:paid', 'data.status:eq:"paid"'],
    ['data.n:5', 'data.n:eq:5'],
    ['data.n:"5"', 'data.n:eq:"5"'],
    ["data.n:'it is \\'so\\''", `data.n:eq:"it is 'so'"`],
    ['data.n:-1.50', 'data.n:eq:-1.5'],
    ['data.n:007', 'data.n:eq:"007"'],
    ['data.n:1e5', 'data.n:eq:"1e5"'],
    ['data.ok:true', 'data.ok:eq:true'],
    ['data.x:null', 'data.x:eq:null'],
    ['data.x:eq', 'data.x:eq:"eq"'],
    ['timestamp:gt:2026-01-01T00:00:00Z', 'timestamp:gt:"2026-01-01T00:00:00Z"'],
    ['data.x:in:b,a,"c d",5', 'data.x:in:"a","b","c d",5'],
    ['data.x:exists:false', 'data.x:exists:false'],
    ['data.größe:eq:weiß', 'data.größe:eq:"weiß"'],
    ['data.a:1 data.b:2 OR data.c:3', '(data.a:eq:1 data.b:eq:2) OR data.c:eq:3'],
    ['data.a:1 (data.b:2 OR data.c:3)', '(data.b:eq:2 OR data.c:eq:3) data.a:eq:1'],
    ['NOT(data.a:contains:x data.b:2)', 'NOT (data.a:contains:"x" data.b:eq:2)'],
    ['  data.a:1\t\n', 'data.a:eq:1'],
    ['data.x:""', 'data.x:eq:""'],
    ['data.x:"{sub}"', 'data.x:eq:"{sub}"'],
  ])('%s', (text, key) => {
    expect(filterKey(parseFilter(text))).toBe(key);
  });

  test('placeholders, only where they may stand', () => {
    const filter = parseFilter('data.owner:{sub} data.team:in:{claims.team},{sub},x', { placeholders: true });
    expect(filter.placeholders).toEqual(['sub', 'claims.team']);
    expect(refusal('data.owner:{sub}')).toEqual([11, expect.stringContaining('Placeholders are for grants')]);
  });

  test('and the result cannot be changed', () => {
    const filter = parseFilter('data.a:1 OR NOT data.b:2');
    expect(Object.isFrozen(filter) && Object.isFrozen(filter.root) && Object.isFrozen(filter.placeholders)).toBe(true);
    expect(() => Object.assign(filter.root, { kind: 'and' })).toThrow(TypeError);
  });
});

describe('parseFilter refuses, with the position', () => {
  test.each([
    ['', 0, 'empty'],
    ['   ', 3, 'empty'],
    ['data.a', 6, 'colon'],
    ['data.a:', 7, 'value is expected'],
    ['data.a:foo:1', 7, 'operator is one of'],
    ['data.a:eq:', 10, 'value is expected'],
    ['data.a:GT:5', 7, 'operator is one of'],
    ['status:paid', 0, 'path begins with'],
    ['event.x:1', 0, 'Only data'],
    ['data..x:1', 0, 'names joined by dots'],
    ['.data:1', 0, 'names joined by dots'],
    ['data.__proto__.x:1', 0, 'names joined by dots'],
    ['__proto__:1', 0, 'names joined by dots'],
    ['data.a:1 AND data.b:2', 9, 'blank already means AND'],
    ['data.a:1 OR', 11, 'clause path:value'],
    ['OR data.a:1', 2, 'colon'],
    ['NOT', 3, 'clause path:value'],
    ['()', 1, 'clause path:value'],
    ['(data.a:1', 9, 'not closed'],
    ['data.a:1)', 8, 'closes nothing'],
    ['data.a:1(data.b:2)', 8, 'blank is expected'],
    ['data.a:"x"data.b:2', 10, 'blank is expected'],
    ['data.a:"x', 7, 'quote is not closed'],
    ['data.a:"\\n"', 9, 'backslash'],
    ['data.a:b,c', 8, 'Lists are for in and nin'],
    ['data.a:in:b,', 12, 'value is expected'],
    ['data.a:exists:yes', 14, 'true or false'],
    ['data.a:exists:"true"', 14, 'true or false'],
    ['data.a:gt:true', 10, 'numbers or texts'],
    ['data.a:12345678901234567890', 7, 'too large'],
    ['data.a:\u0000', 7, 'control'],
    [`data${'.a'.repeat(16)}:1`, 0, 'at most 16 segments'],
    [`data.a:${'x'.repeat(1018)}`, 1024, 'at most 1024 characters'],
    [Array.from({ length: 33 }, () => 'data.a:1').join(' '), 288, 'at most 32 clauses'],
    [`${'('.repeat(9)}data.a:1${')'.repeat(9)}`, 8, 'at most 8 deep'],
    [`${'NOT '.repeat(9)}data.a:1`, 32, 'at most 8 deep'],
  ])('%s', (text, position, message) => {
    expect(refusal(text)).toEqual([position, expect.stringContaining(message)]);
  });

  test.each(['{}', '{sub', '{claims}', '{claims.}', '{other}', '{claims.a b}', '{{sub}}'])(
    'the placeholder %s',
    (text) => {
      expect(refusal(`data.a:${text}`, true)[0]).toBe(7);
    },
  );

  test('a placeholder that is a part of an operand', () => {
    expect(refusal('data.a:x{sub}', true)[0]).toBe(8);
    expect(refusal('data.a:{sub}x', true)[0]).toBe(12);
  });

  test('whatever it is given, by a FilterError or not at all, and never repeats a value', () => {
    const alphabet = fc.constantFrom(
      ...Array.from('data.a:5 "\'\\(),{}ORNT\u0000é\u{1f600}'),
      'in:',
      'exists:',
      '__proto__',
    );
    fc.assert(
      fc.property(fc.string({ unit: alphabet, maxLength: 80 }), fc.boolean(), (text, placeholders) => {
        try {
          parseFilter(text, { placeholders });
        } catch (error) {
          expect(error).toBeInstanceOf(FilterError);
          const { position } = error as FilterError;
          expect(position).toBeGreaterThanOrEqual(0);
          expect(position).toBeLessThanOrEqual(text.length);
        }
      }),
      { numRuns: 2000 },
    );
    expect(refusal('data.password:hunter2:x')[1]).not.toContain('hunter2');
  });

  test('at the limits themselves nothing', () => {
    expect(parseFilter(Array.from({ length: 32 }, () => 'data.a:1').join(' '))).toBeDefined();
    expect(parseFilter(`${'('.repeat(8)}data.a:1${')'.repeat(8)}`)).toBeDefined();
    expect(parseFilter(`data.a:${'x'.repeat(1017)}`)).toBeDefined();
  });
});
