#!/usr/bin/env node
// What is published to browsers is sound and small: publint and attw on the packed tarballs, and the
// sizes of `.size-limit.json`, measured on what a bundler makes of the built packages.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const PACKAGES = [
  { folder: 'sdk', external: [] },
  { folder: 'react', external: ['react', '@centrali-io/centrali-sdk'] },
];

function run(cwd, command, ...args) {
  const path = join(root, 'node_modules', '.bin', command);
  const { status, stdout, stderr } = spawnSync(path, args, { cwd, encoding: 'utf8' });
  if (status === 0) return stdout;
  console.error(`packages: ${command} ${args.join(' ')} in ${cwd}\n${stdout}${stderr}`);
  process.exitCode = 1;
  return '';
}

for (const { folder, external } of PACKAGES) {
  const cwd = join(root, 'packages', folder);
  run(cwd, 'publint', '--strict');
  run(cwd, 'attw', '--pack', '--profile', 'esm-only', '.');
  // No platform: a Node built-in that crept in does not resolve.
  await build({
    entryPoints: [join(cwd, 'dist/index.js')],
    outfile: join(root, `node_modules/.cache/size/${folder}.js`),
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    external,
    logLevel: 'error',
  });
}
console.log(
  run(root, 'size-limit')
    .replaceAll(/\n\s*\n/g, '\n')
    .trim(),
);
