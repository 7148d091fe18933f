// The stream's bytes, exactly as the contract prints them.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bearer, devToken, eventsUrl, order, publish, serviceToken } from '../support/api.ts';
import { type Dev, startDev } from '../support/centrali.ts';
import { type EventStream, openStream } from '../support/event-stream.ts';
import { claimsOf, now } from '../support/forge.ts';
import { iamChecks } from '../support/metrics.ts';

let dev: Dev;
let token: string;
const open: EventStream[] = [];

beforeAll(async () => {
  dev = await startDev({ env: { CENTRALI_STREAM_POSITION_SECONDS: '1' } });
  token = await serviceToken(dev);
});
afterAll(async () => {
  for (const stream of open) stream.close();
  await dev?.stop();
});

async function subscribe(
  query: Record<string, string> = {},
  headers: Record<string, string> = {},
): Promise<EventStream> {
  const stream = await openStream(eventsUrl(dev, query), { headers: { ...bearer(token), ...headers } });
  open.push(stream);
  expect(stream.response.status).toBe(200);
  return stream;
}

/** A connected stream that narrows to one structure, so that tests do not see each other's events. */
async function connected(structure: string, query: Record<string, string> = {}): Promise<EventStream> {
  const stream = await subscribe({ structures: structure, ...query });
  await stream.system('connected');
  return stream;
}

const ID = /^[A-Za-z0-9._-]{1,128}$/;

describe('the head', () => {
  it('is text/event-stream, never stored, never transformed, never buffered', async () => {
    const { response } = await subscribe();
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    expect(response.headers.get('cache-control')?.split(/, */)).toEqual(
      expect.arrayContaining(['no-store', 'no-transform']),
    );
    expect(response.headers.get('x-accel-buffering')).toBe('no');
    expect(response.headers.get('content-encoding')).toBeNull();
  });
});

describe('the opening', () => {
  it('is retry, a comment, and connected with the position it goes on from', async () => {
    const { response, ...stream } = await subscribe();
    void response;
    const { id, json } = await stream.system('connected');
    const text = stream.text();
    const bytes = new RegExp(
      '^retry: (\\d+)\\n\\n?: connected to workspace demo\\n\\n' +
        'id: ([A-Za-z0-9._-]{1,128})\\nevent: system\\ndata: (\\{[^\\n]*\\})\\n\\n$',
    ).exec(text);
    expect(bytes, text).not.toBeNull();
    expect(Number(bytes?.[1])).toBeGreaterThanOrEqual(2000);
    expect(Number(bytes?.[1])).toBeLessThanOrEqual(5000);
    expect(id).toBe(bytes?.[2]);
    expect(Object.keys(json)).toEqual(['type', 'connectionId', 'workspace', 'tokenExpiresAt', 'resumed']);
    expect(json).toMatchObject({ type: 'connected', workspace: 'demo', resumed: false });
    expect(json.connectionId).toMatch(/^[A-Za-z0-9._-]+$/);
    expect(Date.parse(json.tokenExpiresAt)).toBe(claimsOf(token).exp * 1000);
    expect(json.tokenExpiresAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.000)?Z$/);
  });

  it('asks IAM once about a token, and not again while nothing has changed', async () => {
    const before = await iamChecks(dev.internalUrl);
    const headers = bearer(await serviceToken(dev));
    for (let n = 0; n < 2; n++) {
      const stream = await subscribe({}, headers);
      await stream.system('connected');
      expect((await iamChecks(dev.internalUrl)) - before).toBe(1);
    }
  });

  it('spreads retry at random', async () => {
    const values = new Set<string | undefined>();
    for (let i = 0; i < 5; i++) {
      const stream = await subscribe();
      values.add((await stream.until(({ retry }) => retry !== undefined)).retry);
      stream.close();
    }
    expect(values.size).toBeGreaterThan(1);
  });
});

