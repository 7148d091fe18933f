#!/usr/bin/env node
// Builds all packages, in the order of their arrows. `npm ci` runs it as `prepare`; everything
// (the command, the black-box tests, what is packed) runs this one build.
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = (name) => join(root, 'node_modules', '.bin', name);

/** Runs one build step in a package's folder and ends the whole build if it fails. */
function step(folder, command, ...args) {
  const cwd = join(root, 'packages', folder);
  rmSync(join(cwd, 'dist'), { recursive: true, force: true });
  const { status } = spawnSync(bin(command), args, { cwd, stdio: 'inherit' });
  if (status !== 0) {
    console.error(`build: packages/${folder} failed (${command})`);
    process.exit(status ?? 1);
  }
}

// A checkout without its development dependencies has nothing to build with.
if (!existsSync(bin('tsc'))) process.exit(0);
step('protocol', 'tsc', '-p', '.');
step('sdk', 'tsdown');
step('react', 'tsdown');
step('server', 'tsc', '-p', '.');
