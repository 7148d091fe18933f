import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseStrictJson, StrictJsonError } from './strict-json.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function reasonFor(input: Uint8Array, maxDepth?: number): string {
  try {
    parseStrictJson(input, maxDepth);
  } catch (error) {
    if (error instanceof StrictJsonError) return error.reason;
    throw error;
  }
  return 'accepted';
}

describe('parseStrictJson', () => {
  it('reads every JSON value as JSON.parse does', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 5 }), (text) => {
        fc.pre(!/__proto__|constructor|prototype/.test(text));
        expect(parseStrictJson(bytes(text))).toEqual(JSON.parse(text));
      }),
    );
  });

  it.each([
    ['a member twice', '{"alg":"none","alg":"RS256"}', 'json_duplicate'],
    ['a member twice, once escaped', String.raw`{"alg":"none","\u0061lg":"RS256"}`, 'json_duplicate'],
    ['a member twice, deeper', '{"a":[{"b":1,"c":2,"b":3}]}', 'json_duplicate'],
    ['a prototype', '{"__proto__":{"admin":true}}', 'json_member_refused'],
    ['a prototype, escaped', String.raw`{"__pro\u0074o__":1}`, 'json_member_refused'],
    ['a constructor, deeper', '{"a":{"constructor":1}}', 'json_member_refused'],
    ['bytes after the value', '{} {}', 'json_invalid'],
    ['a byte order mark', '\uFEFF{}', 'json_invalid'],
    ['nothing', '', 'json_invalid'],
    ['17 levels', '['.repeat(17) + ']'.repeat(17), 'json_too_deep'],
  ])('refuses %s', (_what, text, reason) => {
    expect(reasonFor(bytes(text))).toBe(reason);
  });

  it.each([
    ['the same name in two objects', '[{"a":1},{"a":2}]'],
    ['a name as a value', '{"a":"b","b":"a"}'],
    ['brackets, quotes and colons in strings', String.raw`{"a":"\"{[:,]}\\","b":"\\\\"}`],
    ['16 levels', '['.repeat(16) + ']'.repeat(16)],
    ['a name after an inner object', '{"a":{"x":1},"b":{"x":2}}'],
  ])('accepts %s', (_what, text) => {
    expect(reasonFor(bytes(text))).toBe('accepted');
  });

  it('refuses what is not UTF-8', () => {
    expect(reasonFor(Uint8Array.of(0x22, 0xff, 0x22))).toBe('utf8_invalid');
    expect(reasonFor(Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22))).toBe('utf8_invalid');
  });

  it('refuses a member that any object names twice', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.json(), fc.json(), (name, a, b) => {
        const key = JSON.stringify(name);
        expect(reasonFor(bytes(`{${key}:${a},${key}:${b}}`), 64)).not.toBe('accepted');
      }),
    );
  });
});
