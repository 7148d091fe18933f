/**
 * The tables. Plain SQL types, times as `bigint`, truth values as 0 or 1, lists as
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
  tickets: { hash: string; principal: string; record: string; expires_at: number };
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
    mac: string;
  };
  /** The empty workspace stands for none. */
  audit_chains: {
    workspace: string;
    anchor_seq: number;
    anchor_mac: string;
    head_seq: number;
    head_mac: string;
    seal: string;
  };
  feed: { revision: number; change: string };
}

export type Database = Kysely<Schema>;
