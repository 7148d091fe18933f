// kill -9 in the middle of publishing, and a new start on the same data: every acknowledged event reaches a
// resuming subscriber once, in order, and nothing that was never sent appears.
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bearer, eventsUrl, serviceToken } from '../support/api.ts';
import { type Dev, startDev, temporaryFolder } from '../support/centrali.ts';
import { openStream } from '../support/event-stream.ts';
import { until } from '../support/wait.ts';

const folder = temporaryFolder();
const data = join(folder.path, 'data');
let dev: Dev;

beforeAll(async () => {
  dev = await startDev({ data });
});
afterAll(async () => {
  await dev?.stop();
  folder.remove();
});

/** One subscriber's life over several connections: the cursor is all it keeps. */
class Subscriber {
  readonly seen: { id: string; n: string }[] = [];
  readonly gaps: unknown[] = [];
  cursor: string | undefined;
  #end: Promise<void> = Promise.resolve();
  #close = (): void => {};

  async connect(target: Dev): Promise<void> {
    const stream = await openStream(eventsUrl(target), {
      headers: {
        ...bearer(await serviceToken(target)),
        ...(this.cursor === undefined ? {} : { 'last-event-id': this.cursor }),
      },
    });
    expect(stream.response.status).toBe(200);
    this.#close = stream.close;
    const { id } = await stream.system('connected');
    this.cursor ??= id;
    this.#end = (async () => {
      for (;;) {
        const block = await stream.next(30_000);
        if (block.id !== undefined) this.cursor = block.id;
        if (block.event === 'message' && block.data !== undefined) {
          this.seen.push({ id: block.id ?? '', n: JSON.parse(block.data).recordId });
        } else if (block.data?.includes('"type":"gap"')) {
          this.gaps.push(block.data);
        }
      }
    })().catch(() => {});
  }

  async over(): Promise<void> {
    this.#close();
    await this.#end;
  }
}

it('every acknowledged event comes once after each of five crashes', async () => {
  const subscriber = new Subscriber();
  const acknowledged: { id: string; n: string }[] = [];
  const sent = new Set<string>();
  await subscriber.connect(dev);
  let n = 0;
  for (let round = 0; round < 5; round++) {
    const token = await serviceToken(dev);
    const crashed = new AbortController();
    const publishers = Array.from({ length: 8 }, async () => {
      while (!crashed.signal.aborted) {
        const names = Array.from({ length: 1 + (n % 3) }, () => String(n++));
        for (const name of names) sent.add(name);
        try {
          const response = await fetch(eventsUrl(dev), {
            method: 'POST',
            headers: { ...bearer(token), 'content-type': 'application/json' },
            body: JSON.stringify(names.map((recordId) => ({ event: 'tick', recordId }))),
          });
          if (response.status !== 202) continue;
          const { ids } = (await response.json()) as { ids: string[] };
          for (const [i, id] of ids.entries()) acknowledged.push({ id, n: names[i] ?? '' });
        } catch {
          // The crash: unacknowledged, so it may or may not be there.
        }
      }
    });
    const enough = acknowledged.length + 150;
    while (acknowledged.length < enough) await new Promise((resolve) => setImmediate(resolve));
    const port = Number(new URL(dev.baseUrl).port);
    await dev.kill();
    crashed.abort();
    await Promise.all(publishers);
    await subscriber.over();
    dev = await startDev({ data, port });
    await subscriber.connect(dev);
  }
  // One last event ends the wait.
  const token = await serviceToken(dev);
  const response = await fetch(eventsUrl(dev), {
    method: 'POST',
    headers: { ...bearer(token), 'content-type': 'application/json' },
    body: JSON.stringify({ event: 'tick', recordId: 'last' }),
  });
  expect(response.status).toBe(202);
  await until('the last event has come', () => subscriber.seen.at(-1)?.n === 'last', 10_000);
  await subscriber.over();
  const seen = subscriber.seen.filter((event) => event.n !== 'last');
  expect(subscriber.gaps).toEqual([]);
  expect(new Set(seen.map(({ id }) => id)).size, 'no event twice').toBe(seen.length);
  expect(new Set(seen.map(({ n: name }) => name)).size, 'no event twice').toBe(seen.length);
  const got = new Map(seen.map((event) => [event.id, event.n]));
  for (const event of acknowledged) expect(got.get(event.id), `acknowledged ${event.n}`).toBe(event.n);
  for (const event of seen) expect(sent.has(event.n)).toBe(true);
  expect(acknowledged.length).toBeGreaterThan(700);
});

it('the account, its secret and its tokens survive the restart', async () => {
  const token = await serviceToken(dev);
  const { clientId, clientSecret } = dev;
  await dev.stop();
  dev = await startDev({ data, port: Number(new URL(dev.baseUrl).port) });
  expect([dev.clientId, dev.clientSecret]).toEqual([clientId, clientSecret]);
  const stream = await openStream(eventsUrl(dev), { headers: bearer(token) });
  await stream.system('connected');
  stream.close();
});
