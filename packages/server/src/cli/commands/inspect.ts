/** Commands that look into a workspace and end what should end: audit, explain, connections, revocations. */
import { call, callAdmin } from '../client/request.ts';
import type { Target } from '../client/target.ts';
import { CommandFailure, type Io, type Output, printable, printJson, printTable, readAll, usage } from '../io.ts';
import { type Fields, listOf, said, segment, show, table } from './answers.ts';

/** What the flags of `revoke` say. */
export interface RevokeFlags {
  readonly jti?: string;
  readonly sub?: string;
  readonly clientId?: string;
  readonly notBefore?: string;
  readonly provider?: string;
}

/** What the flags of `audit` say. */
export interface AuditFlags {
  readonly code?: string;
  readonly sub?: string;
  readonly kind?: string;
  readonly limit: number;
}

/** What the flags of `explain` say. */
export interface ExplainFlags {
  readonly sub?: string;
  readonly provider?: string;
  readonly permission?: string;
}

/** `revoke`: ends tokens by what it names. */
export async function revoke(target: Target, flags: RevokeFlags, out: Output, io: Io): Promise<void> {
  const { provider, ...by } = said({ ...flags });
  if (Object.keys(by).length !== 1) throw usage('Name exactly one of --jti, --sub, --account, --not-before.');
  const answer = await callAdmin(target, 'POST', 'revocations', said({ ...by, provider }));
  show(io, out, answer, ({ revision }) => `Revoked (revision ${printable(revision)}).`);
}

/** `audit`: rows of the audit log, newest page by page. */
export async function audit(target: Target, flags: AuditFlags, out: Output, io: Io): Promise<void> {
  const { code, sub, kind } = flags;
  const query = new URLSearchParams(said({ code, sub, kind }) as Record<string, string>).toString();
  await table(
    target,
    `audit-log${query ? `?${query}` : ''}`,
    ['at', 'kind', 'action', 'target', 'code', 'reason', 'sub', 'address'],
    out,
    io,
    flags.limit,
  );
}

/** `explain`: what would be decided about a token (on stdin) or a user, step by step. */
export async function explain(target: Target, flags: ExplainFlags, out: Output, io: Io): Promise<void> {
  const { sub, provider, permission } = flags;
  const subject = sub === undefined ? { token: await tokenFromStdin(io) } : said({ sub, provider });
  const answer = (await callAdmin(target, 'POST', 'access/explain', said({ ...subject, permission }))) as Fields;
  show(io, out, answer, ({ allowed, code, decidedBy, steps, remedy }) =>
    [
      allowed === true ? 'Allowed' : `Denied: ${printable(code)}`,
      ...(decidedBy === undefined ? [] : [`Decided by: ${printable(decidedBy)}`]),
      ...listOf(Array.isArray(steps) ? steps.map(stepText) : steps),
      ...(remedy === undefined ? [] : ['', `To mend it: ${printable(remedy)}`]),
    ].join('\n'),
  );
  if (answer.allowed !== true) throw new CommandFailure('The access is denied.');
}

/** A step of `explain`: what it looked at, and the reason when it ended there. */
function stepText(step: unknown): string {
  const { step: name, ok, reason } = (step ?? {}) as Fields;
  return `${printable(name)}: ${ok === true ? 'passed' : printable(reason ?? 'failed')}`;
}

async function tokenFromStdin(io: Io): Promise<string> {
  if (io.stdin.isTTY) throw usage('Pipe the token into the command, or name a user by --sub.');
  const text = (await readAll(io, 64 * 1024)).trim();
  if (text === '') throw usage('stdin holds no token.');
  return text;
}

/** `connections list` and `close`: with a token for `realtime:connections`. */
export const connections = {
  async list(target: Target, out: Output, io: Io) {
    const items: Fields[] = [];
    let next: string | null = null;
    let partial = false;
    do {
      const page: string = next === null ? '' : `?${new URLSearchParams({ after: next }).toString()}`;
      const answer = (await callConnections(target, 'GET', page)) as Fields;
      if (Array.isArray(answer.items)) items.push(...(answer.items as Fields[]));
      partial ||= answer.partial === true;
      next = typeof answer.next === 'string' ? answer.next : null;
    } while (next !== null && items.length < MAX_CONNECTIONS);
    if (out.json) printJson(io, { items, partial });
    else printTable(io, ['id', 'principal', 'address', 'openedAt', 'expiresAt'], items);
    if (partial && !out.json) io.stderr.write('Not every gateway has answered: the list is not complete.\n');
  },
  async close(target: Target, id: string, out: Output, io: Io) {
    const answer = await callConnections(target, 'DELETE', `/${segment(id)}`);
    show(io, out, answer, () => `Connection ${printable(id)} is closed.`);
  },
};

/** Most open streams that one list shows. */
const MAX_CONNECTIONS = 10_000;

function callConnections(target: Target, method: string, rest: string): Promise<unknown> {
  const path = `/realtime/workspace/${target.workspace}/connections${rest}`;
  return call(target, method, path, undefined, 'realtime:connections');
}
