/** `centrali check`: what is wrong or weak in a configuration, and how to mend it. */
import { X509Certificate } from 'node:crypto';
import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isLoopbackHost } from '../../listener/index.ts';
import type { Config, Loaded } from '../config/index.ts';
import { CommandFailure, colours, type Io, printJson } from '../io.ts';

/** One finding. `wrong` makes the exit code 1. */
export interface Finding {
  readonly level: 'good' | 'weak' | 'wrong';
  readonly about: string;
  readonly text: string;
  readonly remedy?: string;
}

const DAY = 86_400_000;
/** No clock is right that shows a time before this version was written. */
const RELEASED = Date.UTC(2026, 10, 1);

/** All findings; the configuration is well-formed already. */
export function findings(config: Config, now: number): Finding[] {
  return [
    ...url(config),
    ...certificate(config, now),
    ...origins(config),
    ...limits(config),
    ...folder(config),
    ...openFiles(config),
    ...clock(config, now),
    {
      level: 'good',
      about: 'engine',
      text: `Embedded: SQLite ${process.versions.sqlite} in Node ${process.versions.node}.`,
    },
    {
      level: 'good',
      about: 'durability',
      text: 'The embedded log acknowledges events once the disk has them (synchronous=FULL).',
    },
    ...weaknesses(config),
  ];
}

function url({ publicUrl, host }: Config): Finding[] {
  if (publicUrl === undefined) {
    return [
      {
        level: 'weak',
        about: 'URL',
        text: 'publicUrl is not set: tokens are issued for the address that the listener happens to have.',
        remedy: 'Set publicUrl to what clients use.',
      },
    ];
  }
  if (isLoopbackHost(new URL(publicUrl).hostname) && !isLoopbackHost(host)) {
    return [{ level: 'wrong', about: 'URL', text: 'publicUrl names this machine only, yet host is open to others.' }];
  }
  return [{ level: 'good', about: 'URL', text: `Clients use ${publicUrl}.` }];
}

function certificate({ tls, publicUrl, trustedProxies }: Config, now: number): Finding[] {
  if (tls.certFile === undefined) {
    const text = trustedProxies.length > 0 ? 'TLS is spoken by a trusted proxy.' : 'Plain http, on this machine alone.';
    return [{ level: 'good', about: 'TLS', text }];
  }
  try {
    const cert = new X509Certificate(readFileSync(tls.certFile));
    const until = Date.parse(cert.validTo);
    const name = publicUrl === undefined ? undefined : new URL(publicUrl).hostname;
    if (until < now)
      return [{ level: 'wrong', about: 'TLS', text: 'The certificate has expired.', remedy: 'Renew it.' }];
    if (name !== undefined && cert.checkHost(name) === undefined && cert.checkIP(name) === undefined) {
      return [{ level: 'wrong', about: 'TLS', text: `The certificate is not for ${name}.` }];
    }
    if (until < now + 14 * DAY)
      return [{ level: 'weak', about: 'TLS', text: 'The certificate expires within two weeks.', remedy: 'Renew it.' }];
    return [{ level: 'good', about: 'TLS', text: `The certificate is valid until ${cert.validTo}.` }];
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return [{ level: 'wrong', about: 'TLS', text: `The certificate cannot be read (${code ?? 'not PEM'}).` }];
  }
}

function origins({ allowedOrigins }: Config): Finding[] {
  if (allowedOrigins.includes('*')) {
    return [
      {
        level: 'weak',
        about: 'origins',
        text: 'Any web page may read answers.',
        remedy: 'List the origins of your own pages in allowedOrigins.',
      },
    ];
  }
  if (allowedOrigins.length === 0) {
    return [
      {
        level: 'weak',
        about: 'origins',
        text: 'No web page may read answers.',
        remedy: 'If you have pages, list their origins in allowedOrigins.',
      },
    ];
  }
  return [{ level: 'good', about: 'origins', text: `Pages of ${allowedOrigins.length} origins may read answers.` }];
}

