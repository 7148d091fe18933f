import { sql } from 'kysely';
import { MIGRATIONS } from './migrations.ts';
import type { Database } from './schema.ts';

/**
 * Brings the schema up to date; runs within a write transaction, so that two processes that open the
 * state at once do not both do it. `pepper` is asked for once the facts are there. Throws when the state was made by a newer version.
 */
export async function migrate(db: Database, pepper: () => Promise<Uint8Array>): Promise<void> {
  await sql`create table if not exists migrations (name text primary key)`.execute(db);
  const { rows } = await sql<{ name: string }>`select name from migrations`.execute(db);
  const done = new Set(rows.map((row) => row.name));
  for (const { name, statements, run } of MIGRATIONS) {
    if (done.delete(name)) continue;
    for (const statement of statements) await sql.raw(statement).execute(db);
    await run?.(db, await pepper());
    await sql`insert into migrations (name) values (${name})`.execute(db);
  }
  if (done.size > 0) throw new Error(`The state was made by a newer version (${[...done].join(', ')}).`);
}
