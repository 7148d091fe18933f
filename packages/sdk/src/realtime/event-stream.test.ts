import { encodeComment, encodeEvent, encodeRetry } from '@centrali-io/protocol';
import { createParser } from 'eventsource-parser';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Block, createBlockParser, type Frame, readFrames } from './event-stream.ts';

const parse = (...chunks: string[]): Block[] => {
  const parser = createBlockParser();
  return chunks.flatMap((chunk) => parser(chunk));
};

/** Cuts a text at the given places. */
function cut(text: string, places: number[]): string[] {
  const at = [...new Set(places.map((place) => place % (text.length + 1)))].toSorted((a, b) => a - b);
  return [0, ...at].map((from, index) => text.slice(from, [...at, text.length][index]));
}

test.each<[string, string, Block[]]>([
  ['a plain block', 'id: 7\nevent: system\ndata: {}\n\n', [{ id: '7', name: 'system', data: ['{}'] }]],
  ['no space after the colon', 'data:x\n\n', [{ name: 'message', data: ['x'] }]],
  ['one space is taken away, not two', 'data:  x\n\n', [{ name: 'message', data: [' x'] }]],
  ['lines of data', 'data: a\ndata\ndata: b\n\n', [{ name: 'message', data: ['a', '', 'b'] }]],
  ['comments, retry and unknown fields', ': x\nretry: 5\nfoo: bar\nDATA: x\n\n', []],
  ['an empty name is the default', 'event: x\nevent:\ndata: y\n\n', [{ name: 'message', data: ['y'] }]],
  ['an id alone is told', 'id: 9\n\n', [{ id: '9', name: 'message', data: [] }]],
  ['an id with NUL is passed over', 'id: a\0b\ndata: x\n\n', [{ name: 'message', data: ['x'] }]],
  ['an incomplete block is dropped', 'data: a\n\ndata: b\n', [{ name: 'message', data: ['a'] }]],
  [
    'CR and CRLF',
    'data: a\r\rdata: b\r\n\r\n',
    [
      { name: 'message', data: ['a'] },
      { name: 'message', data: ['b'] },
    ],
  ],
  ['a line separator is no line end', 'data: a\u2028b\n\n', [{ name: 'message', data: ['a\u2028b'] }]],
])('%s', (_name, text, blocks) => {
  expect(parse(text)).toEqual(blocks);
  expect(parse(...text.split(''))).toEqual(blocks);
});

test('agrees with eventsource-parser on any stream, however it is cut', () => {
  const line = fc.oneof(
    fc.constantFrom('', '', 'data', 'data:', 'data: x', 'data:  {"a":1}', 'event: system', 'event:', ': c', 'retry: 1'),
    fc.constantFrom(
      'id: a',
      'id:',
      'id',
      'id: b\0',
      'dat',
      'datax: y',
      'data : z',
      'data:a:b',
      'é: ü',
      'data: 😀\u2028',
    ),
  );
  const stream = fc.array(fc.tuple(line, fc.constantFrom('\n', '\n', '\r', '\r\n')), { maxLength: 30 });
  fc.assert(
    fc.property(stream, fc.array(fc.nat()), (lines, places) => {
      const text = lines.flat().join('');
      const expected: { id: string | undefined; event: string; data: string }[] = [];
      const oracle = createParser({
        onEvent: ({ id, event, data }) => expected.push({ id, event: event ?? 'message', data }),
      });
      oracle.feed(text);
      const blocks = parse(...cut(text, places)).filter(({ data }) => data.length > 0);
      // The oracle waits with a CR at the end of all, since an LF could follow.
      const got = blocks.map(({ id, name, data }) => ({ id, event: name, data: data.join('\n') }));
      expect(got.slice(0, expected.length)).toEqual(expected);
      expect(got.length - expected.length).toBeLessThanOrEqual(text.endsWith('\r') ? 1 : 0);
    }),
    { numRuns: 2_000 },
  );
});

async function frames(text: string, places: number[] = []): Promise<Frame[]> {
  const bytes = new TextEncoder().encode(text);
  const ends = [...new Set(places.map((place) => place % (bytes.length + 1)))].toSorted((a, b) => a - b);
  let chunks = 0;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      let from = 0;
      for (const to of [...ends, bytes.length]) controller.enqueue(bytes.slice(from, (from = to)));
      controller.close();
    },
  });
  const all: Frame[] = [];
  for await (const frame of readFrames(body, () => chunks++)) all.push(frame);
  expect(chunks).toBe(ends.length + 1);
  return all;
}

test('what protocol encodes comes out the same, also cut within a character', async () => {
  const json = fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4 });
  const id = fc.stringMatching(/^[A-Za-z0-9._-]{1,20}$/);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(id, json, fc.boolean()), { maxLength: 8 }),
      fc.array(fc.nat()),
      async (events, places) => {
        const expected = events.map(([id, value, system]) => {
          const data = JSON.parse(JSON.stringify(value)) as unknown;
          return system ? { id, system: data } : { id, event: data };
        });
        const text = events
          .map(([id, value, system]) => encodeEvent(id, system ? 'system' : 'message', JSON.stringify(value)))
          .join(encodeComment('ping') + encodeRetry(3));
        expect(await frames(text, places)).toEqual(expected);
      },
    ),
    { numRuns: 100 },
  );
});

test('a block of a name that is not known moves the cursor and nothing else', async () => {
  expect(await frames('id: 3\nevent: later\ndata: not json\n\n')).toEqual([{ id: '3' }]);
});

test.each(['data: {\n\n', 'id: not an id\ndata: {}\n\n', `data: ${'x'.repeat(1 << 20)}`])(
  'what is not ours is a SyntaxError: %.20s',
  async (text) => {
    await expect(frames(text)).rejects.toThrow(SyntaxError);
  },
);

test('leaving early gives the body back', async () => {
  let cancelled = false;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new TextEncoder().encode('data: {}\n\n')),
    cancel() {
      cancelled = true;
    },
  });
  for await (const frame of readFrames(body, () => {})) {
    expect(frame.event).toEqual({});
    break;
  }
  expect(cancelled).toBe(true);
});
