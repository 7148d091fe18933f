/** Commands that work on the store itself: whoever may read the data folder is the operator. */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { isWorkspaceSlug } from '@centrali-io/protocol';
import { backupLog, openSqliteBroker } from '../../gateway/index.ts';
import { backupState, createIam, type Iam, type WorkspaceState } from '../../iam/index.ts';
import { Refusal } from '../../resource-server/index.ts';
import type { Config } from '../config/index.ts';
import { CommandFailure, type Io, type Output, printJson, printTable, usage } from '../io.ts';

/** Opens IAM's state, without serving it. */
async function withIam<T>(config: Config, work: (iam: Iam) => Promise<T>): Promise<T> {
  mkdirSync(config.data, { recursive: true, mode: 0o700 });
  const iam = await createIam({
    file: join(config.data, 'state.db'),
    issuer: config.publicUrl?.replace(/\/$/, '') ?? `http://127.0.0.1:${config.port}`,
    algorithm: config.tokens.algorithm,
    keyPublishLeadSeconds: config.keys.publishLeadSeconds,
    maxPublishedKeys: config.keys.maxPublished,
  });
  try {
    return await work(iam);
  } finally {
    await iam.close();
  }
}

function slugOf(text: string): string {
  if (!isWorkspaceSlug(text)) throw usage('SLUG must be 1 to 63 characters of a-z, 0-9 and -, not beginning with -.');
  return text;
}

/** `workspace create`: the workspace and one service account with role owner, whose secret is seen once. */
export async function createWorkspace(
  config: Config,
  slug: string,
  owner: string | undefined,
  out: Output,
  io: Io,
): Promise<void> {
  const workspace = slugOf(slug);
  const made = await withIam(config, async (iam) => {
    try {
      if (!(await iam.ensureWorkspace(workspace)))
        throw new CommandFailure(`The workspace ${workspace} exists already.`);
    } catch (error) {
      if (error instanceof Refusal) throw new CommandFailure(`${workspace} was deleted; a slug is never used twice.`);
      throw error;
    }
    if (owner !== undefined) await iam.putMember({ workspace, sub: owner, role: 'owner' });
    return await iam.createAccount({ workspace, name: 'owner', role: 'owner' });
  });
  const { clientId } = made.account;
  const { clientSecret } = made;
  if (out.json) return printJson(io, { workspace, clientId, clientSecret, ...(owner === undefined ? {} : { owner }) });
  io.stdout.write(
    [
      `Workspace ${workspace} is made, with a service account of role owner.`,
      `  client id      ${clientId}`,
      `  client secret  ${clientSecret}`,
      'The secret is shown this once; keep it where your secrets are.',
      '',
    ].join('\n'),
  );
}

/** `workspace list`. */
export async function listWorkspaces(config: Config, out: Output, io: Io): Promise<void> {
  const items = await withIam(config, (iam) => iam.listWorkspaces());
  if (out.json) return printJson(io, { items });
  printTable(
    io,
    ['slug', 'state', 'created'],
    items.map(({ slug, state, createdAt }) => ({ slug, state, created: new Date(createdAt).toISOString() })),
  );
}

/** `workspace suspend`, `resume`, `delete`. */
export async function setWorkspace(
  config: Config,
  slug: string,
  state: WorkspaceState,
  out: Output,
  io: Io,
): Promise<void> {
  const workspace = slugOf(slug);
  const changed = await withIam(config, (iam) => iam.setWorkspaceState(workspace, state));
  if (changed === undefined) throw new CommandFailure(`There is no workspace ${workspace}.`);
  if (out.json) printJson(io, { workspace, state, ...changed });
  else io.stdout.write(`Workspace ${workspace} is ${state}.\n`);
}

/** `keys list`. */
export async function listKeys(config: Config, out: Output, io: Io): Promise<void> {
  const items = await withIam(config, (iam) => iam.listKeys());
  if (out.json) return printJson(io, { items });
  printTable(
    io,
    ['kid', 'algorithm', 'created', 'signs from', 'withdrawn'],
    items.map((key) => ({
      kid: key.kid,
      algorithm: key.alg,
      created: instant(key.createdAt),
      'signs from': instant(key.signFrom),
      withdrawn: instant(key.withdrawnAt),
    })),
  );
}

function instant(value: number | null | undefined): string {
  return value === null || value === undefined ? '' : new Date(value).toISOString();
}

/** `keys rotate`: a new key, which signs once every cache must know it. */
export async function rotateKeys(config: Config, out: Output, io: Io): Promise<void> {
  const { kid, signFrom } = await withIam(config, (iam) => iam.rotateKeys());
  if (out.json) printJson(io, { kid, signFrom: new Date(signFrom).toISOString() });
  else io.stdout.write(`Key ${kid} is published; it signs from ${new Date(signFrom).toISOString()}.\n`);
}

/** `keys revoke`: a key's tokens are dead at once. */
export async function revokeKey(config: Config, kid: string, out: Output, io: Io): Promise<void> {
  const done = await withIam(config, (iam) => iam.withdrawKey(kid));
  if (done === undefined) throw new CommandFailure('There is no such key.', { remedy: 'See: centrali keys list' });
  if (out.json) printJson(io, { kid, ...done });
  else io.stdout.write(`Key ${kid} is withdrawn: its tokens are dead.\n`);
}

/** `backup`: consistent copies of both files, while the service runs. */
export async function backup(config: Config, folder: string, out: Output, io: Io): Promise<void> {
  const names = ['state.db', 'log.db'].filter((name) => existsSync(join(config.data, name)));
  if (names.length === 0) throw usage(`${config.data} holds neither state.db nor log.db.`, 'Name it: --data PATH');
  const there = ['state.db', 'log.db'].find((name) => existsSync(join(folder, name)));
  if (there !== undefined) throw usage(`${join(folder, there)} is there already.`, 'Choose a new folder.');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const name of names) {
    const [file, target] = [join(config.data, name), join(folder, name)];
    if (name === 'state.db') backupState(file, target);
    else await backupLog(file, target);
  }
  if (out.json) printJson(io, { folder, files: names });
  else
    io.stdout.write(
      `${names.join(' and ')} are copied to ${folder}. They hold keys: keep them as safe as the originals.\n`,
    );
}

/** `migrate`: brings both files to this version's schema. */
export async function migrate(config: Config, out: Output, io: Io): Promise<void> {
  await withIam(config, async () => {});
  const broker = await openSqliteBroker({ file: join(config.data, 'log.db'), retention: config.log });
  await broker.close();
  if (out.json) printJson(io, { migrated: true });
  else io.stdout.write(`${config.data} has this version's schema.\n`);
}
