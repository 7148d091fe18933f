/** `centrali dev`: everything in one process on this machine, nothing to prepare. */
import { resolve } from 'node:path';

import { createLog } from '../listener/index.ts';
import { devCertificate } from './certificate.ts';
import { compose, type Service } from './compose.ts';
import { ConfigFaults, type Loaded } from './config/index.ts';
import { type DevData, makeDataFolder, readDevData, writeDevData } from './dev-data.ts';
import { createDevFiles } from './dev-files.ts';
import { colours, type Io, printJson } from './io.ts';
import { endOnFault, startFailure, untilSignal } from './serve.ts';

/** The workspace that `dev` makes. */
const WORKSPACE = 'demo';
const ADMIN_TOKEN_SECONDS = 12 * 3600;

/** Options of `dev`. */
export interface DevOptions extends Loaded {
  readonly tls: boolean;
  readonly json: boolean;
}

/** Runs `dev` until a signal ends it. */
export async function dev(options: DevOptions, io: Io): Promise<void> {
  const { config } = options;
  if (config.role !== 'all') {
    throw new ConfigFaults([`role must be all for dev, which runs everything in one process; see: centrali start`]);
  }
  const log = createLog(config.logLevel);
  makeDataFolder(config.data);
  const certificate = options.tls ? devCertificate(config.data, Date.now()) : undefined;
  let service: Service;
  try {
    service = await compose({
      config,
      internalCredential: options.internalCredential,
      log,
      tls: certificate,
      loopbackOrigins: true,
      file: createDevFiles(),
    });
  } catch (error) {
    throw startFailure(error, {
      port: config.port,
      internalPort: config.internal.port,
      again: `npx --no centrali dev --port ${config.port + 1} (or --port 0 for any that is free)`,
    });
  }
  endOnFault(log);
  const done = untilSignal(service, config.drainSeconds, log, io.signal);
  const data = await prepare(service, config.data, certificate?.path);
  if (options.json) printReady(io, data);
  else explain(io, data, config.data);
  await done;
  const { adminToken: _, ...kept } = data;
  writeDevData(config.data, kept);
}

/** Makes workspace and account unless they are there, and a new administrator's token. */
async function prepare(
  service: Service,
  folder: string,
  certificate: string | undefined,
): Promise<DevData & { adminToken: string }> {
  const { iam, baseUrl, internalUrl } = service;
  if (!iam) throw new TypeError('dev runs with IAM in its process');
  await iam.ensureWorkspace(WORKSPACE);
  const known = readDevData(folder);
  const kept = known && (await accountExists(service, known.clientId)) ? known : undefined;
  const made = kept ?? (await makeAccount(service));
  const { token } = await iam.issueAdminToken({ workspace: WORKSPACE, lifetimeSeconds: ADMIN_TOKEN_SECONDS });
  const data = {
    workspace: WORKSPACE,
    clientId: made.clientId,
    clientSecret: made.clientSecret,
    baseUrl,
    internalUrl,
    adminToken: token,
    ...(certificate === undefined ? {} : { certificate }),
  };
  writeDevData(folder, data);
  return data;
}

async function accountExists({ iam }: Service, clientId: string): Promise<boolean> {
  const account = await iam?.services.store.read((view) => view.accounts.byClientId(clientId));
  return account?.workspace === WORKSPACE;
}

async function makeAccount({ iam }: Service): Promise<{ readonly clientId: string; readonly clientSecret: string }> {
  const made = await iam?.createAccount({ workspace: WORKSPACE, name: 'dev', role: 'developer' });
  if (!made) throw new TypeError('dev runs with IAM in its process');
  return { clientId: made.account.clientId, clientSecret: made.clientSecret };
}

/** The one line for programs. */
function printReady(io: Io, data: DevData): void {
  const { baseUrl, internalUrl, workspace, clientId, clientSecret, adminToken } = data;
  printJson(io, { ready: true, baseUrl, internalUrl, workspace, clientId, clientSecret, adminToken });
}

/** The same for people, with commands to paste. */
function explain(io: Io, data: DevData, folder: string): void {
  const c = colours(io, io.stdout);
  const { baseUrl, workspace, clientId, clientSecret, certificate } = data;
  // Client commands look into .centrali of the folder they run in.
  const where = folder === resolve('.centrali') ? '' : ` --dev-data ${quoted(folder)}`;
  const trust = certificate === undefined ? [] : ['', `${c.dim('Certificate (self-signed):')} ${certificate}`];
  const curl = certificate === undefined ? 'curl' : `curl --cacert ${certificate}`;
  io.stdout.write(
    `${[
      '',
      `${c.green('Centrali Realtime is ready')} at ${c.bold(baseUrl)}`,
      '',
      `  workspace      ${workspace}`,
      `  client id      ${clientId}`,
      `  client secret  ${clientSecret}`,
      ...trust,
      '',
      c.bold('Watch events') + c.dim(' (in a second terminal, in this folder)'),
      `  npx --no centrali subscribe${where}`,
      '',
      c.bold('Publish one') + c.dim(' (in a third terminal, in this folder)'),
      `  npx --no centrali publish --event record_created --structure order --id 42 --data '{"status":"paid"}'${where}`,
      '',
      c.bold('Without the command') + c.dim(' (with the token of a user, 1 hour)'),
      `  TOKEN=$(npx --no centrali token --sub alice --role developer${where})`,
      `  ${curl} -N "${baseUrl}/realtime/workspace/${workspace}/events?access_token=$TOKEN"`,
      '',
      c.dim('In a page:          ') + `import { CentraliSDK } from '${baseUrl}/-/centrali-sdk.js'`,
      c.dim('In your own project:') + ` npm i ${baseUrl}/-/centrali-sdk.tgz`,
      '',
      c.dim('Ctrl-C ends it. The account stays the same at the next start.'),
      '',
    ].join('\n')}\n`,
  );
}

/** A path for a POSIX shell. */
function quoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
