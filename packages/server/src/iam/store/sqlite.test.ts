import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSqliteStore } from './sqlite.ts';
import { storeContract } from './store.contract.ts';

storeContract('the SQLite store', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'centrali-store-'));
  return {
    open: () => openSqliteStore({ file: join(folder, 'state.db'), randomBytes, pollMilliseconds: 0 }),
    async remove() {
      rmSync(folder, { recursive: true, force: true });
    },
  };
});

describe('the file', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'centrali-store-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('is readable by its owner alone, since it holds the signing keys', async () => {
    const file = join(folder, 'state.db');
    const store = await openSqliteStore({ file, randomBytes });
    for (const name of ['', '-wal', '-shm']) expect(statSync(file + name).mode & 0o777).toBe(0o600);
    await store.close();
  });

  it('is so too when it was there before, by another mode', async () => {
    const file = join(folder, 'state.db');
    writeFileSync(file, '');
    chmodSync(file, 0o644);
    const store = await openSqliteStore({ file, randomBytes });
    for (const name of ['', '-wal', '-shm']) expect(statSync(file + name).mode & 0o777).toBe(0o600);
    await store.close();
  });

  it('tells of changes that another process made', async () => {
    const file = join(folder, 'state.db');
    const here = await openSqliteStore({ file, randomBytes, pollMilliseconds: 5 });
    const there = await openSqliteStore({ file, randomBytes, pollMilliseconds: 0 });
    const heard = new Promise<number>((resolve) => here.onChange(resolve));
    await there.transaction((tx) =>
      tx.recordChange(
        { kind: 'workspace', workspace: 'demo' },
        { workspace: 'demo', at: 1, action: 'workspace.create' },
      ),
    );
    expect(await heard).toBe(1);
    await here.close();
    await there.close();
  });

  it('opens beside another process that has it open, with one pepper for both', async () => {
    const file = join(folder, 'state.db');
    const one = await openSqliteStore({ file, randomBytes });
    const two = await openSqliteStore({ file, randomBytes });
    expect(Buffer.from(one.pepper).equals(two.pepper)).toBe(true);
    await one.close();
    await two.close();
  });
});
