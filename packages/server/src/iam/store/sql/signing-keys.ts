import type { SigningKeys } from '../port.ts';
import type { Database } from './schema.ts';

export function signingKeysOf(db: Database): SigningKeys {
  return {
    async list() {
      const rows = await db.selectFrom('signing_keys').selectAll().orderBy('created_at').orderBy('kid').execute();
      return rows.map((row) => ({
        kid: row.kid,
        alg: row.alg,
        privateJwk: JSON.parse(row.private_jwk),
        publicJwk: JSON.parse(row.public_jwk),
        createdAt: row.created_at,
        signFrom: row.sign_from,
        retireAt: row.retire_at,
        withdrawnAt: row.withdrawn_at,
      }));
    },
    async insert(key) {
      await db
        .insertInto('signing_keys')
        .values({
          kid: key.kid,
          alg: key.alg,
          private_jwk: JSON.stringify(key.privateJwk),
          public_jwk: JSON.stringify(key.publicJwk),
          created_at: key.createdAt,
          sign_from: key.signFrom,
          retire_at: key.retireAt,
          withdrawn_at: key.withdrawnAt,
        })
        .execute();
    },
    async update(kid, { signFrom, retireAt, withdrawnAt }) {
      const { numUpdatedRows } = await db
        .updateTable('signing_keys')
        .set({
          kid,
          ...(signFrom === undefined ? {} : { sign_from: signFrom }),
          ...(retireAt === undefined ? {} : { retire_at: retireAt }),
          ...(withdrawnAt === undefined ? {} : { withdrawn_at: withdrawnAt }),
        })
        .where('kid', '=', kid)
        .executeTakeFirst();
      return numUpdatedRows === 1n;
    },
    async delete(kid) {
      const { numDeletedRows } = await db.deleteFrom('signing_keys').where('kid', '=', kid).executeTakeFirst();
      return numDeletedRows === 1n;
    },
  };
}
