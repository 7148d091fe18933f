import type { Caller } from '../admin/caller.ts';
import type { NewAuditRow } from '../store/port.ts';

/** What a change of the administration says of itself. */
export interface ChangeFacts {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** What was done: `member.put`, `role.delete` … */
  readonly action: string;
  /** To whom or what: a principal, a role's name, an id. Never a secret. */
  readonly target: string;
  /** Further facts. Never a token, a secret, a key or a claim's value. */
  readonly detail?: Readonly<Record<string, unknown>>;
}

/** The audit row of a change: who (the caller), what, where. */
export function changeRow(caller: Caller, facts: ChangeFacts): Omit<NewAuditRow, 'kind' | 'revision'> {
  return { ...whoRow(caller), ...facts };
}

/** The part of an audit row that says who acted, and in which workspace. */
export function whoRow({ workspace, actor }: Caller): Omit<NewAuditRow, 'kind' | 'at'> {
  const { kind, ...rest } = actor;
  return { ...rest, workspace, principalKind: kind };
}
