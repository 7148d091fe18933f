import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SILENT } from '../../resource-server/index.ts';
import type { NewAuditRow, Store } from '../store/port.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import { AuditSpool } from './spool.ts';

let store: Store;
beforeEach(async () => {
  store = await openSqliteStore({ file: ':memory:', randomBytes });
  await store.transaction((tx) => tx.workspaces.insert({ slug: 'demo', state: 'active', createdAt: 0 }));
});
afterEach(() => store.close());

const rows = () => store.read((view) => view.audit.list({ workspace: 'demo', limit: 20_000 }));
const refusal = (more: Partial<NewAuditRow> = {}): NewAuditRow => ({
  workspace: 'demo',
  at: 6e4,
  kind: 'refuse',
  code: 'INVALID_TOKEN',
  address: '192.0.2.1',
  ...more,
});

describe('the audit spool', () => {
  it('writes rows in their order, a group in one transaction', async () => {
    const transaction = vi.spyOn(store, 'transaction');
    const spool = new AuditSpool({ store, log: SILENT });
    for (let at = 0; at < 100; at++) spool.push({ workspace: 'demo', at, kind: 'connect' });
    await spool.flush();
    expect((await rows()).map(({ at }) => at)).toEqual(Array.from({ length: 100 }, (_, at) => at));
    expect(transaction).toHaveBeenCalledTimes(1);
  });
  it('writes by itself', async () => {
    const spool = new AuditSpool({ store, log: SILENT, gatherMilliseconds: 1 });
    spool.push({ workspace: 'demo', at: 1, kind: 'connect' });
    await expect.poll(rows).toHaveLength(1);
  });
  it('drops rows of workspaces that are not there', async () => {
    const spool = new AuditSpool({ store, log: SILENT });
    spool.push({ workspace: 'nowhere', at: 1, kind: 'connect' });
    spool.push({ workspace: 'demo', at: 2, kind: 'connect' });
    await spool.flush();
    expect(await store.read((view) => view.audit.list({ workspace: 'nowhere', limit: 9 }))).toEqual([]);
    expect(await rows()).toHaveLength(1);
  });
  it('sums refusals by workspace, address, code and minute', async () => {
    const spool = new AuditSpool({ store, log: SILENT });
    for (let i = 0; i < 50; i++) spool.sum(refusal());
    spool.sum(refusal({ address: '192.0.2.2' }));
    spool.sum(refusal({ code: 'FORBIDDEN' }));
    spool.sum(refusal({ at: 120_000 }));
    await spool.flush();
    expect((await rows()).map(({ address, code, at, count }) => [address, code, at, count])).toEqual([
      ['192.0.2.1', 'INVALID_TOKEN', 60_000, 50],
      ['192.0.2.2', 'INVALID_TOKEN', 60_000, 1],
      ['192.0.2.1', 'FORBIDDEN', 60_000, 1],
      ['192.0.2.1', 'INVALID_TOKEN', 120_000, 1],
    ]);
  });
  it('writes the sums of a minute when it is over', async () => {
    const spool = new AuditSpool({ store, log: SILENT });
    spool.sum(refusal());
    await spool.tick(119_999);
    expect(await rows()).toEqual([]);
    await spool.tick(120_000);
    expect(await rows()).toHaveLength(1);
  });
  it('is full when the store does not take its rows, and writes them when it does again', async () => {
    const spool = new AuditSpool({ store, log: SILENT, gatherMilliseconds: 60_000 });
    const broken = vi.spyOn(store, 'transaction').mockRejectedValue(new Error('disk full'));
    for (let at = 0; at < 10_000; at++) spool.push({ workspace: 'demo', at, kind: 'connect' });
    expect(spool.open).toBe(false);
    await spool.flush();
    expect(spool.open).toBe(false);
    spool.push({ workspace: 'demo', at: -1, kind: 'connect' });
    broken.mockRestore();
    await spool.flush();
    expect(spool.open).toBe(true);
    expect((await rows()).map(({ at }) => at)).toEqual(Array.from({ length: 10_000 }, (_, at) => at));
  });
});
