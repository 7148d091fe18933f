import { connect } from 'node:net';
import { expect } from 'vitest';
import { bearer, eventsUrl, order, publish, publishRaw, serviceToken } from '../support/api.ts';
import { startDev } from '../support/centrali.ts';
import { openStream, parseBlock } from '../support/event-stream.ts';
import { portOf } from '../support/raw-socket.ts';
import type { Attacks } from './attack.ts';
import { type Answer, answerOf, EVENTS, rawGet, type World } from './world.ts';

const UGLY = [
  'a\nb',
  'a\rb',
  'a\r\nb',
  '\r',
  '\n\n',
  'x\n\nid: evil\nevent: system\ndata: {"type":"closing"}\n\n',
  'x\r\rretry: 1\r\r',
  '\nretry: 1\n\n: comment',
  '\uFEFFdata',
  'a\u2028b\u2029c\u0085d',
  '\0',
];

/** Publishes data and sees it come back as itself, in one block of three fields. */
async function survives(world: World, values: readonly unknown[]): Promise<Answer[]> {
  const structure = `ugly-${Math.random().toString(36).slice(2)}`;
  const stream = await openStream(eventsUrl(world.dev, { structures: structure }), { headers: bearer(world.token) });
  await stream.system('connected');
  const from = stream.text().length;
  const ids = await publish(
    world.dev,
    world.token,
    values.map((text, i) => ({ ...order(String(i), { text, [`key${String(text)}`]: 1 }), recordSlug: structure })),
  );
  for (const [i, text] of values.entries()) {
    const { id, json } = await stream.message();
    expect(id).toBe(ids[i]);
    expect(json.data.text).toBe(text);
  }
  const blocks = stream.text().slice(from).split('\n\n').slice(0, -1);
  expect(blocks.length, 'one block for each event').toBe(values.length);
  for (const block of blocks) {
    expect(block.split('\n').map((line) => line.split(':')[0])).toEqual(['id', 'event', 'data']);
    expect(block).not.toMatch(/[\r\0]/);
    expect(parseBlock(`${block}\n\n`).event).toBe('message');
  }
  stream.close();
  return [{ what: 'stream', status: stream.response.status, code: null, body: '', headers: stream.response.headers }];
}

async function published(world: World, body: unknown): Promise<Answer> {
  return answerOf(JSON.stringify(body).slice(0, 200), await publishRaw(world.dev, world.token, JSON.stringify(body)));
}

