#!/usr/bin/env node
// Enforces the arrows of ARCHITECTURE.md: who may import what, folders entered only by their
// index.ts, no cycle, no folder called utils or helpers. Prints each breach and exits 1.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Part to the parts that it may import. A part is a package, or a folder of the server. */
export const ARROWS = {
  protocol: [],
  sdk: ['protocol'],
  react: ['sdk'],
  console: ['react', 'sdk'],
  'resource-server': ['protocol'],
  gateway: ['protocol', 'resource-server'],
  iam: ['protocol', 'resource-server'],
  listener: ['protocol', 'resource-server', 'gateway', 'iam'],
  cli: ['protocol', 'resource-server', 'gateway', 'iam', 'listener', 'sdk'],
};

const PACKAGES = {
  '@centrali-io/protocol': 'protocol',
  '@centrali-io/centrali-sdk': 'sdk',
  '@centrali-io/react': 'react',
};

const IMPORT =
  /(?:^|[\s;}])(?:import|export)\s(?:[^'"();]*?\sfrom\s*)?['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)/g;

/** The part a source file belongs to, by its path below `packages/`; undefined outside all parts. */
function partOf(path) {
  const [pack, src, folder] = path.split('/');
  if (src !== 'src') return undefined;
  return pack === 'server' ? folder : pack;
}

function sources(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name) && !entry.parentPath.includes('node_modules'))
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Each import of a file: what it names and, for a relative one, the file it means. */
function importsOf(file) {
  const text = readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
  return [...text.matchAll(IMPORT)].map((match) => {
    const name = match[1] ?? match[2];
    return { name, target: name.startsWith('.') ? resolve(dirname(file), name) : undefined };
  });
}

/** All breaches of the arrows below `packages`, as sentences. Also returns the arrows that were seen. */
export function checkArrows(packages) {
  const breaches = [];
  const seen = new Set();
  const graph = new Map();
  for (const file of sources(packages)) {
    const path = relative(packages, file);
    const from = partOf(path);
    if (from === undefined) continue;
    if (/(^|\/)(utils?|helpers?)(\/|\.tsx?$)/.test(path))
      breaches.push(`${path}: a name that says nothing (utils, helpers)`);
    if (!(from in ARROWS)) {
      breaches.push(`${path}: ${from} is not a part that ARCHITECTURE.md knows`);
      continue;
    }
    const edges = [];
    graph.set(file, edges);
    for (const { name, target } of importsOf(file)) {
      const to = target ? partOf(relative(packages, target)) : PACKAGES[name];
      if (target) edges.push(target);
      const known = Object.keys(PACKAGES).find((id) => name.startsWith(`${id}/`));
      if (known) breaches.push(`${path}: deep import ${name}`);
      if (to === undefined || to === from) continue;
      seen.add(`${from} -> ${to}`);
      if (!ARROWS[from].includes(to)) breaches.push(`${path}: ${from} must not import ${to} (${name})`);
      else if (target && !/\/src\/[^/]+\/index\.ts$/.test(target))
        breaches.push(`${path}: enters ${to} past its index (${name})`);
    }
  }
  for (const cycle of cycles(graph))
    breaches.push(`cycle: ${cycle.map((file) => relative(packages, file)).join(' -> ')}`);
  return { breaches, seen };
}

function cycles(graph) {
  const found = [];
  const state = new Map();
  const walk = (file, trail) => {
    if (state.get(file) === 'done' || !graph.has(file)) return;
    if (state.get(file) === 'open') {
      found.push([...trail.slice(trail.indexOf(file)), file]);
      return;
    }
    state.set(file, 'open');
    for (const next of graph.get(file)) walk(next, [...trail, file]);
    state.set(file, 'done');
  };
  for (const file of graph.keys()) walk(file, []);
  return found;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { breaches, seen } = checkArrows(join(dirname(dirname(fileURLToPath(import.meta.url))), 'packages'));
  // A check that finds no imports at all checks nothing.
  if (!seen.has('gateway -> protocol'))
    breaches.push('the arrow gateway -> protocol was not found: the check reads nothing');
  for (const breach of breaches) console.error(`arrows: ${breach}`);
  console.log(`arrows: ${seen.size} between parts, ${breaches.length} breaches`);
  process.exit(breaches.length === 0 ? 0 : 1);
}
