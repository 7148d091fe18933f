/** From flags, environment and file to one checked configuration. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { isLoopbackHost } from '../../listener/index.ts';
import { parseJsonc } from './jsonc.ts';
import { CONFIG, type Config, SETTINGS, type Setting } from './settings.ts';

/** A configuration that cannot be used: all its faults at once, as sentences. Exit code 2. */
export class ConfigFaults extends Error {
  override readonly name = 'ConfigFaults';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`The configuration has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}`);
    this.faults = faults;
  }
}

/** Where the values come from, first wins. */
export interface ConfigSources {
  /** By key (`limits.connectionsPerWorkspace`), as text or list of texts. */
  readonly flags: Readonly<Record<string, string | boolean | readonly string[] | undefined>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Path of the configuration file, if any. */
  readonly file?: string | undefined;
  /** Values instead of the usual ones, where nobody says anything: how `dev` differs. */
  readonly defaults?: Readonly<Record<string, unknown>>;
  /** Where relative paths of flags and variables begin; the present folder by default. */
  readonly cwd?: string;
}

/** A checked configuration with the secret that never stands in it. */
export interface Loaded {
  readonly config: Config;
  /** The secret of the internal listener, from the environment or its file. */
  readonly internalCredential: string | undefined;
}

const PATHS: ReadonlySet<string> = new Set(['tls.certFile', 'tls.keyFile', 'internal.credentialFile', 'data']);
/** Secrets: never in the file, and never printed. */
const SECRETS: Readonly<Record<string, string>> = {
  'internal.credential': 'CENTRALI_INTERNAL_CREDENTIAL or internal.credentialFile',
};
/** Beginnings of the variables of nested options (`CENTRALI_LIMITS_`): whatever else begins so is a slip. */
const GROUPS: readonly string[] = [
  ...new Set(
    SETTINGS.flatMap(({ key }) => (key.includes('.') ? [`CENTRALI_${key.split('.')[0]?.toUpperCase()}_`] : [])),
  ),
];

/** Reads and checks the configuration. Throws `ConfigFaults` naming everything that is wrong. */
export function loadConfig(sources: ConfigSources): Loaded {
  const faults: string[] = [];
  const file = sources.file === undefined ? {} : readFile(sources.file, faults);
  const values = new Map<string, unknown>();
  const origins = new Map<string, string>();
  const cwd = sources.cwd ?? process.cwd();
  for (const setting of SETTINGS) {
    const found = firstOf(setting, sources, file);
    if (found === undefined) continue;
    const base = found.origin === setting.key ? dirname(resolve(cwd, sources.file ?? '')) : cwd;
    const { value } = found;
    values.set(
      setting.key,
      PATHS.has(setting.key) && typeof value === 'string' && value !== '' ? resolve(base, value) : value,
    );
    origins.set(setting.key, found.origin);
  }
  unknownKeys(file, faults);
  unknownVariables(sources.env, faults);

  const parsed = parse(values, origins, faults);
  const config = { ...parsed, data: resolve(cwd, parsed.data) };
  const internalCredential = readCredential(config, sources.env, faults);
  contradictions(config, internalCredential, faults);
  if (faults.length > 0) throw new ConfigFaults(unique(faults));
  return { config, internalCredential };
}

/** Checks the values. What is not well-formed is reported and then left out, so that the rest can be judged. */
function parse(values: Map<string, unknown>, origins: ReadonlyMap<string, string>, faults: string[]): Config {
  const parsed = CONFIG.safeParse(nest(values));
  if (parsed.success) return parsed.data;
  const kept = new Map(values);
  // Two items of one list may be wrong: their option is left out once.
  for (const issue of parsed.error.issues) {
    const key = issue.path
      .map(String)
      .filter((part) => !/^\d+$/.test(part))
      .join('.');
    faults.push(`${origins.get(key) ?? key} must be ${issue.message}`);
    kept.delete(key);
  }
  return kept.size < values.size ? parse(kept, origins, faults) : CONFIG.parse({});
}

