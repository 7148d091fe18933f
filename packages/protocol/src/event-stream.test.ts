import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeComment, encodeEvent, encodeRetry, isEventId } from './event-stream.ts';

test('an event is its fields, then an empty line', () => {
  expect(encodeEvent('a-1', 'message', '{"a":1}')).toBe('id: a-1\nevent: message\ndata: {"a":1}\n\n');
  expect(encodeEvent(undefined, 'system', '{}')).toBe('event: system\ndata: {}\n\n');
});

test('no JSON text can end its data line', () => {
  fc.assert(
    fc.property(fc.json(), (json) => {
      const frame = encodeEvent('a', 'message', JSON.stringify(JSON.parse(json)));
      expect(frame.split(/\r\n|\r|\n/)).toHaveLength(5);
    }),
  );
});

test('a comment stays one line', () => {
  expect(encodeComment('a\r\ndata: x\nid: 1')).toBe(': a data: x id: 1\n\n');
});

test('a reconnection time is digits', () => {
  expect(encodeRetry(2999.6)).toBe('retry: 3000\n\n');
});

test.each(['', 'a b', 'a\n', 'ä', 'a'.repeat(129), 'a:b'])('%j is no id', (id) => {
  expect(isEventId(id)).toBe(false);
});
