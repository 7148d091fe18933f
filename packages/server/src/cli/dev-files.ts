/** What `dev` serves below `/-/`: the built SDK for a page, and packages for `npm i <url>`. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ServedFile } from '../listener/index.ts';
import { packPackage } from './tarball.ts';

/** Finds the files by path; each is read or packed when it is first asked for. */
export function createDevFiles(): (path: string) => ServedFile | undefined {
  const made = new Map<string, ServedFile | undefined>();
  return (path) => {
    const make = FILES.get(path);
    if (make === undefined) return undefined;
    if (!made.has(path)) made.set(path, make());
    return made.get(path);
  };
}

const FILES: ReadonlyMap<string, () => ServedFile | undefined> = new Map([
  ['/-/centrali-sdk.js', () => script('@centrali-io/centrali-sdk')],
  ['/-/centrali-sdk.tgz', () => tarball('@centrali-io/centrali-sdk')],
  ['/-/react.tgz', () => tarball('@centrali-io/react')],
]);

/** The built entry of a package; `undefined` where it is not installed. */
function entry(name: string): string | undefined {
  try {
    return fileURLToPath(import.meta.resolve(name));
  } catch {
    return undefined;
  }
}

function script(name: string): ServedFile | undefined {
  const path = entry(name);
  return path === undefined ? undefined : { type: 'text/javascript; charset=utf-8', bytes: readFileSync(path) };
}

function tarball(name: string): ServedFile | undefined {
  const path = entry(name);
  return path === undefined ? undefined : { type: 'application/gzip', bytes: packPackage(join(dirname(path), '..')) };
}
