import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { eventProblem, isEventName, isPlainText } from './event.ts';

const created = { event: 'record_created', recordSlug: 'order', recordId: 'rec_1', data: { total: 5 } };

test.each([
  ['a created record', created],
  ['an updated record', { ...created, event: 'record_updated', data: { before: { a: 1 }, after: { a: 2 } } }],
  ['a deleted record', { ...created, event: 'record_deleted' }],
  ['a name of its own without data', { event: 'order.shipped' }],
  ['data of any JSON type under a name of its own', { event: 'tick', data: 7 }],
  ['a run', { event: 'function_run_failed', data: { jobId: 'job_1', functionId: 'f', triggerType: 'scheduled' } }],
  ['a time with an offset', { event: 'tick', timestamp: '2026-01-15T10:30:00+01:00' }],
])('%s is an event', (_, event) => {
  expect(eventProblem(event)).toBeUndefined();
});

test.each([
  ['not an object', [], ''],
  ['null', null, ''],
  ['an unknown field', { ...created, extra: 1 }, ''],
  ['a prototype field', JSON.parse('{"event":"tick","__proto__":{}}'), ''],
  ['no name', { data: {} }, 'event'],
  ['a reserved name', { event: 'system.gap' }, 'event'],
  ['the reserved name', { event: 'system' }, 'event'],
  ['a line end in a name', { event: 'a\nid: 1' }, 'event'],
  ['a record without its id', { ...created, recordId: undefined }, 'recordId'],
  ['a NUL in a slug', { ...created, recordSlug: 'a\0b' }, 'recordSlug'],
  ['a CR in an id', { ...created, recordId: 'a\rb' }, 'recordId'],
  ['an update without before', { ...created, event: 'record_updated', data: { after: {} } }, 'data'],
  ['an update with more', { ...created, event: 'record_updated', data: { after: {}, before: {}, x: 1 } }, 'data'],
  ['a created record whose data is a list', { ...created, data: [] }, 'data'],
  ['a run without its job', { event: 'function_run_completed', data: { functionId: 'f', triggerType: 't' } }, 'data'],
  ['a time that is none', { event: 'tick', timestamp: 'yesterday' }, 'timestamp'],
  ['a time that cannot be', { event: 'tick', timestamp: '2026-13-45T00:00:00Z' }, 'timestamp'],
  ['an id with a bidirectional control', { event: 'tick', id: 'a\u202Eb' }, 'id'],
  ['a publisher that is no text', { event: 'tick', createdBy: {} }, 'createdBy'],
])('%s is refused and named', (_, event, field) => {
  expect(eventProblem(event)?.field).toBe(field);
});

test('what is refused is never repeated', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 12 }), (text) => {
      fc.pre(!isEventName(text) && /[^a-z_ .*[\]{},0-9-]/.test(text));
      expect(JSON.stringify(eventProblem({ event: text }))).not.toContain(text);
    }),
  );
});

describe('plain text', () => {
  test.each(['\0', '\n', '\r', '\x7f', '\x85', '\u2028', '\u200b', '\u202e', '\ufeff', '\ud800'])(
    'holds no %j',
    (c) => {
      expect(isPlainText(`a${c}b`, 10)).toBe(false);
    },
  );
  test('is bounded', () => {
    expect(isPlainText('a'.repeat(10), 10)).toBe(true);
    expect(isPlainText('a'.repeat(11), 10)).toBe(false);
    expect(isPlainText('', 10)).toBe(false);
  });
});
