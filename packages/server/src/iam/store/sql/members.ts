import type { Selectable } from 'kysely';
import type { MemberRecord, Members } from '../port.ts';
import type { Database, Schema } from './schema.ts';

export function membersOf(db: Database): Members {
  const members = () => db.selectFrom('members').selectAll();
  return {
    async get({ workspace, provider, sub }) {
      const row = await members()
        .where('workspace', '=', workspace)
        .where('provider', '=', provider)
        .where('sub', '=', sub)
        .executeTakeFirst();
      return row && read(row);
    },
    async getMany(keys) {
      if (keys.length === 0) return [];
      const rows = await members()
        .where((where) =>
          where.or(
            keys.map(({ workspace, provider, sub }) =>
              where.and([where('workspace', '=', workspace), where('provider', '=', provider), where('sub', '=', sub)]),
            ),
          ),
        )
        .execute();
      return rows.map(read);
    },
    async list(workspace, limit, after) {
      let query = members().where('workspace', '=', workspace).orderBy('provider').orderBy('sub').limit(limit);
      if (after)
        query = query.where((where) =>
          where.or([
            where('provider', '>', after.provider),
            where.and([where('provider', '=', after.provider), where('sub', '>', after.sub)]),
          ]),
        );
      return (await query.execute()).map(read);
    },
    async withRole(workspace, role) {
      const rows = await members()
        .where('workspace', '=', workspace)
        .where('roles', 'like', `%"${role}"%`)
        .orderBy('provider')
        .orderBy('sub')
        .execute();
      // LIKE finds too much at most (`_` is a wildcard); the list itself decides.
      return rows.map(read).filter((member) => !member.blocked && member.roles.includes(role));
    },
    async put(record) {
      const change = {
        roles: JSON.stringify(record.roles),
        blocked: record.blocked ? 1 : 0,
        updated_at: record.updatedAt,
      };
      await db
        .insertInto('members')
        .values({
          workspace: record.workspace,
          provider: record.provider,
          sub: record.sub,
          created_at: record.createdAt,
          ...change,
        })
        .onConflict((conflict) => conflict.columns(['workspace', 'provider', 'sub']).doUpdateSet(change))
        .execute();
    },
    async delete({ workspace, provider, sub }) {
      const { numDeletedRows } = await db
        .deleteFrom('members')
        .where('workspace', '=', workspace)
        .where('provider', '=', provider)
        .where('sub', '=', sub)
        .executeTakeFirst();
      return numDeletedRows === 1n;
    },
  };
}

function read(row: Selectable<Schema['members']>): MemberRecord {
  return {
    workspace: row.workspace,
    provider: row.provider,
    sub: row.sub,
    roles: JSON.parse(row.roles),
    blocked: row.blocked === 1,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