describe('an event', () => {
  it('is id, event and one line of data, byte for byte', async () => {
    const stream = await connected('bytes');
    const before = stream.text().length;
    const [id] = await publish(dev, token, {
      event: 'record_created',
      recordSlug: 'bytes',
      recordId: 'rec_1',
      data: { text: 'é\n\r "x" \u2028 </script> 😀', n: 1.5, nested: { a: [1, null, true] } },
      timestamp: '2026-01-15T10:30:00Z',
    });
    await stream.message();
    expect(id).toMatch(ID);
    expect(stream.text().slice(before)).toBe(
      `id: ${id}\nevent: message\ndata: ${JSON.stringify({
        event: 'record_created',
        workspaceSlug: 'demo',
        recordSlug: 'bytes',
        recordId: 'rec_1',
        data: { text: 'é\n\r "x" \u2028 </script> 😀', n: 1.5, nested: { a: [1, null, true] } },
        timestamp: '2026-01-15T10:30:00Z',
        createdBy: dev.clientId,
      })}\n\n`,
    );
  });

  it('gets workspace, publisher and time from the server', async () => {
    const stream = await connected('defaults');
    const earliest = Date.now();
    await publish(dev, token, { event: 'order.shipped', recordSlug: 'defaults' });
    const { json } = await stream.message();
    expect(json).toMatchObject({ event: 'order.shipped', workspaceSlug: 'demo', createdBy: dev.clientId });
    expect(Date.parse(json.timestamp)).toBeGreaterThanOrEqual(earliest - 1);
    expect(Date.parse(json.timestamp)).toBeLessThanOrEqual(Date.now());
  });

  it('names the user who published it', async () => {
    const stream = await connected('by-user');
    await publish(dev, await devToken(dev, { sub: 'ann@example.org', role: 'developer' }), order('1', {}));
    await publish(dev, await devToken(dev, { sub: 'ann@example.org' }), { ...order('2'), recordSlug: 'by-user' });
    expect((await stream.message()).json).toMatchObject({ recordId: '2', createdBy: 'ann@example.org' });
  });

  it('carries an update with before and after, a delete, and a compute event', async () => {
    const stream = await connected('kinds');
    const events = [
      { event: 'record_updated', recordSlug: 'kinds', recordId: '1', data: { before: { a: 1 }, after: { a: 2 } } },
      { event: 'record_deleted', recordSlug: 'kinds', recordId: '1', data: { a: 2 } },
      { event: 'function_run_completed', recordSlug: 'kinds', data: { jobId: 'j', functionId: 'f', triggerType: 't' } },
    ];
    const ids = await publish(dev, token, events);
    for (const [i, event] of events.entries()) {
      const { id, json } = await stream.message();
      expect(id).toBe(ids[i]);
      expect(json).toMatchObject(event);
    }
  });
});

describe('order', () => {
  it('of a batch and of successive requests is kept, each event once', async () => {
    const stream = await connected('sequence');
    const ids: string[] = [];
    for (let batch = 0; batch < 5; batch++) {
      ids.push(
        ...(await publish(
          dev,
          token,
          Array.from({ length: 20 }, (_, i) => ({ ...order(`${batch}-${i}`), recordSlug: 'sequence' })),
        )),
      );
    }
    const got: string[] = [];
    while (got.length < 100) got.push((await stream.message()).id);
    expect(got).toEqual(ids);
    expect(new Set(ids).size).toBe(100);
  });
});

