import type { Selectable } from 'kysely';
import type { Providers, StoredProvider } from '../port.ts';
import type { Database, Schema } from './schema.ts';

export function providersOf(db: Database): Providers {
  const providers = () => db.selectFrom('providers').selectAll('providers').orderBy('created_at').orderBy('id');
  return {
    async get(id) {
      const row = await providers().where('id', '=', id).executeTakeFirst();
      return row && read(row);
    },
    async list(workspace) {
      const rows = await providers()
        .where('id', 'in', (from) =>
          from.selectFrom('provider_workspaces').select('provider').where('workspace', '=', workspace),
        )
        .execute();
      return rows.map(read);
    },
    async all() {
      return (await providers().execute()).map(read);
    },
    async put({ record, createdAt, updatedAt }) {
      const change = { record: JSON.stringify(record), updated_at: updatedAt };
      await db
        .insertInto('providers')
        .values({ id: record.id, created_at: createdAt, ...change })
        .onConflict((conflict) => conflict.column('id').doUpdateSet(change))
        .execute();
      await db.deleteFrom('provider_workspaces').where('provider', '=', record.id).execute();
      for (const workspace of record.workspaces)
        await db.insertInto('provider_workspaces').values({ provider: record.id, workspace }).execute();
    },
    async delete(id) {
      await db.deleteFrom('provider_workspaces').where('provider', '=', id).execute();
      const { numDeletedRows } = await db.deleteFrom('providers').where('id', '=', id).executeTakeFirst();
      return numDeletedRows === 1n;
    },
  };
}

function read(row: Selectable<Schema['providers']>): StoredProvider {
  return { record: JSON.parse(row.record), createdAt: row.created_at, updatedAt: row.updated_at };
}
