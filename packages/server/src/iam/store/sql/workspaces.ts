import type { Selectable } from 'kysely';
import type { WorkspaceRecord, WorkspaceState, Workspaces } from '../port.ts';
import type { Database, Schema } from './schema.ts';

export function workspacesOf(db: Database): Workspaces {
  return {
    async get(slug) {
      const row = await db.selectFrom('workspaces').selectAll().where('slug', '=', slug).executeTakeFirst();
      return row && read(row);
    },
    async list() {
      return (await db.selectFrom('workspaces').selectAll().orderBy('slug').execute()).map(read);
    },
    async insert({ slug, state, createdAt }) {
      const { numInsertedOrUpdatedRows } = await db
        .insertInto('workspaces')
        .values({ slug, state, created_at: createdAt })
        .onConflict((conflict) => conflict.doNothing())
        .executeTakeFirst();
      return numInsertedOrUpdatedRows === 1n;
    },
    async setState(slug, state) {
      const { numUpdatedRows } = await db
        .updateTable('workspaces')
        .set({ state })
        .where('slug', '=', slug)
        .executeTakeFirst();
      return numUpdatedRows === 1n;
    },
  };
}

function read(row: Selectable<Schema['workspaces']>): WorkspaceRecord {
  return { slug: row.slug, state: row.state as WorkspaceState, createdAt: row.created_at };
}
