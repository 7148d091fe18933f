import type { Selectable } from 'kysely';
import type { AccountRecord, Accounts } from '../port.ts';
import { countUp } from './counter.ts';
import type { Database, Schema } from './schema.ts';

export function accountsOf(db: Database): Accounts {
  const accounts = () => db.selectFrom('accounts').selectAll();
  return {
    async get(workspace, id) {
      const row = await accounts().where('workspace', '=', workspace).where('id', '=', id).executeTakeFirst();
      return row && read(row);
    },
    async byClientId(clientId) {
      const row = await accounts().where('client_id', '=', clientId).executeTakeFirst();
      return row && read(row);
    },
    async byClientIds(clientIds) {
      if (clientIds.length === 0) return [];
      return (await accounts().where('client_id', 'in', clientIds).execute()).map(read);
    },
    async list(workspace, limit, after = 0) {
      const rows = await accounts()
        .where('workspace', '=', workspace)
        .where('id', '>', after)
        .orderBy('id')
        .limit(limit)
        .execute();
      return rows.map(read);
    },
    async anyWithRole(workspace, role) {
      return (await holders(db, workspace, role)).length > 0;
    },
    async withRole(workspace, role) {
      return (await holders(db, workspace, role)).filter((account) => !account.disabled);
    },
    async insert(record) {
      const id = await countUp(db, 'account');
      await db
        .insertInto('accounts')
        .values({
          id,
          workspace: record.workspace,
          client_id: record.clientId,
          name: record.name,
          description: record.description,
          roles: JSON.stringify(record.roles),
          disabled: record.disabled ? 1 : 0,
          created_at: record.createdAt,
        })
        .execute();
      return id;
    },
    async update(clientId, { name, description, roles, disabled }) {
      const { numUpdatedRows } = await db
        .updateTable('accounts')
        .set({
          client_id: clientId,
          ...(name === undefined ? {} : { name }),
          ...(description === undefined ? {} : { description }),
          ...(roles === undefined ? {} : { roles: JSON.stringify(roles) }),
          ...(disabled === undefined ? {} : { disabled: disabled ? 1 : 0 }),
        })
        .where('client_id', '=', clientId)
        .executeTakeFirst();
      return numUpdatedRows === 1n;
    },
    async delete(clientId) {
      await db.deleteFrom('credentials').where('client_id', '=', clientId).execute();
      const { numDeletedRows } = await db.deleteFrom('accounts').where('client_id', '=', clientId).executeTakeFirst();
      return numDeletedRows === 1n;
    },
  };
}

/** LIKE finds too much at most (`_` is a wildcard); the list itself decides. */
async function holders(db: Database, workspace: string, role: string): Promise<readonly AccountRecord[]> {
  const rows = await db
    .selectFrom('accounts')
    .selectAll()
    .where('workspace', '=', workspace)
    .where('roles', 'like', `%"${role}"%`)
    .orderBy('id')
    .execute();
  return rows.map(read).filter((account) => account.roles.includes(role));
}

function read(row: Selectable<Schema['accounts']>): AccountRecord {
  return {
    id: row.id,
    workspace: row.workspace,
    clientId: row.client_id,
    name: row.name,
    description: row.description,
    roles: JSON.parse(row.roles),
    disabled: row.disabled === 1,
    createdAt: row.created_at,
  };
}
