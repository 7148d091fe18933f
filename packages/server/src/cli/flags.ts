/** Flags that several commands share. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Loaded, loadConfig, SETTINGS, type Setting } from './config/index.ts';
import type { Io } from './io.ts';

/** What was typed, as commander keeps it. */
export type Flags = Record<string, string | boolean | string[] | undefined>;

/** Options of `dev` and `start` that everyone may need; the others are in `--help` of neither, but work. */
const SHOWN: ReadonlySet<string> = new Set([
  'port',
  'data',
  'host',
  'publicUrl',
  'role',
  'workers',
  'logLevel',
  'drainSeconds',
  'devTokens',
]);

/** Parses a whole number. */
export function whole(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

/** Adds comma-separated values to those of earlier flags. */
export function list(text: string, before: string[] | undefined): string[] {
  return [...(before ?? []), ...text.split(',').map((part) => part.trim())].filter((part) => part !== '');
}

/** Adds every option of the configuration as a flag; `defaults` are those of the command, where they are its own. */
export function withConfig(command: Command, defaults: Readonly<Record<string, unknown>> = {}): Command {
  command.addOption(new Option('--config <file>', 'configuration file (see: centrali init)').env('CENTRALI_CONFIG'));
  for (const setting of SETTINGS) command.addOption(optionFor(setting, defaults[setting.key] ?? setting.fallback));
  command.addOption(
    new Option('--allow-origin <origin>', 'origin of a web page that may read answers; repeatable').argParser(list),
  );
  return command;
}

function optionFor({ key, flag, kind, text }: Setting, fallback: unknown): Option {
  const words =
    kind === 'boolean'
      ? `${flag} [true|false]`
      : `${flag} <${kind === 'number' ? 'n' : kind === 'list' ? 'list' : 'value'}>`;
  // Only said here: a default of commander's would win over the variable and the file.
  const usual = typeof fallback === 'string' || typeof fallback === 'number' ? `; usually ${fallback}` : '';
  const option = new Option(words, text + usual);
  if (kind === 'list') option.argParser(list);
  if (!SHOWN.has(key)) option.hideHelp();
  return option;
}

/** Reads the configuration from what was typed, the environment and the file. */
export function configFrom(flags: Flags, io: Io, defaults?: Readonly<Record<string, unknown>>): Loaded {
  const byKey: Flags = {};
  for (const { key, flag } of SETTINGS) {
    const value = flags[camel(flag)];
    if (value !== undefined) byKey[key] = value === true ? 'true' : value;
  }
  if (flags.allowOrigin !== undefined) {
    byKey.allowedOrigins = [
      ...list('', byKey.allowedOrigins as string[] | undefined),
      ...(flags.allowOrigin as string[]),
    ];
  }
  return loadConfig({
    flags: byKey,
    env: io.env,
    file: flags.config as string | undefined,
    ...(defaults ? { defaults } : {}),
  });
}

/** The name under which commander keeps a flag. */
function camel(flag: string): string {
  return flag.slice(2).replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** Adds the flags of client commands. */
export function withTarget(command: Command): Command {
  return command
    .option('--url <url>', 'server (CENTRALI_URL; else the dev of this folder)')
    .option('--workspace <slug>', 'workspace (CENTRALI_WORKSPACE)')
    .option('--dev-data <folder>', 'data folder of the running dev (CENTRALI_DATA; .centrali)')
    .option('--token-file <file>', 'file with a token (or CENTRALI_TOKEN)')
    .option('--client-id <id>', 'service account (CENTRALI_CLIENT_ID)')
    .option('--client-secret-file <file>', 'file with its secret (or CENTRALI_CLIENT_SECRET)')
    .option('--json', 'one JSON object instead of text');
}
