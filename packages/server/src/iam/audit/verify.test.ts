import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NewAuditRow, Store } from '../store/port.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import { type AuditVerdict, verifyAudit } from './verify.ts';
import { verifyAuditFile } from './verify-file.ts';

let folder: string;
let file: string;
let store: Store;

const open = () => openSqliteStore({ file, randomBytes, pollMilliseconds: 0 });
const append = (...rows: [workspace: string | null, at: number][]): Promise<void> =>
  store.transaction((tx) =>
    tx.audit.append(
      rows.map(([workspace, at]): NewAuditRow => ({ workspace, at, kind: 'connect', sub: `s${at}`, detail: { at } })),
    ),
  );
const prune = (before: number, limit?: number) => store.transaction((tx) => tx.audit.prune(before, limit));
const verify = (options = {}): Promise<AuditVerdict> => verifyAudit(store, options);
/** Whoever has the file in hand, without the service. */
const tamper = (...statements: string[]): void => {
  const database = new DatabaseSync(file);
  for (const statement of statements) database.exec(statement);
  database.close();
};
/** The chains that are broken: workspace, row, reason. */
const faults = async (options = {}) =>
  (await verify(options)).chains.flatMap(({ workspace, fault }) =>
    fault ? [[workspace, fault.seq, fault.reason]] : [],
  );

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'centrali-audit-'));
  file = join(folder, 'state.db');
  store = await open();
  // seq 1 to 8: a, none, a, b, a, none, a, b
  await append(['a', 10], [null, 20], ['a', 30], ['b', 40]);
  await append(['a', 50], [null, 60], ['a', 70], ['b', 80]);
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('an audit log that nobody touched', () => {
  it('is good, chain by chain, whatever the size of the pages', async () => {
    for (const pageSize of [1, 2, 3, 1_000]) {
      const { ok, chains, chainsMissing } = await verify({ pageSize });
      expect([ok, chainsMissing]).toEqual([true, false]);
      expect(chains.map(({ workspace, rows, head }) => [workspace, rows, head.seq])).toEqual([
        [null, 2, 6],
        ['a', 4, 7],
        ['b', 2, 8],
      ]);
    }
  });

  it('is good after a restart, and from outside while it is open', async () => {
    await store.close();
    store = await open();
    await append(['a', 90]);
    expect(await verifyAuditFile(file)).toEqual(await verify());
    expect((await verify()).ok).toBe(true);
  });

  it('is good with nothing in it', async () => {
    const empty = await openSqliteStore({ file: ':memory:', randomBytes });
    expect(await verifyAudit(empty)).toEqual({ ok: true, chains: [], chainsMissing: false });
    await empty.close();
  });

  it('has nothing of a transaction that was rolled back', async () => {
    const failed = store.transaction(async (tx) => {
      await tx.audit.append([{ workspace: 'c', at: 1, kind: 'connect' }]);
      throw new Error('no');
    });
    await expect(failed).rejects.toThrow('no');
    await append(['c', 90]);
    expect((await verify()).ok).toBe(true);
  });
});

