import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createIam } from '../../iam/index.ts';
import { fakeIo } from '../io.fixture.ts';
import { run } from '../run.ts';

let folder: string;
const file = (): string => join(folder, 'state.db');

async function verify(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const io = fakeIo({ env: { CENTRALI_DATA: folder } });
  const code = await run(['audit', 'verify', ...args], io);
  return { code, out: io.out(), err: io.err() };
}

/** The row of `demo` that made the workspace; removes it. */
function removeFirstRow(): void {
  const database = new DatabaseSync(file());
  database.exec("delete from audit where workspace = 'demo' and action = 'workspace.create'");
  database.close();
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'centrali-audit-'));
  const iam = await createIam({ file: file(), issuer: 'http://127.0.0.1:1', algorithm: 'ES256' });
  await iam.ensureWorkspace('demo');
  await iam.putMember({ workspace: 'demo', sub: 'ann', role: 'viewer' });
  expect((await iam.verifyAudit()).ok).toBe(true);
  await iam.close();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('audit verify', () => {
  it('finds a log good that nobody touched', async () => {
    const { code, out, err } = await verify();
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/^\(none\) +1 +1 +good$/m);
    expect(out).toMatch(/^demo +2 +3 +good$/m);
    const json = await verify('--json');
    expect(json.code).toBe(0);
    expect(JSON.parse(json.out)).toMatchObject({
      ok: true,
      chainsMissing: false,
      chains: [
        { workspace: null, rows: 1 },
        { workspace: 'demo', rows: 2, head: { seq: 3, mac: expect.stringMatching(/^[0-9a-f]{64}$/) } },
      ],
    });
  });

  it('fails with the first row that is bad, and one object with --json', async () => {
    removeFirstRow();
    const { code, out, err } = await verify();
    expect(code).toBe(1);
    expect(out).toMatch(/^demo .*broken at row 3$/m);
    expect(err).toMatch(/^centrali: The audit log of workspace demo is broken at row 3: it was changed or moved/);
    const json = await verify('--json');
    expect(json.code).toBe(1);
    expect(JSON.parse(json.out)).toMatchObject({
      ok: false,
      error: expect.stringContaining('row 3'),
      firstBad: { workspace: 'demo', seq: 3, reason: 'row_broken' },
    });
  });

  it('tells with --since that the state was set back', async () => {
    const noted = join(folder, 'noted.json');
    const { chains, ...rest } = JSON.parse((await verify('--json')).out);
    writeFileSync(noted, JSON.stringify({ ...rest, chains }));
    expect((await verify('--since', noted)).code).toBe(0);
    const later = chains.map((chain: { head: object }) => ({ ...chain, head: { ...chain.head, seq: 99 } }));
    writeFileSync(noted, JSON.stringify({ chains: later }));
    const { code, err } = await verify('--since', noted);
    expect(code).toBe(1);
    expect(err).toContain('broken at row 99: it is not the row that was noted');
  });

  it.each(['', 'null', '{}', '{"chains":[{}]}', '{"chains":[{"workspace":1,"head":{"seq":1,"mac":""}}]}'])(
    'refuses notes that are none: %s',
    async (text) => {
      const noted = join(folder, 'noted.json');
      writeFileSync(noted, text);
      expect((await verify('--since', noted)).code).toBe(2);
    },
  );

  it('makes no state where there is none', async () => {
    rmSync(file());
    const { code, err } = await verify();
    expect([code, err]).toEqual([1, `centrali: There is no state in ${folder}.\n`]);
  });
});
