// Cursors: what was missed comes, once and in order; what cannot be proved complete is said to be a gap.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bearer, eventsUrl, order, publish, serviceToken } from '../support/api.ts';
import { type Dev, startDev } from '../support/centrali.ts';
import { expectError } from '../support/error-answer.ts';
import { type EventStream, openStream } from '../support/event-stream.ts';
import { exchange, portOf } from '../support/raw-socket.ts';
import { until } from '../support/wait.ts';

let dev: Dev;
let token: string;
const open: EventStream[] = [];

beforeAll(async () => {
  dev = await startDev();
  token = await serviceToken(dev);
});
afterAll(async () => {
  for (const stream of open) stream.close();
  await dev?.stop();
});

async function resume(
  structure: string,
  cursor: string | undefined,
  at: 'header' | 'query' = 'header',
  of: Dev = dev,
): Promise<EventStream> {
  const stream = await openStream(
    eventsUrl(of, {
      structures: structure,
      ...(cursor !== undefined && at === 'query' ? { last_event_id: cursor } : {}),
    }),
    {
      headers: {
        ...bearer(of === dev ? token : await serviceToken(of)),
        ...(cursor !== undefined && at === 'header' ? { 'last-event-id': cursor } : {}),
      },
    },
  );
  open.push(stream);
  return stream;
}

function events(structure: string, count: number, from = 0): unknown[] {
  return Array.from({ length: count }, (_, i) => ({ ...order(String(from + i)), recordSlug: structure }));
}

async function take(stream: EventStream, count: number): Promise<string[]> {
  const ids: string[] = [];
  while (ids.length < count) ids.push((await stream.message()).id);
  return ids;
}

describe.each(['header', 'query'] as const)('resume by %s', (at) => {
  it('brings what was missed, in order, then goes on live', async () => {
    const structure = `resume-${at}`;
    const [first = '', ...missed] = await publish(dev, token, events(structure, 50));
    missed.push(...(await publish(dev, token, events(structure, 50, 50))));
    const stream = await resume(structure, first, at);
    expect((await stream.system('connected')).json.resumed).toBe(true);
    expect(await take(stream, 99)).toEqual(missed);
    const live = await publish(dev, token, events(structure, 3, 100));
    expect(await take(stream, 3)).toEqual(live);
  });

  it('from inside a batch', async () => {
    const structure = `inside-${at}`;
    const ids = await publish(dev, token, events(structure, 10));
    expect(await take(await resume(structure, ids[4], at), 5)).toEqual(ids.slice(5));
  });
});

it('the header wins over the query', async () => {
  const ids = await publish(dev, token, events('wins', 3));
  const stream = await openStream(eventsUrl(dev, { structures: 'wins', last_event_id: ids[0] ?? '' }), {
    headers: { ...bearer(token), 'last-event-id': ids[1] ?? '' },
  });
  open.push(stream);
  // Two that differ are refused where they come by two names of the query; a reconnecting EventSource keeps the
  // query of its first URL, so that there the newer header must win.
  if (stream.response.status === 200) expect(await take(stream, 1)).toEqual([ids[2]]);
  else expect(stream.response.status).toBe(400);
});

it('the aliases of polyfills are understood; two that differ are refused', async () => {
  const [first = '', second = '', third = ''] = await publish(dev, token, events('alias', 3));
  for (const name of ['lastEventId', 'last_event_id']) {
    const stream = await openStream(eventsUrl(dev, { structures: 'alias', [name]: second }), {
      headers: bearer(token),
    });
    open.push(stream);
    expect(await take(stream, 1)).toEqual([third]);
  }
  const response = await fetch(eventsUrl(dev, { lastEventId: first, last_event_id: second }), {
    headers: bearer(token),
  });
  await expectError(response, 'BAD_REQUEST');
});

it('the position of a new stream is a cursor too', async () => {
  const { id: start = '' } = await (await resume('start', undefined)).system('connected');
  const ids = await publish(dev, token, events('start', 2));
  expect(await take(await resume('start', start), 2)).toEqual(ids);
});

it('a cursor is valid with any filter', async () => {
  const [cursor = ''] = await publish(dev, token, events('filter-one', 1));
  const ids = await publish(dev, token, events('filter-two', 2));
  expect(await take(await resume('filter-two', cursor), 2)).toEqual(ids);
});

