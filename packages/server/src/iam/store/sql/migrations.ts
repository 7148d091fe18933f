/** How the tables come about. */
import { auditKeyOf } from '../audit-chain.ts';
import { chainAudit } from './audit.ts';
import type { Database } from './schema.ts';

/** One step of the schema; it runs once, in order, within the transaction of `migrate`. */
export interface Migration {
  readonly name: string;
  readonly statements: readonly string[];
  /** What the statements cannot do, after them. `pepper` is the state's. */
  readonly run?: (db: Database, pepper: Uint8Array) => Promise<void>;
}

/** Append only: a released step never changes. */
export const MIGRATIONS: readonly Migration[] = [
  {
    name: '0001-state',
    statements: [
      'create table counters (name text primary key, value bigint not null)',
      "insert into counters (name, value) values ('revision', 0), ('account', 0), ('audit', 0), ('trimmed', 0)",
      'create table facts (name text primary key, value text not null)',
      'create table workspaces (slug text primary key, state text not null, created_at bigint not null)',
      `create table signing_keys (kid text primary key, alg text not null, private_jwk text not null,
        public_jwk text not null, created_at bigint not null, sign_from bigint not null, retire_at bigint,
        withdrawn_at bigint)`,
      `create table accounts (id bigint primary key, workspace text not null, client_id text not null unique,
        name text not null, description text, roles text not null, disabled integer not null,
        created_at bigint not null)`,
      'create index accounts_of_workspace on accounts (workspace, id)',
      `create table credentials (cred text primary key, client_id text not null, kind text not null,
        value text not null, created_at bigint not null, valid_until bigint)`,
      'create index credentials_of_client on credentials (client_id)',
      'create index credentials_by_end on credentials (valid_until)',
      `create table members (workspace text not null, provider text not null, sub text not null,
        roles text not null, blocked integer not null, created_at bigint not null, updated_at bigint not null,
        primary key (workspace, provider, sub))`,
      `create table roles (workspace text not null, name text not null, grants text not null,
        created_at bigint not null, updated_at bigint not null, primary key (workspace, name))`,
      `create table providers (id text primary key, record text not null, created_at bigint not null,
        updated_at bigint not null)`,
      `create table provider_workspaces (provider text not null, workspace text not null,
        primary key (workspace, provider))`,
      `create table revocations (revision bigint primary key, workspace text, record text not null,
        created_at bigint not null, expires_at bigint)`,
      `create table used_jtis (client_id text not null, jti text not null, expires_at bigint not null,
        primary key (client_id, jti))`,
      'create index used_jtis_by_end on used_jtis (expires_at)',
      `create table audit (seq bigint primary key, workspace text, at bigint not null, kind text not null,
        action text, target text, code text, reason text, provider text, principal_kind text, sub text,
        client_id text, jti text, address text, request_id text, connection_id text, revision bigint,
        count bigint not null, detail text)`,
      'create index audit_of_workspace on audit (workspace, seq)',
      'create table feed (revision bigint primary key, change text not null)',
    ],
  },
  {
    name: '0002-audit-chains',
    statements: [
      "alter table audit add column mac text not null default ''",
      `create table audit_chains (workspace text primary key, anchor_seq bigint not null, anchor_mac text not null,
        head_seq bigint not null, head_mac text not null, seal text not null)`,
      'create index revocations_of_workspace on revocations (workspace, revision)',
    ],
    run: (db, pepper) => chainAudit(db, auditKeyOf(pepper)),
  },
  {
    name: '0003-tickets',
    statements: [
      `create table tickets (hash text primary key, principal text not null, record text not null,
        expires_at bigint not null)`,
      'create index tickets_of_principal on tickets (principal)',
      'create index tickets_by_end on tickets (expires_at)',
    ],
  },
];
