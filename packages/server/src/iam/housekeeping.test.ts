import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { verifyAudit } from './audit/verify.ts';
import { prune } from './housekeeping.ts';
import { openSqliteStore } from './store/sqlite.ts';

it('keeps audit rows for their age, or for good, and the chains whole', async () => {
  const store = await openSqliteStore({ file: ':memory:', randomBytes });
  const DAY = 86_400_000;
  const times = async () =>
    (await store.read((view) => view.audit.list({ workspace: 'demo', limit: 9 }))).map(({ at }) => at / DAY);
  await store.transaction((tx) =>
    tx.audit.append([1, 2, 3].map((day) => ({ workspace: 'demo', at: day * DAY, kind: 'connect' }))),
  );
  const round = (auditMaxAgeSeconds: number) =>
    prune({
      store,
      keys: { prune: async () => {} },
      audit: { tick: async () => {} },
      feedRows: 10,
      auditMaxAgeSeconds,
      now: () => 5 * DAY,
    });
  await round(0);
  expect(await times()).toEqual([1, 2, 3]);
  await round((3 * DAY) / 1_000);
  expect(await times()).toEqual([2, 3]);
  expect((await verifyAudit(store)).ok).toBe(true);
  await store.close();
});