function readFile(path: string, faults: string[]): Record<string, unknown> {
  try {
    const value = parseJsonc(readFileSync(path, 'utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
    faults.push(`${path} must hold one JSON object`);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    faults.push(`${path} cannot be read: ${code ?? (error as Error).message}`);
  }
  return {};
}

function firstOf(
  setting: Setting,
  { flags, env, defaults }: ConfigSources,
  file: Readonly<Record<string, unknown>>,
): { readonly value: unknown; readonly origin: string } | undefined {
  const flag = flags[setting.key];
  if (flag !== undefined) return { value: fromText(setting, flag), origin: setting.flag };
  const variable = env[setting.variable];
  if (variable !== undefined && variable !== '')
    return { value: fromText(setting, variable), origin: setting.variable };
  const written = setting.key.split('.').reduce<unknown>((at, part) => member(at, part), file);
  if (written !== undefined) return { value: written, origin: setting.key };
  if (defaults && setting.key in defaults) return { value: defaults[setting.key], origin: 'default' };
  return undefined;
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

function fromText({ kind }: Setting, text: string | boolean | readonly string[]): unknown {
  if (kind === 'list') {
    return (typeof text === 'object' ? text : [String(text)])
      .flatMap((part) => part.split(','))
      .map((part) => part.trim())
      .filter((part) => part !== '');
  }
  if (kind === 'number' && typeof text === 'string' && /^\d{1,15}$/.test(text)) return Number(text);
  if (kind === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}

/** Groups that are no objects, and keys that nobody knows. */
function unknownKeys(file: Readonly<Record<string, unknown>>, faults: string[]): void {
  const known = new Set(SETTINGS.map(({ key }) => key));
  const groups = new Set(SETTINGS.flatMap(({ key }) => (key.includes('.') ? [key.slice(0, key.indexOf('.'))] : [])));
  const report = (key: string): void => {
    if (key === '$schema' || known.has(key)) return;
    const secret = SECRETS[key];
    if (secret === undefined) faults.push(`${JSON.stringify(key)} is not an option${suggestion(key)}`);
    else faults.push(`${key} is a secret and must not stand in the file: use ${secret}`);
  };
  for (const [name, value] of Object.entries(file)) {
    if (!groups.has(name)) report(name);
    else if (typeof value !== 'object' || value === null || Array.isArray(value))
      faults.push(`${name} must be an object`);
    else for (const inner of Object.keys(value)) report(`${name}.${inner}`);
  }
}

function unknownVariables(env: ConfigSources['env'], faults: string[]): void {
  const known = new Set([...SETTINGS.map(({ variable }) => variable), 'CENTRALI_INTERNAL_CREDENTIAL']);
  for (const name of Object.keys(env)) {
    if (GROUPS.some((group) => name.startsWith(group)) && !known.has(name)) faults.push(`${name} is not an option`);
  }
}

function suggestion(key: string): string {
  const last = key.split('.').at(-1)?.toLowerCase();
  const near = SETTINGS.find((setting) => setting.key.split('.').at(-1)?.toLowerCase() === last);
  return near ? `; did you mean ${near.key}?` : '';
}

function nest(values: ReadonlyMap<string, unknown>): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const [key, value] of values) {
    const [first = '', second] = key.split('.');
    if (second === undefined) root[first] = value;
    else {
      const group = (root[first] ??= {}) as Record<string, unknown>;
      group[second] = value;
    }
  }
  return root;
}

function readCredential({ internal }: Config, env: ConfigSources['env'], faults: string[]): string | undefined {
  let credential = env.CENTRALI_INTERNAL_CREDENTIAL;
  let origin = 'CENTRALI_INTERNAL_CREDENTIAL';
  if (credential === undefined && internal.credentialFile !== undefined) {
    origin = 'internal.credentialFile';
    try {
      credential = readFileSync(internal.credentialFile, 'utf8').trim();
    } catch (error) {
      faults.push(`internal.credentialFile cannot be read: ${(error as NodeJS.ErrnoException).code}`);
      return undefined;
    }
  }
  if (credential !== undefined && !/^[\x21-\x7e]{32,1024}$/.test(credential)) {
    faults.push(`${origin} must hold 32 to 1,024 visible ASCII characters`);
    return undefined;
  }
  return credential;
}

/** What is well-formed, and yet cannot be run. */
function contradictions(config: Config, credential: string | undefined, faults: string[]): void {
  const { tls, role } = config;
  if ((tls.certFile === undefined) !== (tls.keyFile === undefined)) {
    faults.push('tls.certFile and tls.keyFile must be given together');
  }
  if (config.tokens.cookie && config.allowedOrigins.includes('*')) {
    faults.push('tokens.cookie cannot be used while allowedOrigins holds *: list the origins of your pages');
  }
  const safe = tls.certFile !== undefined || isLoopbackHost(config.host) || config.trustedProxies.length > 0;
  if (!safe) {
    faults.push(
      `host ${config.host} is reachable from outside over plain http, where tokens can be read: set tls.certFile and tls.keyFile, or name the proxy that speaks TLS in trustedProxies`,
    );
  }
  if (config.publicUrl?.startsWith('http:') && !isLoopbackHost(new URL(config.publicUrl).hostname)) {
    faults.push('publicUrl must begin with https:// (plain http is for loopback alone)');
  }
  if (config.publicUrl === undefined && !isLoopbackHost(config.host)) {
    faults.push('publicUrl is needed: it is what clients use, and what tokens are issued for');
  }
  if (config.publicUrl === undefined && role !== 'all') {
    faults.push(`publicUrl is needed for role ${role}: gateway and IAM must name the same one`);
  }
  if (role === 'gateway' && config.iamUrl === undefined)
    faults.push("iamUrl is needed for role gateway: IAM's internal listener");
  if (role !== 'all' && credential === undefined) {
    faults.push(
      `role ${role} needs the secret that gateway and IAM share: CENTRALI_INTERNAL_CREDENTIAL or internal.credentialFile`,
    );
  }
  if (!isLoopbackHost(config.internal.host) && credential === undefined) {
    faults.push('internal.host is reachable from outside: set CENTRALI_INTERNAL_CREDENTIAL or internal.credentialFile');
  }
}

function unique(faults: readonly string[]): string[] {
  return [...new Set(faults)];
}
