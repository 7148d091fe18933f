import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { brokerContract } from '../broker.contract.ts';
import { BrokerUnavailable, comparePlaces, type Place, type StoredEvent } from '../port.ts';
import { LogInUse } from './lock.ts';
import { openSqliteBroker, type SqliteBroker } from './open.ts';
import type { Retention } from './retention.ts';
import { headOf, openLog } from './schema.ts';
import { IDEMPOTENCY_WINDOW, LogWriter } from './writer.ts';

const START: Place = { seq: 0, index: 0 };
const NOTHING: Retention = { maxAgeSeconds: 0, maxBytes: 1, maxEvents: 0 };
const EVERYTHING: Retention = { maxAgeSeconds: 0, maxBytes: 0, maxEvents: 0 };

/** Trims the closed log of a file until retention is met. */
function trim(file: string, retention: Retention): void {
  const db = openLog(file);
  const writer = new LogWriter(db, retention, Date.now);
  while (writer.trim());
  db.close();
}

brokerContract('sqlite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'centrali-log-'));
  const file = join(folder, 'log.db');
  let broker = await openSqliteBroker({ file });
  return {
    broker,
    async reopen() {
      await broker.close();
      broker = await openSqliteBroker({ file });
      return broker;
    },
    async trimAll() {
      await broker.close();
      trim(file, NOTHING);
      broker = await openSqliteBroker({ file });
      return broker;
    },
    async dispose() {
      await broker.close();
      rmSync(folder, { recursive: true });
    },
  };
});

describe('the embedded log', () => {
  let folder: string;
  let file: string;
  let open: SqliteBroker[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'centrali-log-'));
    file = join(folder, 'log.db');
    open = [];
  });
  afterEach(async () => {
    for (const broker of open) await broker.close();
    rmSync(folder, { recursive: true });
  });
  const start = async (path = file): Promise<SqliteBroker> => {
    const broker = await openSqliteBroker({ file: path });
    open.push(broker);
    return broker;
  };

  test('refuses a second gateway, and lets the next one in after the first has closed', async () => {
    const first = await start();
    await expect(openSqliteBroker({ file })).rejects.toThrow(LogInUse);
    await first.append({ workspace: 'a', events: ['{}'] });
    await first.close();
    const second = await start();
    expect(second.head().seq).toBe(1);
  });

  test('refuses a database that is not a log, and leaves it as it was', async () => {
    const { DatabaseSync } = await import('node:sqlite');
    const other = new DatabaseSync(file);
    other.exec('CREATE TABLE notes (text TEXT)');
    other.close();
    await expect(openSqliteBroker({ file })).rejects.toThrow(/another database/);
  });

  test('keeps its file from other users', async () => {
    await start();
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test('rejects appends after close, and answers those before it', async () => {
    const broker = await start();
    const before = broker.append({ workspace: 'a', events: ['{}'] });
    const closed = broker.close();
    await expect(broker.append({ workspace: 'a', events: ['{}'] })).rejects.toThrow(BrokerUnavailable);
    expect(await before).toHaveLength(1);
    await closed;
  });

  test('bounds what waits for the disk', async () => {
    const broker = await start();
    const answers = await Promise.allSettled(
      Array.from({ length: 17_000 }, () => broker.append({ workspace: 'a', events: ['{}'] })),
    );
    const refused = answers.filter(({ status }) => status === 'rejected');
    expect(refused).toHaveLength(17_000 - 16_384);
    for (const answer of refused) expect((answer as PromiseRejectedResult).reason).toBeInstanceOf(BrokerUnavailable);
    expect((await broker.append({ workspace: 'a', events: ['{}'] })).length).toBe(1);
  });

  test('a backup holds what was acknowledged, under an epoch of its own', async () => {
    const broker = await start();
    const [id = ''] = await broker.append({ workspace: 'a', events: ['{"n":1}'] });
    const copy = join(folder, 'copy.db');
    await broker.backup(copy);
    const restored = await start(copy);
    const { events } = await restored.read('a', START, 10);
    expect(events.map(({ json }) => json)).toEqual(['{"n":1}']);
    expect((await restored.locate('a', id)).kind).toBe('unknown');
    expect((await broker.locate('a', id)).kind).toBe('at');
  });

  test('a full disk is UNAVAILABLE for appends; with room again it goes on by itself', () => {
    const db = openLog(file);
    const writer = new LogWriter(db, EVERYTHING, Date.now);
    const request = { id: 1, workspace: 'a', count: 1, events: `"${'x'.repeat(50_000)}"`, deadline: Infinity };
    expect(writer.append([request])[0]?.kind).toBe('stored');
    const head = headOf(db);
    // What SQLite does on a full disk (SQLITE_FULL), without one.
    const [pages] = Object.values(db.prepare('PRAGMA page_count').get()!);
    db.exec(`PRAGMA max_page_count = ${Number(pages)}`);
    expect(() => writer.append([request, request])).toThrow(/full/);
    expect(headOf(db)).toEqual(head);
    expect(() => writer.probe()).toThrow(/full/);
    db.exec('PRAGMA max_page_count = 1000000');
    writer.probe();
    const [next] = writer.append([request]);
    expect(next).toMatchObject({ kind: 'stored', seq: head.seq + 1 });
    db.close();
  });
});

