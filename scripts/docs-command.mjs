#!/usr/bin/env node
// Keeps docs/command.md in step with the command's own words. `--write` writes it; else it checks.
import { SETTINGS } from '../packages/server/dist/cli/config/index.js';
import { createProgram } from '../packages/server/dist/cli/program.js';
import { keepSection } from './generated-section.mjs';

const { stdin, stdout, stderr } = process;
const program = createProgram({ stdin, stdout, stderr, env: {}, signal: new AbortController().signal }, '');

/** Flags that many commands share are told once, above the list. */
const CONFIGURATION = new Set(['--config', '--allow-origin', ...SETTINGS.map(({ flag }) => flag)]);
const TARGET = new Set(['--url', '--workspace', '--dev-data', '--token-file', '--client-id', '--client-secret-file']);

/** Every command that does something, with its parents' names. */
function* commands(parent, name) {
  for (const command of parent.commands) {
    const full = `${name} ${command.name()}`;
    if (command.commands.length === 0 || command.options.length > 0) yield { full, command };
    yield* commands(command, full);
  }
}

function describe({ full, command }) {
  const args = command.registeredArguments.map((argument) => ` <${argument.name()}>`).join('');
  const has = (flag) => command.options.some(({ long }) => long === flag);
  const shared = new Set(['--json', ...(has('--config') ? CONFIGURATION : []), ...(has('--url') ? TARGET : [])]);
  const options = command.options.filter(({ long }) => !shared.has(long));
  const rows = options.map(({ flags, description }) => `| \`${flags}\` | ${description} |`);
  const text = `${command.description().charAt(0).toUpperCase()}${command.description().slice(1)}.`;
  return [
    `### \`${full}${args}\``,
    text,
    ...(rows.length > 0 ? [['| | |', '|---|---|', ...rows].join('\n')] : []),
  ].join('\n\n');
}

keepSection(
  new URL('../docs/command.md', import.meta.url),
  'commands',
  [...commands(program, 'centrali')].map(describe).join('\n\n'),
  'docs-command.mjs',
);
