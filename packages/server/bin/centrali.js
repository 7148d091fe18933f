#!/usr/bin/env node
// Plain JavaScript that any Node can read: it says what to do where the rest could not even be parsed.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const main = new URL('../dist/cli/main.js', import.meta.url);
const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  console.error(`centrali needs Node 24 or newer; this is ${process.version} (${process.execPath}).
In a checkout, "npm ci" brings Node 24 with it. If npm's ignore-scripts is on, run
  npm ci --ignore-scripts=false
or approve the scripts of the package "node", or install Node 24 yourself.`);
  process.exit(2);
}
if (!existsSync(fileURLToPath(main))) {
  console.error(`centrali is not built yet. Run
  npm run build
(with npm's ignore-scripts on, "npm ci" leaves that out).`);
  process.exit(2);
}
await import(main.href);
