import { type Selectable, sql } from 'kysely';
import { begunChain, CHAIN_START, macOf, movedTo, readCount, writeCount } from '../audit-chain.ts';
import type { AuditChain, AuditLog, AuditMark, AuditRow, NewAuditRow } from '../port.ts';
import { countUp } from './counter.ts';
import type { Database, Schema } from './schema.ts';

type Row = Selectable<Schema['audit']>;

/** Rows of one insert: SQLite takes at most 32,766 parameters. */
const CHUNK = 500;

/** The fact that says how many chains there are. */
const CHAIN_COUNT = 'audit_chains';

/** What a row's `mac` covers. The order never changes. */
const COLUMNS = [
  'seq',
  'workspace',
  'at',
  'kind',
  'action',
  'target',
  'code',
  'reason',
  'provider',
  'principal_kind',
  'sub',
  'client_id',
  'jti',
  'address',
  'request_id',
  'connection_id',
  'revision',
  'count',
  'detail',
] as const satisfies readonly (keyof Row)[];

export function auditOf(db: Database, key: Uint8Array): AuditLog {
  const ofChain = (workspace: string | null) => {
    const rows = db.selectFrom('audit').orderBy('seq');
    return workspace === null ? rows.where('workspace', 'is', null) : rows.where('workspace', '=', workspace);
  };
  const find = async (workspace: string | null): Promise<AuditChain | undefined> => {
    const row = await db
      .selectFrom('audit_chains')
      .selectAll()
      .where('workspace', '=', workspace ?? '')
      .executeTakeFirst();
    return row && readChain(row);
  };
  const countText = async (): Promise<string | undefined> =>
    (await db.selectFrom('facts').select('value').where('name', '=', CHAIN_COUNT).executeTakeFirst())?.value;
  /** One more chain. Where the number does not fit any more, it never will again. */
  const countOne = async (): Promise<void> => {
    const { number } = await db
      .selectFrom('audit_chains')
      .select((from) => from.fn.countAll<number>().as('number'))
      .executeTakeFirstOrThrow();
    const known = readCount(key, await countText());
    const value = known === number ? writeCount(key, known + 1) : 'broken';
    await db
      .insertInto('facts')
      .values({ name: CHAIN_COUNT, value })
      .onConflict((conflict) => conflict.column('name').doUpdateSet({ value }))
      .execute();
  };
  return {
    async list({ workspace, after = 0, limit, code, sub, kind }) {
      let query = ofChain(workspace).selectAll().where('seq', '>', after).limit(limit);
      if (code !== undefined) query = query.where('code', '=', code);
      if (sub !== undefined) query = query.where('sub', '=', sub);
      if (kind !== undefined) query = query.where('kind', '=', kind);
      return (await query.execute()).map(read);
    },
    async chains() {
      const rows = await db.selectFrom('audit_chains').selectAll().orderBy('workspace').execute();
      return { chains: rows.map(readChain), count: readCount(key, await countText()) };
    },
    chain: find,
    async links(workspace, after, limit) {
      const rows = await ofChain(workspace).selectAll().where('seq', '>', after).limit(limit).execute();
      return rows.map((row) => ({ seq: row.seq, mac: row.mac, content: contentOf(row) }));
    },
    async workspaces() {
      const rows = await db.selectFrom('audit').select('workspace').distinct().orderBy('workspace').execute();
      return rows.map(({ workspace }) => workspace);
    },
    async append(rows) {
      if (rows.length === 0) return;
      // The counter's row is locked until the commit: whoever writes chains on waits for it.
      const first = (await countUp(db, 'audit', rows.length)) - rows.length + 1;
      const ends = new Map<string | null, { readonly chain: AuditChain | undefined; head: AuditMark }>();
      const chained: Row[] = [];
      for (const [index, row] of rows.entries()) {
        const { workspace } = row;
        let end = ends.get(workspace);
        if (!end) {
          const chain = await find(workspace);
          end = { chain, head: chain?.head ?? CHAIN_START };
          ends.set(workspace, end);
        }
        const unchained = { ...write(row), seq: first + index };
        const mac = macOf(key, end.head.mac, contentOf(unchained));
        end.head = { seq: unchained.seq, mac };
        chained.push({ ...unchained, mac });
      }
      for (let from = 0; from < chained.length; from += CHUNK)
        await db
          .insertInto('audit')
          .values(chained.slice(from, from + CHUNK))
          .execute();
      for (const [workspace, { chain, head }] of ends) {
        if (!chain) await countOne();
        await putChain(db, chain ? movedTo(key, chain, { head }) : begunChain(key, workspace, head));
      }
    },
    async prune(before, limit = 10_000) {
      const { rows: due } = await sql<Selectable<Schema['audit_chains']>>`
        select * from audit_chains where ${before} > (select at from audit
          where workspace is not distinct from nullif(audit_chains.workspace, '') order by seq limit 1)`.execute(db);
      let removed = 0;
      for (const chain of due.map(readChain)) {
        const { workspace } = chain;
        const stays = await ofChain(workspace).select('seq').where('at', '>=', before).limit(1).executeTakeFirst();
        let goes = ofChain(workspace).select(['seq', 'mac']).limit(limit);
        if (stays) goes = goes.where('seq', '<', stays.seq);
        const rows = await goes.execute();
        const last = rows.at(-1);
        if (!last) continue;
        const old = db.deleteFrom('audit').where('seq', '<=', last.seq);
        await (workspace === null
          ? old.where('workspace', 'is', null)
          : old.where('workspace', '=', workspace)
        ).execute();
        await putChain(db, movedTo(key, chain, { anchor: { seq: last.seq, mac: last.mac } }));
        removed += rows.length;
      }
      return removed;
    },
  };
}

/** Chains the rows of a state that was made before there were chains. */
export async function chainAudit(db: Database, key: Uint8Array): Promise<void> {
  const audit = auditOf(db, key);
  let chains = 0;
  for (const workspace of await audit.workspaces()) {
    let head = CHAIN_START;
    for (;;) {
      const links = await audit.links(workspace, head.seq, CHUNK);
      if (links.length === 0) break;
      for (const { seq, content } of links) {
        const mac = macOf(key, head.mac, content);
        await db.updateTable('audit').set({ mac }).where('seq', '=', seq).execute();
        head = { seq, mac };
      }
    }
    await putChain(db, begunChain(key, workspace, head));
    chains++;
  }
  await db
    .insertInto('facts')
    .values({ name: CHAIN_COUNT, value: writeCount(key, chains) })
    .execute();
}

async function putChain(db: Database, { workspace, anchor, head, seal }: AuditChain): Promise<void> {
  const ends = { anchor_seq: anchor.seq, anchor_mac: anchor.mac, head_seq: head.seq, head_mac: head.mac, seal };
  await db
    .insertInto('audit_chains')
    .values({ workspace: workspace ?? '', ...ends })
    .onConflict((conflict) => conflict.column('workspace').doUpdateSet(ends))
    .execute();
}

function readChain(row: Selectable<Schema['audit_chains']>): AuditChain {
  return {
    workspace: row.workspace === '' ? null : row.workspace,
    anchor: { seq: row.anchor_seq, mac: row.anchor_mac },
    head: { seq: row.head_seq, mac: row.head_mac },
    seal: row.seal,
  };
}

/** A row as text: every column, in a fixed order, as it is stored. */
function contentOf(row: Omit<Row, 'mac'>): string {
  return JSON.stringify(['audit-row-1', ...COLUMNS.map((column) => row[column])]);
}

function write(row: NewAuditRow): Omit<Row, 'seq' | 'mac'> {
  return {
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