function limits({ limits: values }: Config): Finding[] {
  const open = Object.entries(values).filter(([, value]) => value === 0);
  if (open.length === 0) return [{ level: 'good', about: 'limits', text: 'Every limit is set.' }];
  return open.map(([name]) => ({
    level: 'weak',
    about: 'limits',
    text: `limits.${name} is 0: no limit.`,
    remedy: 'Set it, so that one client cannot take everything.',
  }));
}

function folder({ data }: Config): Finding[] {
  const path = existsSync(data) ? data : dirname(data);
  try {
    accessSync(path, constants.W_OK);
  } catch {
    return [{ level: 'wrong', about: 'data', text: `${path} cannot be written by this user.` }];
  }
  if (path === data && (statSync(data).mode & 0o077) !== 0) {
    return [
      { level: 'weak', about: 'data', text: `${data} can be entered by other users.`, remedy: `chmod 700 ${data}` },
    ];
  }
  return [{ level: 'good', about: 'data', text: `${data} can be written.` }];
}

/** Tokens live by the clock. One that went back shows itself by files that were written "later" than now. */
function clock({ data }: Config, now: number): Finding[] {
  const written = ['state.db', 'state.db-wal', 'log.db', 'log.db-wal']
    .map((name) => join(data, name))
    .filter((path) => existsSync(path))
    .map((path) => statSync(path).mtimeMs);
  const ahead = Math.max(RELEASED, ...written) - now;
  if (ahead <= 5000) return [{ level: 'good', about: 'clock', text: `It is ${new Date(now).toISOString()}.` }];
  return [
    {
      level: 'wrong',
      about: 'clock',
      text: `The clock is at least ${Math.ceil(ahead / 1000)} s behind: tokens would live too long.`,
      remedy: 'Synchronize it (chrony, systemd-timesyncd).',
    },
  ];
}

function openFiles({ maxConnections }: Config): Finding[] {
  const text = existsSync('/proc/self/limits') ? readFileSync('/proc/self/limits', 'utf8') : '';
  const soft = Number(/^Max open files\s+(\d+)/m.exec(text)?.[1] ?? Number.NaN);
  if (Number.isNaN(soft) || soft >= maxConnections + 256) {
    return [{ level: 'good', about: 'open files', text: 'Enough for every connection.' }];
  }
  return [
    {
      level: 'weak',
      about: 'open files',
      text: `This process may open ${soft} files, and maxConnections is ${maxConnections}.`,
      remedy: `Raise the limit (ulimit -n, LimitNOFILE), or set maxConnections to ${Math.max(1, soft - 256)}.`,
    },
  ];
}

function weaknesses(config: Config): Finding[] {
  const found: Finding[] = [];
  if (config.devTokens) {
    found.push({
      level: 'weak',
      about: 'devTokens',
      text: 'Administrators can make tokens for any user.',
      remedy: 'Set devTokens to false.',
    });
  }
  if (config.tokens.query === 'allow') {
    found.push({
      level: 'weak',
      about: 'tokens.query',
      text: 'Tokens may come in the URL, where proxies log them.',
      remedy: 'Scrub access_token in the proxy, or set tokens.query to short-lived or deny.',
    });
  }
  if (config.providers.allowPrivateAddresses) {
    found.push({
      level: 'weak',
      about: 'providers',
      text: 'Providers may live at private addresses and speak plain http.',
      remedy: 'Set providers.allowPrivateAddresses to false.',
    });
  }
  return found;
}

/** Prints the findings. Fails when one of them is `wrong`. */
export function check({ config }: Loaded, now: number, json: boolean, io: Io): void {
  const found = findings(config, now);
  const wrong = found.filter(({ level }) => level === 'wrong');
  if (json) printJson(io, { ok: wrong.length === 0, findings: found });
  else {
    const c = colours(io, io.stdout);
    const marks = { good: c.green('good '), weak: c.yellow('weak '), wrong: c.red('wrong') };
    for (const { level, about, text, remedy } of found) {
      io.stdout.write(`${marks[level]}  ${about}: ${text}${remedy === undefined ? '' : ` ${c.dim(remedy)}`}\n`);
    }
  }
  if (wrong.length > 0) throw new CommandFailure(`${wrong.length} of the findings must be mended.`);
}
