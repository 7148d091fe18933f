#!/usr/bin/env node
// Keeps docs/configuration.md in step with the options that the code knows. `--write` writes it; else it checks.
import { SETTINGS } from '../packages/server/dist/cli/config/index.js';
import { keepSection } from './generated-section.mjs';

const value = (fallback) => (fallback === undefined ? '' : `\`${JSON.stringify(fallback)}\``);
const rows = SETTINGS.map(({ key, fallback, text }) => `| \`${key}\` | ${value(fallback)} | ${text} |`);
keepSection(
  new URL('../docs/configuration.md', import.meta.url),
  'options',
  ['| key | default | |', '|---|---|---|', ...rows].join('\n'),
  'docs-configuration.mjs',
);