describe('a row that is', () => {
  it.each([
    ['changed', "update audit set code = 'OK' where seq = 3", 'a', 3],
    ['changed in its detail', `update audit set detail = '{"at":31}' where seq = 3`, 'a', 3],
    ['set to another time', 'update audit set at = 31 where seq = 3', 'a', 3],
    ['given to another workspace', "update audit set workspace = 'b' where seq = 3", 'a', 5],
    ['removed from the middle', 'delete from audit where seq = 3', 'a', 5],
    ['removed from the beginning', 'delete from audit where seq = 1', 'a', 3],
    ['removed from those of no workspace', 'delete from audit where seq = 2', null, 6],
    ['put in', "insert into audit (seq, workspace, at, kind, count, mac) values (9, 'a', 90, 'token', 1, 'x')", 'a', 9],
    ['changed with its mac', "update audit set code = 'OK', mac = 'x' where seq = 3", 'a', 3],
  ])('%s is found', async (_, statement, workspace, seq) => {
    tamper(statement);
    expect(await faults()).toContainEqual([workspace, seq, 'row_broken']);
    expect((await verify()).ok).toBe(false);
  });

  it('exchanged with another is found', async () => {
    tamper(
      'update audit set seq = 100 where seq = 3',
      'update audit set seq = 3 where seq = 5',
      'update audit set seq = 5 where seq = 100',
    );
    expect(await faults()).toEqual([['a', 3, 'row_broken']]);
  });

  it('removed from the end is found, also when rows have been written since', async () => {
    tamper('delete from audit where seq = 7');
    expect(await faults()).toEqual([['a', 7, 'rows_missing']]);
    await append(['a', 90]);
    expect(await faults()).toEqual([['a', 9, 'row_broken']]);
  });
});

describe('the ends of a chain', () => {
  const cut = `update audit_chains set head_seq = 5, head_mac = (select mac from audit where seq = 5) where workspace = 'a'`;

  it('cannot be moved with the rows behind them', async () => {
    tamper('delete from audit where seq = 7', cut);
    expect(await faults()).toEqual([['a', 5, 'seal_broken']]);
  });

  it('stay broken where they were broken, whatever is written or removed after', async () => {
    tamper('delete from audit where seq = 7', cut);
    await append(['a', 90]);
    expect(await faults()).toEqual([['a', 5, 'seal_broken']]);
    await prune(60);
    expect(await faults()).toEqual([['a', 5, 'seal_broken']]);
  });

  it.each(["'broken:0'", "''", "'0'"])('are not made good by the seal %s', async (seal) => {
    tamper('delete from audit where seq = 7', cut, `update audit_chains set seal = ${seal} where workspace = 'a'`);
    await append(['a', 90]);
    expect((await faults()).map(([, , reason]) => reason)).toEqual(['seal_broken']);
  });

  it('cannot be moved past the first rows, as if retention had been there', async () => {
    tamper(
      'delete from audit where seq = 1',
      `update audit_chains set anchor_seq = 1, anchor_mac = '${'0'.repeat(64)}' where workspace = 'a'`,
    );
    expect(await faults()).toEqual([['a', 3, 'row_broken']]);
  });

  it('are missed with their chain, also once a new one has begun in its place', async () => {
    tamper("delete from audit where workspace = 'a'", "delete from audit_chains where workspace = 'a'");
    expect(await verify()).toMatchObject({ ok: false, chainsMissing: true });
    await append(['a', 90]);
    expect(await verify()).toMatchObject({ ok: false, chainsMissing: true });
  });

  it('are missed by name where a workspace or a row says that there was a chain', async () => {
    await store.transaction((tx) => tx.workspaces.insert({ slug: 'd', state: 'active', createdAt: 1 }));
    tamper("delete from audit_chains where workspace = 'a'");
    expect(await faults()).toEqual([
      ['a', 1, 'chain_missing'],
      ['d', null, 'chain_missing'],
    ]);
  });

  it.each([
    "delete from facts where name = 'audit_chains'",
    "update facts set value = '3:x' where name = 'audit_chains'",
  ])('are not counted anew: %s', async (statement) => {
    tamper(statement);
    expect(await verify()).toMatchObject({ ok: false, chainsMissing: true });
    await append(['e', 90]);
    expect(await verify()).toMatchObject({ ok: false, chainsMissing: true });
  });
});

