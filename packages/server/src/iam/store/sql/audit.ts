import type { Selectable } from 'kysely';
import type { AuditLog, AuditRow, NewAuditRow } from '../port.ts';
import { countUp } from './counter.ts';
import type { Database, Schema } from './schema.ts';

type Row = Selectable<Schema['audit']>;

/** Rows of one insert: SQLite takes at most 32,766 parameters. */
const CHUNK = 500;

export function auditOf(db: Database): AuditLog {
  return {
    async list({ workspace, after = 0, limit, code, sub, kind }) {
      let query = db
        .selectFrom('audit')
        .selectAll()
        .where('workspace', '=', workspace)
        .where('seq', '>', after)
        .orderBy('seq')
        .limit(limit);
      if (code !== undefined) query = query.where('code', '=', code);
      if (sub !== undefined) query = query.where('sub', '=', sub);
      if (kind !== undefined) query = query.where('kind', '=', kind);
      return (await query.execute()).map(read);
    },
    async append(rows) {
      if (rows.length === 0) return;
      const first = (await countUp(db, 'audit', rows.length)) - rows.length + 1;
      for (let from = 0; from < rows.length; from += CHUNK)
        await db
          .insertInto('audit')
          .values(rows.slice(from, from + CHUNK).map((row, index) => write(first + from + index, row)))
          .execute();
    },
    async prune(before) {
      const { numDeletedRows } = await db.deleteFrom('audit').where('at', '<', before).executeTakeFirst();
      return Number(numDeletedRows);
    },
  };
}

function write(seq: number, row: NewAuditRow): Row {
  return {
    seq,
    workspace: row.workspace,
    at: row.at,
    kind: row.kind,
    action: row.action ?? null,
    target: row.target ?? null,
    code: row.code ?? null,
    reason: row.reason ?? null,
    provider: row.provider ?? null,
    principal_kind: row.principalKind ?? null,
    sub: row.sub ?? null,
    client_id: row.clientId ?? null,
    jti: row.jti ?? null,
    address: row.address ?? null,
    request_id: row.requestId ?? null,
    connection_id: row.connectionId ?? null,
    revision: row.revision ?? null,
    count: row.count ?? 1,
    detail: row.detail === undefined ? null : JSON.stringify(row.detail),
  };
}

function read(row: Row): AuditRow {
  const optional = {
    action: row.action,
    target: row.target,
    code: row.code,
    reason: row.reason,
    provider: row.provider,
    principalKind: row.principal_kind,
    sub: row.sub,
    clientId: row.client_id,
    jti: row.jti,
    address: row.address,
    requestId: row.request_id,
    connectionId: row.connection_id,
    revision: row.revision,
    detail: row.detail === null ? null : JSON.parse(row.detail),
  };
  const present = Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== null));
  return {
    seq: row.seq,
    workspace: row.workspace,
    at: row.at,
    kind: row.kind as AuditRow['kind'],
    count: row.count,
    ...present,
  };
}
