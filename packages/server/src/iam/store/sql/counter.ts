import { sql } from 'kysely';
import type { Database } from './schema.ts';

/**
 * Takes the next `count` numbers of a counter and gives the last of them. The row stays locked until the
 * commit, so that numbers become visible in their order (a sequence would let a later one through first).
 */
export async function countUp(db: Database, name: 'revision' | 'account' | 'audit', count = 1): Promise<number> {
  const { value } = await db
    .updateTable('counters')
    .set({ value: sql<number>`value + ${count}` })
    .where('name', '=', name)
    .returning('value')
    .executeTakeFirstOrThrow();
  return value;
}

/** A counter's present value. */
export async function countOf(db: Database, name: 'revision' | 'trimmed'): Promise<number> {
  const { value } = await db.selectFrom('counters').select('value').where('name', '=', name).executeTakeFirstOrThrow();
  return value;
}