describe('retention', () => {
  it('removes what is old from the beginning and keeps where it ended', async () => {
    expect(await prune(40)).toBe(3);
    const { ok, chains } = await verify();
    expect(ok).toBe(true);
    expect(chains.map(({ workspace, rows, anchor }) => [workspace, rows, anchor.seq])).toEqual([
      [null, 1, 2],
      ['a', 2, 3],
      ['b', 2, 0],
    ]);
  });

  it('leaves what is old behind something newer, so that a chain has no hole', async () => {
    await append(['a', 5]);
    expect(await prune(40)).toBe(3);
    expect(await store.read((view) => view.audit.list({ workspace: 'a', limit: 10 }))).toMatchObject([
      { at: 50 },
      { at: 70 },
      { at: 5 },
    ]);
  });

  it('removes at most so many rows of a chain at once, and all in the end', async () => {
    expect([await prune(100, 3), await prune(100, 3), await prune(100, 3)]).toEqual([7, 1, 0]);
    const emptied = await verify();
    expect(emptied.ok).toBe(true);
    expect(emptied.chains.map(({ rows, anchor, head }) => [rows, anchor.seq, head.seq])).toEqual([
      [0, 6, 6],
      [0, 7, 7],
      [0, 8, 8],
    ]);
    await append(['a', 110]);
    expect((await verify()).ok).toBe(true);
  });

  it('does not cover up a row that is gone behind it', async () => {
    await prune(40);
    tamper('delete from audit where seq = 5');
    expect(await faults()).toEqual([['a', 7, 'row_broken']]);
  });

  it('may go past the place that a verification has reached', async () => {
    let reads = 0;
    const pruning: Pick<Store, 'read' | 'pepper'> = {
      pepper: store.pepper,
      async read(fn) {
        // The survey, the rows of no workspace (three pages), then the first page of `a`.
        if (++reads === 6) await prune(60);
        return store.read(fn);
      },
    };
    const { ok, chains } = await verifyAudit(pruning, { pageSize: 1 });
    expect(ok).toBe(true);
    expect(chains[1]).toMatchObject({ workspace: 'a', rows: 2, anchor: { seq: 5 } });
  });
});

describe('what was noted before', () => {
  it('must still be there, unless retention has removed it', async () => {
    const since = (await verify()).chains;
    await append(['a', 90]);
    expect(await verify({ since })).toMatchObject({ ok: true });
    await prune(100);
    expect(await verify({ since })).toMatchObject({ ok: true });
  });

  it('tells a state that was set back, which its own chains cannot', async () => {
    const backup = new DatabaseSync(file);
    const chain = backup.prepare("select * from audit_chains where workspace = 'a'").get();
    backup.close();
    await append(['a', 90], ['a', 91]);
    const since = (await verify()).chains;
    tamper(
      'delete from audit where seq > 8',
      `update audit_chains set head_seq = ${Number(chain?.head_seq)}, head_mac = '${String(chain?.head_mac)}',
        seal = '${String(chain?.seal)}' where workspace = 'a'`,
    );
    expect(await faults()).toEqual([]);
    expect(await faults({ since })).toEqual([['a', 10, 'since_missing']]);
    // Rows that were written since under the same numbers are not the noted ones.
    tamper("update counters set value = 8 where name = 'audit'");
    await append(['a', 92], ['a', 93]);
    expect(await faults({ since })).toEqual([['a', 10, 'since_missing']]);
  });

  it('is missed with its workspace', async () => {
    const since = [{ workspace: 'gone', head: { seq: 4, mac: 'x' } }];
    expect(await faults({ since })).toEqual([['gone', 4, 'chain_missing']]);
  });
});

it('chains the rows of a state that was made before there were chains', async () => {
  await store.close();
  tamper(
    "delete from migrations where name = '0002-audit-chains'",
    'alter table audit drop column mac',
    'drop table audit_chains',
    'drop index revocations_of_workspace',
    "delete from facts where name = 'audit_chains'",
  );
  store = await open();
  expect(await verify()).toMatchObject({ ok: true, chains: [{ rows: 2 }, { rows: 4 }, { rows: 2 }] });
  await append(['a', 90]);
  expect((await verify()).ok).toBe(true);
  tamper('delete from audit where seq = 3');
  expect(await faults()).toEqual([['a', 5, 'row_broken']]);
});
