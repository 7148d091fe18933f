/** The data folder of `dev`: who to be, and where the running `dev` is. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** `dev.json`. Client commands beside a running `dev` read it; nobody else may (0600). */
export interface DevData {
  readonly workspace: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Of the `dev` that ran last. */
  readonly baseUrl: string;
  readonly internalUrl: string;
  /** Role owner, scope `iam:manage`; 12 hours. Gone when that `dev` has ended cleanly. */
  readonly adminToken?: string;
  /** Path of the self-signed certificate, when `dev` speaks TLS. */
  readonly certificate?: string;
}

/** Path of `dev.json`. */
export function devFile(folder: string): string {
  return join(folder, 'dev.json');
}

/** Makes the folder (0700) with a `.gitignore`, so that no secret in it is committed by mistake. */
export function makeDataFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  try {
    writeFileSync(join(folder, '.gitignore'), '*\n', { flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** Reads `dev.json`; `undefined` when there is none, or none that can be read. */
export function readDevData(folder: string): DevData | undefined {
  try {
    const value = JSON.parse(readFileSync(devFile(folder), 'utf8')) as Partial<DevData> | null;
    const needed = [value?.workspace, value?.clientId, value?.clientSecret, value?.baseUrl];
    return needed.every((field) => typeof field === 'string') ? (value as DevData) : undefined;
  } catch {
    return undefined;
  }
}

/** Writes `dev.json` at once or not at all, 0600 from its first byte. */
export function writeDevData(folder: string, data: DevData): void {
  const path = devFile(folder);
  const next = `${path}.${process.pid}`;
  rmSync(next, { force: true });
  // A file of ours or none: nobody who can write here gets the secrets through a link that was there before.
  writeFileSync(next, `${JSON.stringify(data, undefined, 2)}\n`, { flag: 'wx', mode: 0o600 });
  renameSync(next, path);
}
