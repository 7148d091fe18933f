import { describe, expect, it } from 'vitest';
import { Refusal } from '../resource-server/index.ts';
import { idempotencyKeyOf, type Notation, notationOf, readEvents } from './event-batch.ts';
import { requestOf } from './gateway.fixture.ts';

function outcome(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    if (error instanceof Refusal) return error.message;
    throw error;
  }
}

const read = (body: string | Uint8Array, notation: Notation = 'json'): unknown =>
  outcome(() => readEvents(typeof body === 'string' ? new TextEncoder().encode(body) : body, notation));

const ping = { event: 'ping' };

describe('readEvents', () => {
  it('reads one event, an array, or one per line', () => {
    expect(read('{"event":"ping"}')).toEqual([ping]);
    expect(read(' [{"event":"ping"},{"event":"ping"}]\r\n')).toEqual([ping, ping]);
    expect(read('{"event":"ping"}\n{"event":"ping"}\r\n\n', 'ndjson')).toEqual([ping, ping]);
  });

  it.each([
    ['nothing', '', 'body_not_json'],
    ['no event', '[]', 'body_empty'],
    ['null', 'null', 'event_malformed'],
    ['an array in an array', '[[{"event":"ping"}]]', 'event_malformed'],
    ['half an event', '{"event":', 'body_not_json'],
    ['two events without a line end', '{"event":"ping"}{"event":"ping"}', 'body_not_json'],
    ['a byte order mark', '\uFEFF{"event":"ping"}', 'body_not_json'],
    ['a reserved name', '{"event":"system.error"}', 'event_event'],
    ['a name with a line end', '{"event":"a\\nb"}', 'event_event'],
    ['a field twice', '{"event":"a","event":"b"}', 'event_field_repeated'],
    ['a field twice, once escaped', String.raw`{"event":"a","\u0065vent":"b"}`, 'event_field_repeated'],
    [
      'a field twice, in the second of two',
      '[{"event":"a"},{"event" : "a","data":{"event":1},"event"\n:"b"}]',
      'event_field_repeated',
    ],
    ['an unknown field', '{"event":"ping","extra":1}', 'event_malformed'],
    ['a prototype', '{"event":"ping","__proto__":{}}', 'event_malformed'],
    ['an id among several', '[{"event":"ping","id":"a"},{"event":"ping"}]', 'event_id'],
    ['a record without its id', '{"event":"record_created","recordSlug":"order","data":{}}', 'event_recordId'],
  ])('refuses %s', (_what, body, reason) => {
    expect(read(body)).toBe(`BAD_REQUEST (${reason})`);
  });

  it('takes texts that look like fields, and fields of data that are named like ours', () => {
    const tricky = {
      event: 'ping',
      data: { event: ':"event":', '"': '\\"event":', data: [{ event: 1 }, { event: 2 }] },
    };
    expect(read(JSON.stringify([tricky, tricky]))).toEqual([tricky, tricky]);
    expect(read(`${JSON.stringify(tricky)}\n${JSON.stringify(tricky)}`, 'ndjson')).toEqual([tricky, tricky]);
  });

  it('refuses what is not UTF-8', () => {
    expect(read(Uint8Array.of(0x22, 0xff, 0x22))).toBe('BAD_REQUEST (body_utf8)');
  });

  it('names the event and the line, and repeats nothing of them', () => {
    for (const [body, notation, message] of [
      ['[{"event":"ping"},{"event":"<b>"}]', 'json', /^Event 1: event is a name/],
      ['{"event":"ping"}\n\n<b>', 'ndjson', /^Line 3 is not JSON\.$/],
    ] as const) {
      try {
        readEvents(new TextEncoder().encode(body), notation);
        expect.unreachable();
      } catch (error) {
        expect((error as Refusal).init.message).toMatch(message);
        expect((error as Refusal).init.message).not.toContain('<b>');
      }
    }
  });

  it('takes 1,000 events and not one more', () => {
    const many = (count: number): string => JSON.stringify(Array.from({ length: count }, () => ping));
    expect(read(many(1000))).toHaveLength(1000);
    expect(read(many(1001))).toBe('PAYLOAD_TOO_LARGE (too_many_events)');
  });

  it('takes an event of 64 KiB and not one byte more', () => {
    const sized = (bytes: number): string => {
      const empty = JSON.stringify({ event: 'ping', data: '' }).length;
      return JSON.stringify({ event: 'ping', data: 'x'.repeat(bytes - empty) });
    };
    expect(read(sized(65_536))).toHaveLength(1);
    expect(read(sized(65_537))).toBe('PAYLOAD_TOO_LARGE (event_too_large)');
  });

  it('takes 64 levels and not one more, and does not count brackets in texts', () => {
    const nested = (levels: number): string => `[{"event":"ping","data":${'['.repeat(levels)}${']'.repeat(levels)}}]`;
    expect(read(nested(63))).toHaveLength(1);
    expect(read(nested(64))).toBe('BAD_REQUEST (body_too_deep)');
    expect(read(nested(100_000))).toBe('BAD_REQUEST (body_too_deep)');
    expect(read(JSON.stringify({ event: 'ping', data: '[{"\\'.repeat(200) }))).toHaveLength(1);
  });
});

describe('notationOf', () => {
  const of = (...types: string[]): unknown =>
    outcome(() => notationOf(requestOf({ rawHeaders: types.flatMap((type) => ['Content-Type', type]) })));

  it('knows JSON and NDJSON in UTF-8', () => {
    expect(of('application/json')).toBe('json');
    expect(of('Application/JSON; charset="UTF-8"')).toBe('json');
    expect(of('application/x-ndjson;charset=utf-8')).toBe('ndjson');
  });

  it.each([
    [[]],
    [['text/plain']],
    [['multipart/form-data; boundary=x']],
    [['application/json; charset=utf-16']],
    [['application/json; version=2']],
    [['application/json', 'application/x-ndjson']],
    [['application/jsonp']],
  ])('refuses %o', (types) => {
    expect(of(...types)).toBe('BAD_REQUEST (content_type)');
  });

  it('refuses a packed body', () => {
    const packed = requestOf({ headers: { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' } });
    expect(outcome(() => notationOf(packed))).toBe('BAD_REQUEST (content_encoding)');
  });
});

describe('idempotencyKeyOf', () => {
  const of = (...keys: string[]): unknown =>
    outcome(() => idempotencyKeyOf(requestOf({ rawHeaders: keys.flatMap((key) => ['Idempotency-Key', key]) })));

  it('takes 1 to 255 visible characters, once', () => {
    expect(of()).toBeUndefined();
    expect(of('a'.repeat(255))).toBe('a'.repeat(255));
    for (const bad of [[''], ['a b'], ['é'], ['a'.repeat(256)], ['a', 'a']])
      expect(of(...bad)).toBe('BAD_REQUEST (idempotency_key)');
  });
});
