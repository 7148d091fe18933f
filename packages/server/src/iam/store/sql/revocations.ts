import type { Selectable } from 'kysely';
import type { Revocations, StoredRevocation, UsedJtis } from '../port.ts';
import type { Database, Schema } from './schema.ts';

export function revocationsOf(db: Database): Revocations {
  const revocations = () => db.selectFrom('revocations').selectAll().orderBy('revision');
  return {
    async get(workspace, revision) {
      const row = await revocations()
        .where('workspace', '=', workspace)
        .where('revision', '=', revision)
        .executeTakeFirst();
      return row && read(row);
    },
    async list(workspace, limit, after = 0) {
      const rows = await revocations()
        .where('workspace', '=', workspace)
        .where('revision', '>', after)
        .limit(limit)
        .execute();
      return rows.map(read);
    },
    async count(workspace, now) {
      const { number } = await db
        .selectFrom('revocations')
        .select((from) => from.fn.countAll<number>().as('number'))
        .where('workspace', '=', workspace)
        .where((where) => where.or([where('expires_at', 'is', null), where('expires_at', '>', now)]))
        .executeTakeFirstOrThrow();
      return number;
    },
    async live(now) {
      const rows = await revocations()
        .where((where) => where.or([where('expires_at', 'is', null), where('expires_at', '>', now)]))
        .execute();
      return rows.map(read);
    },
    async insert({ revision, revocation, createdAt, expiresAt }) {
      await db
        .insertInto('revocations')
        .values({
          revision,
          workspace: revocation.workspace,
          record: JSON.stringify(revocation),
          created_at: createdAt,
          expires_at: expiresAt,
        })
        .execute();
    },
    async delete(revision) {
      const { numDeletedRows } = await db.deleteFrom('revocations').where('revision', '=', revision).executeTakeFirst();
      return numDeletedRows === 1n;
    },
    async prune(now) {
      const { numDeletedRows } = await db.deleteFrom('revocations').where('expires_at', '<=', now).executeTakeFirst();
      return Number(numDeletedRows);
    },
  };
}

export function usedJtisOf(db: Database): UsedJtis {
  return {
    async take(clientId, jti, expiresAt) {
      const { numInsertedOrUpdatedRows } = await db
        .insertInto('used_jtis')
        .values({ client_id: clientId, jti, expires_at: expiresAt })
        .onConflict((conflict) => conflict.doNothing())
        .executeTakeFirst();
      return numInsertedOrUpdatedRows === 1n;
    },
    async prune(now) {
      const { numDeletedRows } = await db.deleteFrom('used_jtis').where('expires_at', '<=', now).executeTakeFirst();
      return Number(numDeletedRows);
    },
  };
}

function read(row: Selectable<Schema['revocations']>): StoredRevocation {
  return {
    revision: row.revision,
    revocation: JSON.parse(row.record),
    createdAt: row.created_at,
    expiresAt: row.expires_at,
  };
}
