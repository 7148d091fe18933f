/** Which server a client command talks to, and as whom. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { isWorkspaceSlug } from '@centrali-io/protocol';
import { isLoopbackHost } from '../../listener/index.ts';
import { type DevData, readDevData } from '../dev-data.ts';
import { type Io, usage } from '../io.ts';

/** Flags that every client command has. Secrets are no flags: they come from the environment or a file. */
export interface TargetFlags {
  readonly url?: string;
  readonly workspace?: string;
  readonly devData?: string;
  readonly tokenFile?: string;
  readonly clientId?: string;
  readonly clientSecretFile?: string;
}

/** How a command proves who it is. */
export type Credentials =
  | { readonly kind: 'token'; readonly token: string }
  /** The administrator's token of a running `dev`: its scope is `iam:manage` and nothing else. */
  | { readonly kind: 'dev'; readonly token: string }
  | { readonly kind: 'client'; readonly clientId: string; readonly clientSecret: string };

/** A server, a workspace, and credentials for it. */
export interface Target {
  readonly baseUrl: string;
  readonly workspace: string;
  readonly credentials: Credentials;
}

const NO_SERVER =
  'Start one with "npx --no centrali dev" and run this command in the same folder, or set CENTRALI_URL, CENTRALI_WORKSPACE, and CENTRALI_TOKEN or CENTRALI_CLIENT_ID with CENTRALI_CLIENT_SECRET.';

/**
 * Finds the target: flags, then the environment, then the data folder of `dev`. The secrets in the data
 * folder are used for the server that wrote them, never for another URL.
 */
export function findTarget(io: Io, flags: TargetFlags, as: 'principal' | 'administrator'): Target {
  const { env } = io;
  const folder = resolve(flags.devData ?? env.CENTRALI_DATA ?? '.centrali');
  const dev = readDevData(folder);
  const baseUrl = (flags.url ?? env.CENTRALI_URL ?? dev?.baseUrl)?.replace(/\/+$/, '');
  if (baseUrl === undefined)
    throw usage(`There is no running dev in ${folder}, and CENTRALI_URL is not set.`, NO_SERVER);
  checkUrl(baseUrl);
  const own = dev?.baseUrl === baseUrl ? dev : undefined;
  const workspace = flags.workspace ?? env.CENTRALI_WORKSPACE ?? own?.workspace;
  if (workspace === undefined) throw usage('No workspace is named.', 'Add --workspace SLUG or set CENTRALI_WORKSPACE.');
  if (!isWorkspaceSlug(workspace)) throw usage('The workspace is not a slug: 1 to 63 characters of a-z, 0-9 and -.');
  const brought = given(io, flags);
  if (
    brought &&
    flags.url === undefined &&
    env.CENTRALI_URL === undefined &&
    !isLoopbackHost(new URL(baseUrl).hostname)
  ) {
    // A folder that came from elsewhere (a cloned repository) must not say where a token of the environment goes.
    throw usage(`${folder} names a server that is not on this machine.`, 'Add --url, or set CENTRALI_URL.');
  }
  const credentials = brought ?? (own && kept(own, workspace, as));
  if (credentials === undefined) {
    throw usage(
      `Nothing says who you are at ${baseUrl}.`,
      'Set CENTRALI_TOKEN, or CENTRALI_CLIENT_ID and CENTRALI_CLIENT_SECRET (or --token-file, --client-secret-file).',
    );
  }
  if (own?.certificate !== undefined) trust(own.certificate);
  return { baseUrl, workspace, credentials };
}

function checkUrl(baseUrl: string): void {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined;
  if (url?.protocol === 'https:') return;
  if (url?.protocol === 'http:' && isLoopbackHost(url.hostname)) return;
  throw usage('The URL must begin with https:// (http:// only on this machine).');
}

function given({ env }: Io, flags: TargetFlags): Credentials | undefined {
  const token = flags.tokenFile === undefined ? env.CENTRALI_TOKEN : secretFile(flags.tokenFile, '--token-file');
  if (token) return { kind: 'token', token };
  const clientId = flags.clientId ?? env.CENTRALI_CLIENT_ID;
  const clientSecret =
    flags.clientSecretFile === undefined
      ? env.CENTRALI_CLIENT_SECRET
      : secretFile(flags.clientSecretFile, '--client-secret-file');
  if (!clientId && !clientSecret) return undefined;
  if (!clientId) throw usage('A client secret is given, but no client id.', 'Set CENTRALI_CLIENT_ID.');
  if (!clientSecret) throw usage('A client id is given, but no client secret.', 'Set CENTRALI_CLIENT_SECRET.');
  return { kind: 'client', clientId, clientSecret };
}

function kept(dev: DevData, workspace: string, as: 'principal' | 'administrator'): Credentials | undefined {
  if (workspace !== dev.workspace) return undefined;
  if (as === 'principal') return { kind: 'client', clientId: dev.clientId, clientSecret: dev.clientSecret };
  if (dev.adminToken === undefined) throw usage('That dev is not running any more.', 'Start it: npx --no centrali dev');
  return { kind: 'dev', token: dev.adminToken };
}

function secretFile(path: string, flag: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw usage(`${flag} cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
}

/** Lets this process trust the self-signed certificate of its own `dev`, beside the usual authorities. */
function trust(path: string): void {
  setDefaultCACertificates([...getCACertificates('default'), readFileSync(path, 'utf8')]);
}
