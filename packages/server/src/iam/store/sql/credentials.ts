import type { Selectable } from 'kysely';
import type { CredentialRecord, Credentials } from '../port.ts';
import type { Database, Schema } from './schema.ts';

export function credentialsOf(db: Database): Credentials {
  const credentials = () => db.selectFrom('credentials').selectAll().orderBy('created_at').orderBy('cred');
  return {
    async ofClient(clientId) {
      return (await credentials().where('client_id', '=', clientId).execute()).map(read);
    },
    async byCreds(creds) {
      if (creds.length === 0) return [];
      return (await credentials().where('cred', 'in', creds).execute()).map(read);
    },
    async endingBetween(after, upTo) {
      const rows = await credentials().where('valid_until', '>', after).where('valid_until', '<=', upTo).execute();
      return rows.map(read);
    },
    async insert(record) {
      await db
        .insertInto('credentials')
        .values({
          cred: record.cred,
          client_id: record.clientId,
          kind: record.kind,
          value: record.kind === 'secret' ? record.hash : JSON.stringify(record.jwk),
          created_at: record.createdAt,
          valid_until: record.validUntil,
        })
        .execute();
    },
    async setValidUntil(cred, validUntil) {
      const { numUpdatedRows } = await db
        .updateTable('credentials')
        .set({ valid_until: validUntil })
        .where('cred', '=', cred)
        .executeTakeFirst();
      return numUpdatedRows === 1n;
    },
    async delete(cred) {
      const { numDeletedRows } = await db.deleteFrom('credentials').where('cred', '=', cred).executeTakeFirst();
      return numDeletedRows === 1n;
    },
  };
}

function read(row: Selectable<Schema['credentials']>): CredentialRecord {
  const base = { cred: row.cred, clientId: row.client_id, createdAt: row.created_at, validUntil: row.valid_until };
  return row.kind === 'secret'
    ? { ...base, kind: 'secret', hash: row.value }
    : { ...base, kind: 'key', jwk: JSON.parse(row.value) };
}
