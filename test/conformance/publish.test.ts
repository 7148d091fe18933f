// What may be published and what may not: a coded answer, nothing stored, nothing repeated from the input.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bearer, eventsUrl, order, publish, publishRaw, serviceToken } from '../support/api.ts';
import { type Dev, startDev } from '../support/centrali.ts';
import { expectError } from '../support/error-answer.ts';
import { type EventStream, openStream } from '../support/event-stream.ts';
import { exchange, portOf } from '../support/raw-socket.ts';

let dev: Dev;
let token: string;
let watcher: EventStream;

beforeAll(async () => {
  dev = await startDev();
  token = await serviceToken(dev);
  watcher = await openStream(eventsUrl(dev), { headers: bearer(token) });
  await watcher.system('connected');
});
afterAll(async () => {
  watcher?.close();
  await dev?.stop();
});

let marker = 0;
/** Everything that reached the subscriber since the last call. */
async function delivered(): Promise<any[]> {
  const end = `marker-${++marker}`;
  await publish(dev, token, { event: 'marker', recordId: end });
  const events: any[] = [];
  for (;;) {
    const { json } = await watcher.message();
    if (json.recordId === end) return events;
    events.push(json);
  }
}

const GOOD = order('1', { a: 1 });
const bytes = (length: number): string => 'x'.repeat(length);

const REFUSED: readonly [name: string, body: unknown][] = [
  ['no JSON', 'nonsense'],
  ['nothing', ''],
  ['a number', '1'],
  ['a text', '"record_created"'],
  ['null', 'null'],
  ['an empty list', '[]'],
  ['a list in a list', [[GOOD]]],
  ['a list with one bad event', [GOOD, { event: 'x y' }]],
  ['no name', { recordSlug: 'order' }],
  ['an empty name', { event: '' }],
  ['a name with a capital', { event: 'Order' }],
  ['a name of 65 characters', { event: bytes(65) }],
  ['a name with LF', { event: 'a\nid: evil' }],
  ['a name with CR', { event: 'a\rdata: evil' }],
  ['a name with NUL', { event: 'a\0' }],
  ['a name with a space', { event: 'a b' }],
  ['the reserved name system', { event: 'system' }],
  ['a reserved name below system', { event: 'system.gap' }],
  ['a name that is no text', { event: 1 }],
  ['record_created without recordSlug', { event: 'record_created', recordId: '1', data: {} }],
  ['record_created without recordId', { event: 'record_created', recordSlug: 'a', data: {} }],
  ['record_updated without before', { event: 'record_updated', recordSlug: 'a', recordId: '1', data: { after: {} } }],
  [
    'record_updated with more than before and after',
    { event: 'record_updated', recordSlug: 'a', recordId: '1', data: { before: {}, after: {}, x: 1 } },
  ],
  ['record_deleted whose data is a list', { event: 'record_deleted', recordSlug: 'a', recordId: '1', data: [] }],
  ['a compute event without jobId', { event: 'function_run_completed', data: { functionId: 'f', triggerType: 't' } }],
  ['recordId with LF', { ...GOOD, recordId: 'a\nb' }],
  ['recordSlug with NUL', { ...GOOD, recordSlug: 'a\0b' }],
  ['recordId with a bidirectional control', { ...GOOD, recordId: 'a\u202Eb' }],
  ['an empty recordId', { ...GOOD, recordId: '' }],
  ['a recordId of 256 characters', { ...GOOD, recordId: bytes(256) }],
  ['a timestamp that is none', { ...GOOD, timestamp: 'yesterday' }],
  ['a timestamp without its offset', { ...GOOD, timestamp: '2026-01-01T00:00:00' }],
  ['an unknown field', { ...GOOD, colour: 'red' }],
  ['a field named __proto__', '{"event":"a","__proto__":{"x":1}}'],
  ['another workspace', { ...GOOD, workspaceSlug: 'other' }],
  ['an id with LF', { ...GOOD, id: 'a\nb' }],
  ['an id of 129 characters', { ...GOOD, id: bytes(129) }],
  ['a repeated field', '{"event":"a","event":"b"}'],
];

describe('refused with BAD_REQUEST', () => {
  it.each(REFUSED)('%s', async (_, body) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const error = await expectError(await publishRaw(dev, token, text), 'BAD_REQUEST');
    expect(error.message).not.toMatch(/evil|colour":|nonsense|yesterday/);
    expect(await delivered()).toEqual([]);
  });

  it('invalid UTF-8', async () => {
    const body = Buffer.concat([Buffer.from('{"event":"a","data":"'), Buffer.of(0xff, 0xfe), Buffer.from('"}')]);
    await expectError(await publishRaw(dev, token, body), 'BAD_REQUEST');
    expect(await delivered()).toEqual([]);
  });

  it('a byte order mark', async () => {
    const response = await publishRaw(dev, token, `\uFEFF${JSON.stringify(GOOD)}`);
    await expectError(response, 'BAD_REQUEST');
  });

  it('createdBy without the permission to publish as another', async () => {
    const response = await publishRaw(dev, token, JSON.stringify({ ...GOOD, createdBy: 'someone-else' }));
    expect(['BAD_REQUEST', 'FORBIDDEN']).toContain(((await response.json()) as { code: string }).code);
    expect(await delivered()).toEqual([]);
  });

  it('an unknown parameter in the query', async () => {
    const response = await fetch(`${eventsUrl(dev)}?colour=red`, {
      method: 'POST',
      headers: { ...bearer(token), 'content-type': 'application/json' },
      body: JSON.stringify(GOOD),
    });
    expect((await expectError(response, 'BAD_REQUEST')).message).toContain('colour');
  });

  it('a media type that is neither JSON nor NDJSON', async () => {
    await expectError(
      await publishRaw(dev, token, JSON.stringify(GOOD), { 'content-type': 'text/html' }),
      'BAD_REQUEST',
    );
  });

  it('two idempotency keys, and one that is too long', async () => {
    const raw = await exchange(
      portOf(dev.baseUrl),
      `POST /realtime/workspace/demo/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n` +
        'Content-Type: application/json\r\nIdempotency-Key: a\r\nIdempotency-Key: b\r\nContent-Length: 13\r\n\r\n{"event":"a"}',
    );
    expect(raw.status).toBe(400);
    await expectError(
      await publishRaw(dev, token, JSON.stringify(GOOD), { 'idempotency-key': bytes(300) }),
      'BAD_REQUEST',
    );
  });
});