describe('structures and events', () => {
  it('narrow the stream; lists are unions, both together an intersection', async () => {
    const [both, structures, events] = await Promise.all([
      connected('narrow-a,narrow-b', { events: 'record_created' }),
      connected('narrow-a'),
      connected('narrow-a,narrow-b', { events: 'record_deleted,record_updated' }),
    ]);
    await publish(dev, token, [
      { event: 'record_created', recordSlug: 'narrow-c', recordId: '0', data: {} },
      { event: 'record_created', recordSlug: 'narrow-a', recordId: '1', data: {} },
      { event: 'record_deleted', recordSlug: 'narrow-a', recordId: '2', data: {} },
      { event: 'record_created', recordSlug: 'narrow-b', recordId: '3', data: {} },
      { event: 'record_updated', recordSlug: 'narrow-b', recordId: '4', data: { before: {}, after: {} } },
      { event: 'record_created', recordSlug: 'narrow-a', recordId: 'end', data: {} },
      { event: 'record_deleted', recordSlug: 'narrow-a', recordId: 'end', data: {} },
    ]);
    const all = async (stream: EventStream, last: string): Promise<string[]> => {
      const seen: string[] = [];
      for (;;) {
        const { json } = await stream.message();
        seen.push(`${json.event} ${json.recordId}`);
        if (seen.at(-1) === last) return seen;
      }
    };
    expect(await all(both, 'record_created end')).toEqual([
      'record_created 1',
      'record_created 3',
      'record_created end',
    ]);
    expect(await all(structures, 'record_deleted end')).toEqual([
      'record_created 1',
      'record_deleted 2',
      'record_created end',
      'record_deleted end',
    ]);
    expect(await all(events, 'record_deleted end')).toEqual([
      'record_deleted 2',
      'record_updated 4',
      'record_deleted end',
    ]);
  });

  it('empty lists are all', async () => {
    const stream = await subscribe({ structures: '', events: '' });
    await stream.system('connected');
    await publish(dev, token, { ...order('1'), recordSlug: 'empty-lists' });
    await stream.until(({ data }) => data?.includes('"empty-lists"') === true);
  });

  it('jobId, triggerType and functionId narrow compute events and leave record events alone', async () => {
    const stream = await connected('compute', { jobId: 'j1', triggerType: 't1', functionId: 'f1' });
    const compute = (data: Record<string, string>): Record<string, unknown> => ({
      event: 'function_run_failed',
      recordSlug: 'compute',
      data,
    });
    await publish(dev, token, [
      compute({ jobId: 'j2', functionId: 'f1', triggerType: 't1' }),
      compute({ jobId: 'j1', functionId: 'f2', triggerType: 't1' }),
      compute({ jobId: 'j1', functionId: 'f1', triggerType: 't2' }),
      compute({ jobId: 'j1', functionId: 'f1', triggerType: 't1' }),
      { ...order('record'), recordSlug: 'compute' },
    ]);
    expect((await stream.message()).json.data).toEqual({ jobId: 'j1', functionId: 'f1', triggerType: 't1' });
    expect((await stream.message()).json.recordId).toBe('record');
  });
});

describe('a quiet stream', () => {
  it('gets its position, which moves past events that it did not want', async () => {
    const stream = await connected('wants-nothing');
    const first = await stream.system('position');
    expect(first.id).toMatch(ID);
    expect(first.json).toEqual({ type: 'position' });
    const [id] = await publish(dev, token, { ...order('1'), recordSlug: 'position-other' });
    const moved = await stream.until(({ event, id: at }) => event === 'system' && at !== first.id);
    expect(moved.raw).toBe(`id: ${moved.id}\nevent: system\ndata: {"type":"position"}\n\n`);
    // The position covers what was published before it: a resume from there does not bring the event again.
    const resumed = await subscribe({ structures: 'position-other' }, { 'last-event-id': moved.id ?? '' });
    expect((await resumed.system('connected')).json.resumed).toBe(true);
    const [next] = await publish(dev, token, { ...order('2'), recordSlug: 'position-other' });
    expect(next).not.toBe(id);
    expect((await resumed.message()).id).toBe(next);
  });
});

describe('the end of a token', () => {
  it('ends the stream at exp with TOKEN_EXPIRED, never later', async () => {
    const short = await devToken(dev, { sub: 'short', role: 'viewer', ttl: 2 });
    const stream = await openStream(eventsUrl(dev), { headers: bearer(short) });
    open.push(stream);
    const { json } = await stream.system('error');
    const late = Date.now() - claimsOf(short).exp * 1000;
    expect(json).toMatchObject({ type: 'error', code: 'TOKEN_EXPIRED', recoverable: true });
    expect(await stream.end()).toEqual([]);
    expect(late).toBeGreaterThanOrEqual(-50);
    expect(late).toBeLessThan(1000);
    expect(now()).toBeGreaterThanOrEqual(claimsOf(short).exp);
  });
});
