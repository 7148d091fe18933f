/** Commands over the administration API of one workspace. */
import { readFileSync } from 'node:fs';
import { call, callAdmin, listAdmin } from '../client/request.ts';
import type { Target } from '../client/target.ts';
import { CommandFailure, type Io, type Output, printable, printJson, printTable, readAll, usage } from '../io.ts';

/** What the flags of `token` say. */
export interface TokenFlags {
  readonly sub: string;
  readonly role?: string;
  readonly ttl?: number;
}

/** What the flags of `member put` say. */
export interface MemberFlags {
  readonly role: readonly string[];
  readonly blocked?: boolean;
  readonly provider?: string;
}

/** What the flags of `role put` say. */
export interface RoleFlags {
  readonly grants?: string;

  readonly permission?: readonly string[];

  readonly structures?: readonly string[];

  readonly events?: readonly string[];

  readonly filter?: string;
}

/** What the flags of `provider add` say. */
export interface ProviderFlags {
  readonly issuer: string;

  readonly audience: readonly string[];

  readonly defaultRole?: string;

  readonly jwksUri?: string;

  readonly typ?: readonly string[];

  readonly algorithm?: readonly string[];

  readonly mapping?: string;
}

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

/** What the flags of `service-account create` say. */
export interface AccountFlags {
  readonly role?: string;
  readonly description?: string;
}

type Fields = Record<string, unknown>;

const segment = encodeURIComponent;