describe('sizes', () => {
  it('an event of 64 KiB goes through, one byte more does not', async () => {
    const at = (length: number): string => {
      const empty = JSON.stringify({ event: 'big', data: '' }).length;
      return JSON.stringify({ event: 'big', data: bytes(length - empty) });
    };
    // The server adds workspace, publisher and time; the limit is on what was sent or on what is stored.
    expect((await publishRaw(dev, token, at(64 * 1024 - 256))).status).toBe(202);
    await expectError(await publishRaw(dev, token, at(64 * 1024 + 1)), 'PAYLOAD_TOO_LARGE');
    expect((await delivered()).length).toBe(1);
  });

  it('1,000 events go through, 1,001 do not', async () => {
    const events = (count: number): unknown[] => Array.from({ length: count }, () => ({ event: 'many' }));
    expect((await publish(dev, token, events(1000))).length).toBe(1000);
    const response = await publishRaw(dev, token, JSON.stringify(events(1001)));
    await expectError(response, 'PAYLOAD_TOO_LARGE');
    expect((await delivered()).length).toBe(1000);
  });

  it('a body over 768 KiB is refused without being read to its end', async () => {
    const raw = await exchange(
      portOf(dev.baseUrl),
      `POST /realtime/workspace/demo/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${100 * 1024 * 1024}\r\n\r\n[`,
    );
    expect(raw.status).toBe(413);
  });
});

describe('accepted', () => {
  it('one event, a list, and NDJSON give ids in order', async () => {
    const one = await publish(dev, token, GOOD);
    const list = await publish(dev, token, [GOOD, GOOD]);
    const lines = `${JSON.stringify(GOOD)}\n${JSON.stringify(GOOD)}\r\n\n${JSON.stringify(GOOD)}\n`;
    const response = await publishRaw(dev, token, lines, { 'content-type': 'application/x-ndjson' });
    expect(response.status).toBe(202);
    const { ids } = (await response.json()) as { ids: string[] };
    expect([one.length, list.length, ids.length]).toEqual([1, 2, 3]);
    expect(new Set([...one, ...list, ...ids]).size).toBe(6);
    expect((await delivered()).length).toBe(6);
  });

  it('is answered as 202 that nothing stores', async () => {
    const response = await publishRaw(dev, token, JSON.stringify(GOOD));
    expect(response.status).toBe(202);
    expect(response.headers.get('cache-control')).toMatch(/no-store/);
    expect(Object.keys((await response.json()) as object)).toEqual(['ids']);
    await delivered();
  });

  it('the names at the edge of what is allowed', async () => {
    for (const event of ['a', `a${'b'.repeat(63)}`, 'order.shipped-2_x', 'systemic', 'message', 'error']) {
      await publish(dev, token, { event });
    }
    expect((await delivered()).map(({ event }) => event)).toContain('systemic');
  });

  it('the own workspace named in the event', async () => {
    await publish(dev, token, { ...GOOD, workspaceSlug: 'demo' });
    expect(await delivered()).toMatchObject([{ workspaceSlug: 'demo' }]);
  });
});

describe('de-duplication', () => {
  it('the same key and body give the first ids, and one event', async () => {
    const key = { 'idempotency-key': 'same-1' };
    const first = await publish(dev, token, [GOOD, GOOD], key);
    expect(await publish(dev, token, [GOOD, GOOD], key)).toEqual(first);
    expect((await delivered()).length).toBe(2);
  });

  it("a single event's own id does the same, also at the same time", async () => {
    const event = { ...GOOD, id: 'own-id-1' };
    const ids = await Promise.all([publish(dev, token, event), publish(dev, token, event), publish(dev, token, event)]);
    expect(new Set(ids.flat()).size).toBe(1);
    expect((await delivered()).length).toBe(1);
    await expectError(await publishRaw(dev, token, JSON.stringify({ ...event, recordId: '2' })), 'CONFLICT');
  });
});

it('OPTIONS of a page needs no token and is cached for a day', async () => {
  const response = await fetch(eventsUrl(dev), {
    method: 'OPTIONS',
    headers: {
      origin: 'http://localhost:5173',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type,idempotency-key',
    },
  });
  expect(response.status).toBe(204);
  expect(response.headers.get('access-control-allow-origin')).toBe('http://localhost:5173');
  expect(response.headers.get('access-control-max-age')).toBe('86400');
  const allowed = response.headers.get('access-control-allow-headers')?.toLowerCase().split(/, */);
  expect(allowed).toEqual(
    expect.arrayContaining([
      'authorization',
      'last-event-id',
      'cache-control',
      'content-type',
      'idempotency-key',
      'dpop',
    ]),
  );
  expect(response.headers.get('access-control-allow-methods')?.split(/, */)).toEqual(
    expect.arrayContaining(['GET', 'POST']),
  );
});
