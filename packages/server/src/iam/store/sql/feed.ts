import type { Change } from '@centrali-io/protocol';
import type { Feed } from '../port.ts';
import { countOf } from './counter.ts';
import type { Database } from './schema.ts';

export function feedOf(db: Database, epoch: string): Feed {
  return {
    async head() {
      return { epoch, revision: await countOf(db, 'revision') };
    },
    async after(revision, limit) {
      if (revision < (await countOf(db, 'trimmed'))) return undefined;
      const rows = await db
        .selectFrom('feed')
        .selectAll()
        .where('revision', '>', revision)
        .orderBy('revision')
        .limit(limit)
        .execute();
      return rows.map((row) => ({ revision: row.revision, change: JSON.parse(row.change) as Change }));
    },
    async trim(keep) {
      const upTo = (await countOf(db, 'revision')) - keep;
      if (upTo <= (await countOf(db, 'trimmed'))) return 0;
      await db.updateTable('counters').set({ value: upTo }).where('name', '=', 'trimmed').execute();
      const { numDeletedRows } = await db.deleteFrom('feed').where('revision', '<=', upTo).executeTakeFirst();
      return Number(numDeletedRows);
    },
  };
}

export async function insertFeedRow(db: Database, revision: number, change: Change): Promise<void> {
  await db
    .insertInto('feed')
    .values({ revision, change: JSON.stringify(change) })
    .execute();
}