/** Drops what was not said. */
function said(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** The answer as it is, or what `text` makes of it. */
function show(io: Io, out: Output, answer: unknown, text: (answer: Fields) => string): void {
  if (out.json) printJson(io, answer ?? {});
  else io.stdout.write(`${text((answer ?? {}) as Fields)}\n`);
}

/** A list as a table. */
async function table(
  target: Target,
  path: string,
  columns: readonly string[],
  out: Output,
  io: Io,
  limit?: number,
): Promise<void> {
  const items = await listAdmin(target, path, limit);
  if (out.json) printJson(io, { items });
  else printTable(io, columns, items);
}

/** `token`: a token of any user, by dev-tokens. */
export async function token(target: Target, flags: TokenFlags, out: Output, io: Io): Promise<void> {
  const answer = await callAdmin(
    target,
    'POST',
    'dev-tokens',
    said({ sub: flags.sub, role: flags.role, ttl: flags.ttl }),
  ).catch((error: unknown) => {
    const code = error instanceof CommandFailure ? error.body?.code : undefined;
    if (code !== 'NOT_FOUND') throw error;
    throw new CommandFailure('This server gives no dev-tokens.', {
      remedy: 'They are for development: set devTokens to true, or get tokens from your login provider.',
    });
  });
  show(io, out, answer, ({ token: text }) => String(text));
}

/** `service-account …`. */
export const accounts = {
  async create(target: Target, name: string, flags: AccountFlags, out: Output, io: Io) {
    const answer = await callAdmin(
      target,
      'POST',
      'service-accounts',
      said({ name, role: flags.role, description: flags.description }),
    );
    show(io, out, answer, (made) =>
      [
        `Service account ${printable(made.name)} is made${made.role ? ` with role ${printable(made.role)}` : ', without any permission'}.`,
        `  id             ${printable(made.id)}`,
        `  client id      ${printable(made.clientId)}`,
        `  client secret  ${printable(made.clientSecret)}`,
        'The secret is shown this once.',
      ].join('\n'),
    );
  },
  list: (target: Target, out: Output, io: Io) =>
    table(target, 'service-accounts', ['id', 'name', 'role', 'clientId', 'disabled'], out, io),
  async rotate(target: Target, id: string, graceSeconds: number | undefined, out: Output, io: Io) {
    const answer = await callAdmin(target, 'POST', `service-accounts/${segment(id)}/rotate`, said({ graceSeconds }));
    show(io, out, answer, (made) =>
      [
        `  client secret  ${printable(made.clientSecret)}`,
        `The old one is valid until ${printable(made.previousValidUntil)}. The new one is shown this once.`,
      ].join('\n'),
    );
  },
  async act(target: Target, id: string, action: 'disable' | 'enable', out: Output, io: Io) {
    const answer = await callAdmin(target, 'POST', `service-accounts/${segment(id)}/${action}`);
    show(io, out, answer, () => `Service account ${printable(id)} is ${action}d.`);
  },
  async remove(target: Target, id: string, out: Output, io: Io) {
    const answer = await callAdmin(target, 'DELETE', `service-accounts/${segment(id)}`);
    show(io, out, answer, () => `Service account ${printable(id)} is gone.`);
  },
  /** Public keys for private_key_jwt, from a file with a JWK set. */
  async keys(target: Target, id: string, path: string, out: Output, io: Io) {
    const answer = await callAdmin(target, 'PUT', `service-accounts/${segment(id)}/keys`, { jwks: readJsonFile(path) });
    show(io, out, answer, () => `Service account ${printable(id)} has new keys.`);
  },
};

/** `member …`. */
export const members = {
  async put(target: Target, sub: string, flags: MemberFlags, out: Output, io: Io) {
    const { role: roles, blocked, provider } = flags;
    const answer = await callAdmin(target, 'PUT', `members/${segment(sub)}`, said({ roles, blocked, provider }));
    show(io, out, answer, ({ warnings }) =>
      [
        `Member ${printable(sub)}: ${roles.join(', ') || 'no role'}${blocked ? ', blocked' : ''}.`,
        ...listOf(warnings),
      ].join('\n'),
    );
  },
  list: (target: Target, out: Output, io: Io) =>
    table(target, 'members', ['sub', 'provider', 'roles', 'blocked'], out, io),
  async remove(target: Target, sub: string, provider: string | undefined, out: Output, io: Io) {
    const query = provider === undefined ? '' : `?${new URLSearchParams({ provider }).toString()}`;
    const answer = await callAdmin(target, 'DELETE', `members/${segment(sub)}${query}`);
    show(io, out, answer, ({ stillAdmittedBy }) =>
      stillAdmittedBy
        ? `Member ${printable(sub)} is gone, but a mapped role still admits them: ${printable(stillAdmittedBy)}`
        : `Member ${printable(sub)} is gone.`,
    );
  },
};

/** `role …`. */
export const roles = {
  /** Grants come from a file, or from `--permission` with its narrowing flags. */
  async put(target: Target, name: string, flags: RoleFlags, out: Output, io: Io) {
    const { grants: path, permission: permissions = [], structures, events, filter } = flags;
    if ((path === undefined) === (permissions.length === 0))
      throw usage('Give either --grants FILE or --permission NAME.');
    const grants =
      path === undefined
        ? permissions.map((permission) => said({ permission, structures, events, filter }))
        : readJsonFile(path);
    const answer = await callAdmin(target, 'PUT', `roles/${segment(name)}`, { grants });
    show(io, out, answer, () => `Role ${printable(name)} is set.`);
  },
  list: (target: Target, out: Output, io: Io) => table(target, 'roles', ['name', 'builtIn', 'grants'], out, io),
  async remove(target: Target, name: string, out: Output, io: Io) {
    const answer = await callAdmin(target, 'DELETE', `roles/${segment(name)}`);
    show(io, out, answer, () => `Role ${printable(name)} is gone.`);
  },
};

/** `provider …`. */
export const providers = {
  async add(target: Target, name: string, flags: ProviderFlags, out: Output, io: Io) {
    const { issuer, audience: audiences, defaultRole, jwksUri, typ, algorithm: algorithms, mapping: path } = flags;
    const mapping = { ...(path === undefined ? {} : (readJsonFile(path) as Fields)), ...said({ defaultRole }) };
    const body = said({ name, issuer, audiences, jwksUri, typ, algorithms, mapping });
    const answer = await callAdmin(target, 'POST', 'external-auth-providers', body);
    show(io, out, answer, ({ id }) => `Provider ${printable(name)} is added (${printable(id)}).`);
  },
  list: (target: Target, out: Output, io: Io) =>
    table(target, 'external-auth-providers', ['id', 'name', 'issuer', 'audiences', 'mapping'], out, io),
  async remove(target: Target, id: string, out: Output, io: Io) {
    const answer = await callAdmin(target, 'DELETE', `external-auth-providers/${segment(id)}`);
    show(io, out, answer, () => `Provider ${printable(id)} is gone: its tokens are dead.`);
  },
  async act(
    target: Target,
    id: string,
    action: 'refresh-keys' | 'test',
    body: Fields | undefined,
    out: Output,
    io: Io,
  ) {
    const answer = await callAdmin(target, 'POST', `external-auth-providers/${segment(id)}/${action}`, body);
    show(io, out, answer, (result) => printable(JSON.stringify(result, undefined, 2)).replaceAll('�', '\n'));
  },
};

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
    ['at', 'kind', 'code', 'reason', 'sub', 'address'],
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

function listOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map((item: unknown) => `  - ${printable(item)}`) : [];
}

function readJsonFile(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw usage(`${path} cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
  try {
    return JSON.parse(text);
  } catch {
    throw usage(`${path} is not JSON.`);
  }
}