/** Attacks on the stream's format and on cursors. */
export const sseInjection: Attacks = {
  A145: { mayAskIam: true, run: (world) => survives(world, UGLY) },
  A147: {
    mayAskIam: true,
    async run(world) {
      const answers = [];
      for (const id of ['a\nb', 'a\u0085b', 'a\u007fb', 'a\u202Eb', 'a\u200Bb', 'x'.repeat(129), '', 1]) {
        answers.push(await published(world, { ...order('1'), id }));
      }
      for (const cursor of ['a\u202Eb', 'a b', 'a<b', 'x'.repeat(129), 'a\tb', 'a,b', '{}']) {
        const url = eventsUrl(world.dev, { last_event_id: cursor });
        answers.push(await answerOf(cursor, await fetch(url, { headers: bearer(world.token) })));
      }
      for (const cursor of ['a<b', 'x'.repeat(129), 'a"b']) {
        answers.push(
          await world.raw(rawGet(EVENTS, [`Authorization: Bearer ${world.token}`, `Last-Event-ID: ${cursor}`])),
        );
      }
      return answers;
    },
  },
  A148: {
    mayAskIam: true,
    async run(world) {
      const answers = await survives(world, ['retry: 0', ': comment', 'data: x', 'id: x', '\uFEFF']);
      for (const event of ['a\nretry: 0', '\uFEFFa', ': a']) {
        expect((await published(world, { event })).status).toBe(400);
      }
      return answers;
    },
  },
  A150: {
    mayAskIam: true,
    async run(world) {
      const [good = ''] = await publish(world.dev, world.token, order('1'));
      const [, foreign = ''] = good.split('-');
      const answers = [];
      const blocks = new Set<string>();
      for (const cursor of [
        good.replace(/^[^-]+/, 'other'),
        good.replace(`-${foreign}-`, '-999999999-'),
        good.replace(`-${foreign}-`, '--1-'),
        good.slice(0, -1) + (good.endsWith('a') ? 'b' : 'a'),
        '1e308',
        '-1',
        '0',
        'constructor',
      ]) {
        const stream = await openStream(eventsUrl(world.dev, { structures: 'none', last_event_id: cursor }), {
          headers: bearer(world.token),
        });
        const gap = await stream.system('gap');
        blocks.add(JSON.stringify(gap.json));
        stream.close();
        answers.push({
          what: cursor,
          status: stream.response.status,
          code: null,
          body: '',
          headers: stream.response.headers,
        });
      }
      expect([...blocks], 'identical for all').toEqual(['{"type":"gap","reason":"unknown"}']);
      return answers;
    },
  },
  A151: {
    decided: {
      why: 'Last-Event-ID wins over the query (docs/delivery.md): an EventSource that reconnects keeps the query of its first URL. Two of one kind that differ are refused',
      status: 200,
      code: null,
    },
    mayAskIam: true,
    async run(world) {
      const structure = 'two-cursors';
      const event = { ...order('1'), recordSlug: structure };
      const [first = '', second = '', third = ''] = await publish(world.dev, world.token, [event, event, event]);
      const stream = await openStream(eventsUrl(world.dev, { structures: structure, last_event_id: first }), {
        headers: { ...bearer(world.token), 'last-event-id': second },
      });
      expect((await stream.message()).id).toBe(third);
      stream.close();
      const twice = await answerOf(
        'two that differ',
        await fetch(`${eventsUrl(world.dev, { last_event_id: first })}&lastEventId=${second}`, {
          headers: bearer(world.token),
        }),
      );
      expect(twice).toMatchObject({ status: 400, code: 'BAD_REQUEST' });
      return [
        {
          what: 'header and query',
          status: stream.response.status,
          code: null,
          body: '',
          headers: stream.response.headers,
        },
      ];
    },
  },
  A152: {
    mayAskIam: true,
    async run(world) {
      // The reader decodes strictly: bytes that are no UTF-8 would throw.
      const answers = await survives(world, ['\ud800', 'a\udc00b', '😀', '\u0080', '\uffff']);
      const invalid = Buffer.from([...Buffer.from('{"event":"a","data":"'), 0xc0, 0x80, ...Buffer.from('"}')]);
      expect((await publishRaw(world.dev, world.token, invalid)).status).toBe(400);
      expect((await published(world, { ...order('\ud800') })).status).toBe(400);
      return answers;
    },
  },
  A153: {
    mayAskIam: true,
    async run(world) {
      expect(await published(world, { event: 'big', data: 'x'.repeat(10 * 1024 * 1024) })).toMatchObject({
        code: 'PAYLOAD_TOO_LARGE',
      });
      const dev = await startDev({ env: { CENTRALI_STREAM_MAX_UNSENT_BYTES: String(256 * 1024) } });
      try {
        const token = await serviceToken(dev);
        // A reader that stops reading right after the head.
        const slow = connect({ port: portOf(dev.baseUrl), host: '127.0.0.1' });
        let text = '';
        const closed = new Promise<void>((resolve) => slow.once('close', () => resolve()));
        await new Promise<void>((resolve) => {
          slow.on('data', (chunk: Buffer) => {
            text += chunk.toString('latin1');
            if (text.includes('"connected"')) resolve();
          });
          slow.on('error', () => {});
          slow.write(rawGet(EVENTS, [`Authorization: Bearer ${token}`]));
        });
        slow.pause();
        const quick = await openStream(eventsUrl(dev), { headers: bearer(token) });
        await quick.system('connected');
        // 24 MB, past what the kernel buffers for the slow reader.
        const batch = Array.from({ length: 12 }, (_, i) => order(String(i), { x: 'y'.repeat(60_000) }));
        const ids: string[] = [];
        const got: string[] = [];
        const reading = (async () => {
          while (got.length < 12 * 34) got.push((await quick.message(20_000)).id);
        })();
        for (let i = 0; i < 34; i++) ids.push(...(await publish(dev, token, batch)));
        await reading;
        expect(got, 'others get everything').toEqual(ids);
        slow.resume();
        await closed;
        expect(text.length, 'it was cut, and did not get all').toBeLessThan(20_000_000);
        const cursor = [...text.matchAll(/^id: (\S+)$/gm)].at(-1)?.[1] ?? '';
        const again = await openStream(eventsUrl(dev), { headers: { ...bearer(token), 'last-event-id': cursor } });
        // What it last saw whole says where it goes on; nothing is missing.
        const next = (await again.message()).id;
        expect(ids.indexOf(next)).toBe(ids.indexOf(cursor) + 1);
        again.close();
        quick.close();
        return [
          { what: 'quick', status: quick.response.status, code: null, body: '', headers: quick.response.headers },
        ];
      } finally {
        await dev.stop();
      }
    },
  },
};
