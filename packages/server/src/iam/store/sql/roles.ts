import type { Selectable } from 'kysely';
import type { RoleRecord, Roles } from '../port.ts';
import type { Database, Schema } from './schema.ts';

export function rolesOf(db: Database): Roles {
  const roles = () => db.selectFrom('roles').selectAll().orderBy('workspace').orderBy('name');
  return {
    async get(workspace, name) {
      const row = await roles().where('workspace', '=', workspace).where('name', '=', name).executeTakeFirst();
      return row && read(row);
    },
    async list(workspace) {
      return (await roles().where('workspace', '=', workspace).execute()).map(read);
    },
    async ofWorkspaces(workspaces) {
      if (workspaces.length === 0) return [];
      return (await roles().where('workspace', 'in', workspaces).execute()).map(read);
    },
    async put(record) {
      const change = { grants: JSON.stringify(record.grants), updated_at: record.updatedAt };
      await db
        .insertInto('roles')
        .values({ workspace: record.workspace, name: record.name, created_at: record.createdAt, ...change })
        .onConflict((conflict) => conflict.columns(['workspace', 'name']).doUpdateSet(change))
        .execute();
    },
    async delete(workspace, name) {
      const { numDeletedRows } = await db
        .deleteFrom('roles')
        .where('workspace', '=', workspace)
        .where('name', '=', name)
        .executeTakeFirst();
      return numDeletedRows === 1n;
    },
  };
}

function read(row: Selectable<Schema['roles']>): RoleRecord {
  return {
    workspace: row.workspace,
    name: row.name,
    grants: JSON.parse(row.grants),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
