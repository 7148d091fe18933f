/** Commands over the administration API of one workspace. */
import { callAdmin } from '../client/request.ts';
import type { Target } from '../client/target.ts';
import { CommandFailure, type Io, type Output, printable, usage } from '../io.ts';
import { type Fields, listOf, readJsonFile, said, segment, show, table } from './answers.ts';

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

/** What the flags of `service-account create` say. */
export interface AccountFlags {
  readonly role?: string;
  readonly description?: string;
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