it('with no event missed nothing is repeated', async () => {
  const ids = await publish(dev, token, events('nothing-missed', 2));
  const stream = await resume('nothing-missed', ids[1]);
  await stream.system('connected');
  const next = await publish(dev, token, events('nothing-missed', 1));
  expect(await take(stream, 1)).toEqual(next);
});

it('is without hole or double while events are being published', async () => {
  const [cursor = ''] = await publish(dev, token, events('busy', 1));
  const published: string[] = [];
  const publishing = (async () => {
    for (let i = 0; i < 40; i++) published.push(...(await publish(dev, token, events('busy', 5, i * 5))));
  })();
  const streams = await Promise.all(Array.from({ length: 4 }, () => resume('busy', cursor)));
  await publishing;
  for (const stream of streams) expect(await take(stream, 200)).toEqual(published);
});

describe('a gap', () => {
  /** Changes one character. */
  const altered = (id: string): string => `${id.slice(0, -1)}${id.endsWith('0') ? '1' : '0'}`;

  it.each([
    ['altered', (id: string) => altered(id)],
    ['of another epoch', (id: string) => id.replace(/^[^-]+/, (epoch) => 'z'.repeat(epoch.length))],
    ['of the future', (id: string) => id.replace(/^([^-]+)-([^-]+)/, '$1-999999999')],
    ['negative', (id: string) => id.replace(/^([^-]+)-([^-]+)/, '$1--1')],
    ['unreadable', () => 'unreadable'],
    ['1e308', () => '1e308'],
    ['of 128 characters', () => 'a'.repeat(128)],
  ])('is told of a cursor %s: unknown, going on from the head', async (_, change) => {
    const [id = ''] = await publish(dev, token, events('lost', 2));
    const stream = await resume('lost', change(id));
    expect(stream.response.status).toBe(200);
    const gap = await stream.until(({ data }) => data?.includes('"type":"gap"') === true);
    expect(JSON.parse(gap.data ?? '')).toEqual({ type: 'gap', reason: 'unknown' });
    expect(gap.id).toMatch(/^[A-Za-z0-9._-]{1,128}$/);
    const next = await publish(dev, token, events('lost', 1));
    expect(await take(stream, 1)).toEqual(next);
    // The position of the gap resumes without another one.
    const again = await resume('lost', gap.id);
    expect(await take(again, 1)).toEqual(next);
    expect(again.text()).not.toContain('"type":"gap"');
  });

  it.each(['a b', 'a\u00e9', 'a'.repeat(129), 'a/b', 'a"b'])('is not told of %j: BAD_REQUEST', async (cursor) => {
    const response = await fetch(eventsUrl(dev, { last_event_id: cursor }), { headers: bearer(token) });
    await expectError(response, 'BAD_REQUEST');
  });

  it('two headers that differ are refused', async () => {
    const answer = await exchange(
      portOf(dev.baseUrl),
      `GET /realtime/workspace/demo/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\nLast-Event-ID: a\r\nLast-Event-ID: b\r\n\r\n`,
    );
    expect(answer.status).toBe(400);
    expect(answer.body).toContain('BAD_REQUEST');
  });

  it('of trimmed events goes on from the oldest that is kept', async () => {
    const small = await startDev({ env: { CENTRALI_LOG_MAX_EVENTS: '20' } });
    try {
      const smallToken = await serviceToken(small);
      const [first = ''] = await publish(small, smallToken, events('trim', 1));
      const rest = await publish(small, smallToken, events('trim', 200, 1));
      const stream = await until('the log is trimmed', async () => {
        const candidate = await resume('trim', first, 'header', small);
        const block = await candidate.until(({ data }) => data !== undefined && !data.includes('"connected"'));
        if (block.data?.includes('"type":"gap"')) return { block, candidate };
        candidate.close();
        await publish(small, smallToken, events('trim-more', 20));
        return undefined;
      });
      expect(JSON.parse(stream.block.data ?? '')).toEqual({ type: 'gap', reason: 'trimmed' });
      const next = await publish(small, smallToken, events('trim', 1, 999));
      const seen: string[] = [];
      while (seen.at(-1) !== next[0]) seen.push((await stream.candidate.message()).id);
      // Whatever came is the end of what was published, without a hole.
      expect(seen.slice(0, -1)).toEqual(rest.slice(rest.length - (seen.length - 1)));
    } finally {
      await small.stop();
    }
  });
});
