import { sql } from 'kysely';
import { type Database, MIGRATIONS } from './schema.ts';

/**
 * Brings the schema up to date; runs within a write transaction, so that two processes that open the
 * state at once do not both do it. Throws when the state was made by a newer version.
 */
export async function migrate(db: Database): Promise<void> {
  await sql`create table if not exists migrations (name text primary key)`.execute(db);
  const { rows } = await sql<{ name: string }>`select name from migrations`.execute(db);
  const done = new Set(rows.map((row) => row.name));
  for (const { name, statements } of MIGRATIONS) {
    if (done.delete(name)) continue;
    for (const statement of statements) await sql.raw(statement).execute(db);
    await sql`insert into migrations (name) values (${name})`.execute(db);
  }
  if (done.size > 0) throw new Error(`The state was made by a newer version (${[...done].join(', ')}).`);
}
