import type { AuditEntry } from '@centrali-io/protocol';
import { describe, expect, it } from 'vitest';
import { SILENT } from '../../resource-server/index.ts';
import { AuditSpool } from './audit.ts';

const entry = (changes: Partial<AuditEntry> = {}): AuditEntry => ({
  at: 0,
  kind: 'refuse',
  workspace: 'acme',
  code: 'INVALID_TOKEN',
  address: '192.0.2.1',
  ...changes,
});

function world(capacity = 1000) {
  const state = { fails: false, calls: [] as (readonly AuditEntry[])[], wake: (): void => {} };
  const spool = new AuditSpool({
    decisions: {
      record: async (entries) => {
        state.wake();
        if (state.fails) throw new Error('down');
        state.calls.push(entries);
      },
    },
    log: SILENT,
    capacity,
    intervalMs: 1,
  });
  const called = (): Promise<void> => new Promise((resolve) => (state.wake = resolve));
  return { state, spool, called };
}

describe('AuditSpool', () => {
  it('hands on what came in between in one call, in order', async () => {
    const { state, spool, called } = world();
    for (const requestId of ['a', 'b', 'c']) spool.add(entry({ requestId }));
    await called();
    await spool.close();
    expect(state.calls.map((entries) => entries.map(({ requestId }) => requestId))).toEqual([['a', 'b', 'c']]);
    expect(spool.waiting).toBe(0);
  });

  it('hands on at most 256 at once, and all of it at the end', async () => {
    const { state, spool } = world();
    for (let i = 0; i < 600; i++) spool.add(entry({ kind: 'connect' }));
    await spool.close();
    expect(state.calls.map(({ length }) => length)).toEqual([256, 256, 88]);
  });

  it('keeps what IAM does not take, and hands it on when it does', async () => {
    const { state, spool, called } = world();
    state.fails = true;
    spool.add(entry({ requestId: 'a' }));
    await called();
    expect(spool.waiting).toBe(1);
    state.fails = false;
    spool.add(entry({ requestId: 'b' }));
    await called();
    await spool.close();
    expect(state.calls.flat().map(({ requestId }) => requestId)).toEqual(['a', 'b']);
  });

  it('is full at its capacity, and holds no more', async () => {
    const { state, spool } = world(10);
    state.fails = true;
    for (let i = 0; i < 50; i++) spool.add(entry({ kind: 'connect' }));
    expect([spool.isFull, spool.waiting]).toEqual([true, 10]);
    await spool.close();
    expect(spool.waiting).toBe(10);
  });

  it('sums strangers by workspace, address and code', async () => {
    const { state, spool } = world();
    for (let i = 0; i < 100; i++) spool.addStranger(entry());
    spool.addStranger(entry({ code: 'MISSING_TOKEN' }));
    spool.addStranger(entry({ address: '192.0.2.2' }));
    spool.addStranger(entry({ workspace: 'other' }));
    spool.add(entry({ sub: 'u1' }));
    await spool.close();
    expect(state.calls.flat().map(({ count }) => count)).toEqual([undefined, 100, 1, 1, 1]);
  });

  it('loses no count of a sum that IAM does not take', async () => {
    const { state, spool, called } = world();
    state.fails = true;
    for (let i = 0; i < 3; i++) spool.addStranger(entry());
    await called();
    state.fails = false;
    for (let i = 0; i < 4; i++) spool.addStranger(entry());
    await spool.close();
    expect(state.calls.flat().reduce((sum, { count = 0 }) => sum + count, 0)).toBe(7);
  });

  it('cannot be filled by strangers with ever new addresses and workspaces', () => {
    const { spool } = world(100);
    for (let i = 0; i < 20_000; i++) spool.addStranger(entry({ address: `a${i}`, workspace: `w${i % 5000}` }));
    expect([spool.isFull, spool.waiting]).toEqual([false, 2000]);
  });

  it('lets refusals of one principal take half of the room, and sums the rest', async () => {
    const { state, spool, called } = world(10);
    for (let i = 0; i < 50; i++) spool.add(entry({ provider: 'centrali', sub: 'ann', code: 'FORBIDDEN' }));
    spool.add(entry({ provider: 'centrali', sub: 'bob', code: 'FORBIDDEN' }));
    expect(spool.isFull).toBe(false);
    spool.add(entry({ kind: 'connect', provider: 'centrali', sub: 'cy' }));
    await called();
    await spool.close();
    const rows = state.calls.flat().map(({ sub, count }) => [sub, count]);
    expect(rows).toEqual([
      ...Array.from({ length: 5 }, () => ['ann', undefined]),
      ['cy', undefined],
      ['ann', 45],
      ['bob', 1],
    ]);
  });
});
