/**
 * The tables, and how they come about. Plain SQL types, times as `bigint`, truth values as 0 or 1, lists as
 * JSON text: the same statements hold on SQLite and PostgreSQL.
 */
import type { Kysely } from 'kysely';

export interface Schema {
  /** `revision`, `account`, `audit` count up; `trimmed` is the newest revision whose feed row is gone. */
  counters: { name: string; value: number };
  /** `epoch`, `pepper`. */
  facts: { name: string; value: string };
  workspaces: { slug: string; state: string; created_at: number };
  signing_keys: {
    kid: string;
    alg: string;
    private_jwk: string;
    public_jwk: string;
    created_at: number;
    sign_from: number;
    retire_at: number | null;
    withdrawn_at: number | null;
  };
  accounts: {
    id: number;
    workspace: string;
    client_id: string;
    name: string;
    description: string | null;
    roles: string;
    disabled: number;
    created_at: number;
  };
  credentials: {
    cred: string;
    client_id: string;
    kind: string;
    /** The hash of a secret, or a key as JSON. */
    value: string;
    created_at: number;
    valid_until: number | null;
  };
  members: {
    workspace: string;
    provider: string;
    sub: string;
    roles: string;
    blocked: number;
    created_at: number;
    updated_at: number;
  };
  roles: { workspace: string; name: string; grants: string; created_at: number; updated_at: number };
  providers: { id: string; record: string; created_at: number; updated_at: number };
  provider_workspaces: { provider: string; workspace: string };
  revocations: {
    revision: number;
    workspace: string | null;
    record: string;
    created_at: number;
    expires_at: number | null;
  };
  used_jtis: { client_id: string; jti: string; expires_at: number };
  audit: {
    seq: number;
    workspace: string | null;
    at: number;
    kind: string;
    action: string | null;
    target: string | null;
    code: string | null;
    reason: string | null;
    provider: string | null;
    principal_kind: string | null;
    sub: string | null;
    client_id: string | null;
    jti: string | null;
    address: string | null;
    request_id: string | null;
    connection_id: string | null;
    revision: number | null;
    count: number;
    detail: string | null;
  };
  feed: { revision: number; change: string };
}

export type Database = Kysely<Schema>;

/** One step of the schema; it runs once, in order, within the transaction of `migrate`. */
export interface Migration {
  readonly name: string;
  readonly statements: readonly string[];
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
];
