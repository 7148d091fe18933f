#!/usr/bin/env node
// `npm run check`: format, lint, types, arrows, unused code. Runs all, prints what failed, exits 1 if any did.
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const CHECKS = [
  ['format: every file is as biome writes it', 'biome', 'format', '.'],
  ['lint: no rule of oxlint is broken', 'oxlint', '--type-aware', '--deny-warnings', '.'],
  ['types: everything compiles, tests included', 'tsc', '-p', '.'],
  ['arrows: imports follow ARCHITECTURE.md', 'node', 'scripts/arrows.mjs'],
  ['errors: docs/errors.md is what the code says', 'node', 'scripts/docs-errors.mjs'],
  ['options: docs/configuration.md is what the code says', 'node', 'scripts/docs-configuration.mjs'],
  ['command: docs/command.md is what the command says', 'node', 'scripts/docs-command.mjs'],
  ['site: every page builds, every link leads somewhere', 'vitepress', 'build', 'docs'],
  ['packages: what is published to browsers is sound and small', 'node', 'scripts/packages.mjs'],
  ['unused: no file, export or dependency is left over', 'knip', '--no-progress'],
];

function run([name, command, ...args]) {
  const started = performance.now();
  return new Promise((resolve) => {
    const child = spawn(join(root, 'node_modules', '.bin', command), args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('close', (code) => {
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      console.log(`${code === 0 ? 'ok  ' : 'FAIL'} ${name} (${seconds} s)`);
      if (code !== 0) console.log(output);
      resolve(code === 0);
    });
  });
}

const results = [];
for (const check of CHECKS) results.push(await run(check));
process.exit(results.every(Boolean) ? 0 : 1);
