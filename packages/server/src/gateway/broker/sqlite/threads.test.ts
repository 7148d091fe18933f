// Threads that end, whatever ended them: the log goes on by itself, and no subscriber misses an event.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BrokerUnavailable, type StoredEvent } from '../port.ts';
import { openSqliteBroker, type SqliteBroker } from './open.ts';
import { DEFAULT_RETENTION } from './retention.ts';
import { openLog } from './schema.ts';
import { LogWriter } from './writer.ts';

let folder: string;
let broker: SqliteBroker;
let threads: Worker[];
let faults: string[];
const keep = (thread: Worker): void => void threads.push(thread);

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'centrali-log-'));
  threads = [];
  faults = [];
  process.on('worker', keep);
  broker = await openSqliteBroker({
    file: join(folder, 'log.db'),
    onFault: (detail) => faults.push(detail),
  });
});
afterEach(async () => {
  process.off('worker', keep);
  await broker.close();
  rmSync(folder, { recursive: true });
});

const append = (n: number): Promise<readonly string[]> => broker.append({ workspace: 'a', events: [`{"n":${n}}`] });
/** The writer is started first, then the reader; later ones follow in the order of their ends. */
const [WRITER, READER] = [0, 1];

function exitOf(thread: Worker): Promise<void> {
  return new Promise((resolve) => void thread.once('exit', () => resolve()));
}

/** Asks until the log is ready again; it is, within the wait before a new start and the start itself. */
async function ready(): Promise<void> {
  while (!broker.status().ready) await new Promise((resolve) => setTimeout(resolve, 5));
}

test('a writer that ends is started again; appends are UNAVAILABLE meanwhile', async () => {
  await append(1);
  await threads[WRITER]!.terminate();
  expect(broker.status()).toMatchObject({ ready: false, detail: expect.stringContaining('has ended') });
  await expect(append(2)).rejects.toThrow(BrokerUnavailable);
  await ready();
  const [id = ''] = await append(3);
  expect((await broker.locate('a', id)).kind).toBe('at');
  expect((await broker.read('a', { seq: 0, index: 0 }, 10)).events.map(({ json }) => json)).toEqual([
    '{"n":1}',
    '{"n":3}',
  ]);
  expect(faults).toEqual([expect.stringMatching(/^writer: /)]);
});

test('a fault in a thread is the same', async () => {
  const ended = exitOf(threads[WRITER]!);
  threads[WRITER]!.postMessage({ type: 'append', requests: undefined });
  await ended;
  await ready();
  expect(await append(1)).toHaveLength(1);
  expect(faults[0]).toMatch(/iterable/);
});

test('a reader that ends is started again; reads are UNAVAILABLE meanwhile, appends are not', async () => {
  const [first = ''] = await append(1);
  await append(2);
  const ended = exitOf(threads[READER]!);
  void threads[READER]!.terminate();
  await ended;
  await expect(broker.locate('a', first)).rejects.toThrow(BrokerUnavailable);
  expect(await append(3)).toHaveLength(1);
  await ready();
  expect((await broker.locate('a', first)).kind).toBe('at');
});

test('what was committed and not told is dispatched by whoever takes over, once and in order', async () => {
  const got: StoredEvent[] = [];
  const heads: number[] = [];
  broker.subscribe((batch, through) => {
    got.push(...batch);
    heads.push(through.seq);
  });
  await append(1);
  await threads[WRITER]!.terminate();
  // As if the writer had ended between its commit and its word of it.
  const db = openLog(join(folder, 'log.db'));
  const request = { id: 1, workspace: 'a', count: 2, events: '{"n":2}\n{"n":3}', deadline: Number.POSITIVE_INFINITY };
  const writer = new LogWriter(db, DEFAULT_RETENTION, Date.now);
  writer.append([request, { ...request, workspace: 'b' }]);
  writer.append(Array.from({ length: 600 }, () => request));
  db.close();
  await ready();
  await append(4);
  expect(heads).toEqual(Array.from({ length: 604 }, (_, i) => i + 1));
  expect(got.slice(0, 5).map(({ workspace, json }) => [workspace, json])).toEqual([
    ['a', '{"n":1}'],
    ['a', '{"n":2}'],
    ['a', '{"n":3}'],
    ['b', '{"n":2}'],
    ['b', '{"n":3}'],
  ]);
  const { events } = await broker.read('a', { seq: 0, index: 0 }, 5000);
  expect(got.filter(({ workspace }) => workspace === 'a').map(({ id }) => id)).toEqual(events.map(({ id }) => id));
});

test('appends that the end of a writer comes upon are answered, and each is dispatched if it is in the log', async () => {
  const got: string[] = [];
  broker.subscribe((batch) => got.push(...batch.map(({ id }) => id)));
  const waiting = Array.from({ length: 2000 }, (_, n) => append(n));
  await waiting[0];
  await threads[WRITER]!.terminate();
  const answers = await Promise.allSettled(waiting);
  await ready();
  await append(9999);
  const { events } = await broker.read('a', { seq: 0, index: 0 }, 5000);
  expect(got).toEqual(events.map(({ id }) => id));
  const acknowledged = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  expect(got).toEqual(expect.arrayContaining(acknowledged));
});

test('both at once, and closing while one is away', async () => {
  await append(1);
  await Promise.all([threads[WRITER]!.terminate(), threads[READER]!.terminate()]);
  await ready();
  expect(await append(2)).toHaveLength(1);
  await threads.at(-1)!.terminate();
  await broker.close();
  await expect(append(3)).rejects.toThrow(BrokerUnavailable);
});
