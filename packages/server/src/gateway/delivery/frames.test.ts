import { readFileSync } from 'node:fs';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EventFrame, gapFrame, headFrame, PING, positionFrame } from './frames.ts';

/** The Big List of Naughty Strings (MIT). */
const NAUGHTY: readonly string[] = JSON.parse(
  readFileSync(new URL('../../../../../test/vectors/blns/blns.json', import.meta.url), 'utf8'),
);

const ID = 'e-7-0-0123abcd';

/** Parses bytes that come in the given pieces, as a conforming client does. */
function parse(bytes: Buffer, cuts: readonly number[] = []): EventSourceMessage[] {
  const messages: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (message) => messages.push(message) });
  const decoder = new TextDecoder();
  const points = [0, ...cuts.map((cut) => cut % bytes.length).toSorted((a, b) => a - b), bytes.length];
  for (let i = 1; i < points.length; i++) {
    parser.feed(decoder.decode(bytes.subarray(points[i - 1], points[i]), { stream: true }));
  }
  return messages;
}

function framed(event: unknown): EventFrame {
  return new EventFrame({ workspace: 'a', seq: 7, index: 0, id: ID, json: JSON.stringify(event) });
}

describe('frames of events', () => {
  test('every naughty string arrives as it was sent, as a value and as a name', () => {
    expect(NAUGHTY.length).toBeGreaterThan(400);
    for (const text of NAUGHTY) {
      const event = { event: 'note', recordSlug: text, data: { [text]: text, list: [text] } };
      const messages = parse(framed(event).whole);
      expect(messages).toEqual([{ id: ID, event: 'message', data: JSON.stringify(event) }]);
      expect(JSON.parse(messages[0]?.data ?? '')).toEqual(event);
    }
  });

  test('any event arrives as it was sent, however its bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.string({ unit: 'binary' }),
        fc.array(fc.nat(), { maxLength: 6 }),
        (data, text, cuts) => {
          const first = { event: 'note', data };
          const second = { event: 'note', data: text };
          const bytes = Buffer.concat([framed(first).whole, PING, framed(second).whole]);
          expect(parse(bytes, cuts).map((message) => message.data)).toEqual([
            JSON.stringify(first),
            JSON.stringify(second),
          ]);
        },
      ),
    );
  });

  test('the event can be had before and after it was framed, and after it was let go', () => {
    const event = { event: 'record_updated', recordSlug: 'ö', data: { before: { x: '\u2028' }, after: { x: '😀' } } };
    const frame = framed(event);
    expect(frame.event).toEqual(event);
    frame.settle();
    expect(frame.whole.toString()).toContain('😀');
    expect(frame.event).toEqual(event);
    frame.settle();
    expect(JSON.parse(parse(frame.lean)[0]?.data ?? '')).toEqual({ ...event, data: { after: { x: '😀' } } });
    expect(frame.lean.toString()).not.toContain('before');
  });

  test('are made once for all', () => {
    const frame = framed({ event: 'note' });
    expect(frame.whole).toBe(frame.whole);
    expect(frame.lean).toBe(frame.lean);
  });
});

describe('frames about the stream', () => {
  test('the first bytes are as the contract prints them', () => {
    const bytes = headFrame({
      retry: 3000,
      workspace: 'my-workspace',
      connectionId: 'cn_1',
      tokenExpiresAt: Date.UTC(2025, 0, 1),
      id: ID,
      resumed: true,
    });
    expect(bytes.toString()).toBe(
      'retry: 3000\n: connected to workspace my-workspace\n\n' +
        `id: ${ID}\nevent: system\n` +
        'data: {"type":"connected","connectionId":"cn_1","workspace":"my-workspace",' +
        '"tokenExpiresAt":"2025-01-01T00:00:00.000Z","resumed":true}\n\n',
    );
  });

  test('position and gap move the cursor, a ping does not', () => {
    expect(parse(positionFrame('p'))).toEqual([{ id: 'p', event: 'system', data: '{"type":"position"}' }]);
    expect(parse(gapFrame('behind', 'g'))).toEqual([
      { id: 'g', event: 'system', data: '{"type":"gap","reason":"behind"}' },
    ]);
    expect(parse(PING)).toEqual([]);
  });
});