describe('the writer', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'centrali-log-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const request = (id: number, key?: string) => ({
    id,
    workspace: 'a',
    count: 1,
    events: `{"n":${id}}`,
    deadline: Number.POSITIVE_INFINITY,
    ...(key ? { idempotency: { key, bodyHash: 'h' } } : {}),
  });

  test('remembers a key for ten minutes and no longer', () => {
    let now = 1_000_000;
    const db = openLog(join(folder, 'log.db'));
    const writer = new LogWriter(db, EVERYTHING, () => now);
    expect(writer.append([request(1, 'k')])[0]?.kind).toBe('stored');
    now += IDEMPOTENCY_WINDOW - 1;
    expect(writer.append([request(2, 'k')])[0]).toMatchObject({ kind: 'repeated', seq: 1 });
    now += 1;
    writer.forgetKeys();
    expect(db.prepare('SELECT count(*) AS n FROM idempotency').get()).toEqual({ n: 0 });
    expect(writer.append([request(3, 'k')])[0]).toMatchObject({ kind: 'stored', seq: 2 });
    db.close();
  });

  test.each([
    ['age', { maxAgeSeconds: 60, maxBytes: 0, maxEvents: 0 }],
    ['bytes', { maxAgeSeconds: 0, maxBytes: 5 * '{"n":10}'.length, maxEvents: 0 }],
    ['count', { maxAgeSeconds: 0, maxBytes: 0, maxEvents: 5 }],
  ] as const)('trims by %s, oldest first, and keeps its totals right', (_, retention) => {
    let now = 1_000_000;
    const db = openLog(join(folder, 'log.db'));
    const writer = new LogWriter(db, retention, () => now);
    for (let n = 10; n < 20; n++) {
      writer.append([request(n)]);
      now += 12_000;
    }
    now -= 12_000;
    const boundary = writer.trim();
    const kept = db.prepare('SELECT seq FROM batch ORDER BY seq').all();
    expect(kept.map(({ seq }) => seq)).toEqual(retention.maxAgeSeconds ? [5, 6, 7, 8, 9, 10] : [6, 7, 8, 9, 10]);
    expect(boundary?.seq).toBe(Number(kept[0]?.seq) - 1);
    expect(writer.boundary()).toEqual(boundary);
    expect(writer.trim()).toBeUndefined();
    const totals = db.prepare('SELECT sum(bytes) AS bytes, sum(count) AS events FROM batch').get();
    const stored = db.prepare("SELECT value FROM meta WHERE key = 'totals'").get();
    expect(stored?.value).toBe(`${Number(totals?.bytes)} ${Number(totals?.events)}`);
    db.close();
  });

  test('trims in small transactions', () => {
    const db = openLog(join(folder, 'log.db'));
    const writer = new LogWriter(db, NOTHING, Date.now);
    writer.append(Array.from({ length: 1000 }, (_, n) => request(n)));
    let turns = 0;
    let left = 1000;
    while (writer.trim()) {
      turns++;
      const now = Number(db.prepare('SELECT count(*) AS n FROM batch').get()?.n);
      expect(left - now).toBeLessThanOrEqual(128);
      left = now;
    }
    expect(left).toBe(0);
    expect(turns).toBeGreaterThanOrEqual(8);
    db.close();
  });
});

describe('kill -9', () => {
  test('loses no acknowledged event and stores none twice', { timeout: 60_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'centrali-crash-'));
    const file = join(folder, 'log.db');
    const script = fileURLToPath(new URL('./fixtures/append-forever.ts', import.meta.url));
    const acknowledged = new Map<string, string>();
    for (const [round, wanted] of [300, 700, 1500].entries()) {
      const child = spawn(process.execPath, [script, file, String(round)], { stdio: ['ignore', 'pipe', 'inherit'] });
      const ended = once(child, 'exit');
      let lines = 0;
      for await (const line of createInterface({ input: child.stdout })) {
        // The kill may cut the last line.
        const [id = '', json = '', whole] = line.split(' ');
        if (whole === undefined) continue;
        acknowledged.set(id, json);
        // Another process has it: this one must not get in.
        if (lines === 0) await expect(openSqliteBroker({ file })).rejects.toThrow(LogInUse);
        if (++lines === wanted) child.kill('SIGKILL');
      }
      await ended;
      expect(lines).toBeGreaterThanOrEqual(wanted);
    }
    const broker = await openSqliteBroker({ file });
    const stored: StoredEvent[] = [];
    for (let after: Place = START; comparePlaces(after, broker.head()) < 0; ) {
      const page = await broker.read('a', after, 1000);
      stored.push(...page.events);
      after = page.through;
    }
    await broker.close();
    rmSync(folder, { recursive: true });
    const byId = new Map(stored.map(({ id, json }) => [id, json]));
    expect(byId.size).toBe(stored.length);
    for (const [id, json] of acknowledged) expect(byId.get(id)).toBe(json);
    expect(new Set(stored.map(({ json }) => json)).size).toBe(stored.length);
  });
});
