/**
 * Every option of the service, once: the configuration file, the environment, the flags, `init` and the
 * documentation are all read from here.
 */
import { z } from 'zod';
import { isWebOrigin, LOG_LEVELS, trustedProxies } from '../../listener/index.ts';

/** How an option is written as text. */
type Kind = 'text' | 'number' | 'boolean' | 'list';

/** What stands beside each option. */
export interface SettingMeta {
  readonly kind: Kind;
  readonly text: string;
}

const settings = z.registry<SettingMeta>();

const number = (fallback: number, max: number, text: string, min = 0) =>
  z
    .int(`a whole number from ${min} to ${max}`)
    .min(min)
    .max(max)
    .default(fallback)
    .register(settings, { kind: 'number', text });
const flag = (fallback: boolean, text: string) =>
  z.boolean('true or false').default(fallback).register(settings, { kind: 'boolean', text });
const path = (text: string) =>
  z.string('a path').min(1, 'a path').optional().register(settings, { kind: 'text', text });
const choice = <const T extends readonly [string, ...string[]]>(values: T, fallback: T[number], text: string) =>
  z
    .enum(values, `one of ${values.join(', ')}`)
    .default(fallback as never)
    .register(settings, { kind: 'text', text: `${text} (${values.join(', ')})` });

const httpUrl = (text: string) =>
  z
    .string('a URL')
    .refine(isOrigin, 'a URL of scheme, host and port alone, such as https://realtime.example.com')
    .optional()
    .register(settings, { kind: 'text', text });

function isOrigin(text: string): boolean {
  return isWebOrigin(text.replace(/\/$/, ''));
}

function isProxy(entry: string): boolean {
  try {
    trustedProxies([entry]);
    return true;
  } catch {
    return false;
  }
}

const MILLION = 1_000_000;
const DAY = 86_400;
const GIB = 1024 ** 3;

/** The options. Times are in seconds, sizes in bytes; 0 = no limit where a limit is meant. */
export const CONFIG = z.strictObject({
  role: choice(['all', 'gateway', 'iam'], 'all', 'What this process is'),
  publicUrl: httpUrl('URL under which clients reach the service: issuer and audience of its tokens'),
  host: z
    .string('an address')
    .min(1, 'an address')
    .default('127.0.0.1')
    .register(settings, { kind: 'text', text: 'Address that the public listener binds' }),
  port: number(8080, 65_535, 'Port of the public listener; 0 = any'),
  tls: z
    .strictObject({
      certFile: path('Certificate chain, PEM. With it the listener speaks TLS 1.2 and up, HTTP/2 and HTTP/1.1'),
      keyFile: path('Its private key, PEM'),
    })
    .prefault({}),
  internal: z
    .strictObject({
      host: z
        .string('an address')
        .min(1, 'an address')
        .default('127.0.0.1')
        .register(settings, { kind: 'text', text: 'Address of the internal listener (RPC, metrics)' }),
      port: number(8081, 65_535, 'Port of the internal listener; 0 = any'),
      credentialFile: path('File with the secret that gateway and IAM share, at least 32 characters'),
    })
    .prefault({}),
  iamUrl: z
    .string('a URL')
    .refine((text) => text.split(',').every(isOrigin), 'URLs of scheme, host and port alone, separated by commas')
    .optional()
    .register(settings, {
      kind: 'text',
      text: "For role gateway: URL of IAM's internal listener; several, separated by commas: the next one when one fails",
    }),
  data: z
    .string('a path')
    .min(1, 'a path')
    .default('.centrali')
    .register(settings, { kind: 'text', text: 'Folder of state.db and log.db' }),
  workers: z
    .int('a whole number')
    .min(1, 'at least 1')
    .max(1, 'this version serves with one worker')
    .default(1)
    .register(settings, { kind: 'number', text: 'Threads that serve streams' }),
  allowedOrigins: z
    .array(
      z.string('an origin').refine((origin) => origin === '*' || isWebOrigin(origin), {
        message: 'an origin such as https://app.example.com, without a path, or *',
      }),
      'a list of origins',
    )
    .max(1000, 'at most 1,000 origins')
    .default([])
    .register(settings, { kind: 'list', text: 'Origins of web pages that may read answers' }),
  trustedProxies: z
    .array(z.string('an address').refine(isProxy, 'an IP address, a network as 10.0.0.0/8, or loopback'), 'a list')
    .max(1000, 'at most 1,000 entries')
    .default([])
    .register(settings, { kind: 'list', text: 'Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed' }),
  maxConnections: number(16_384, MILLION, 'Sockets of the public listener', 1),
  limits: z
    .strictObject({
      connectionsPerWorkspace: number(1000, MILLION, 'Open streams of one workspace'),
      connectionsPerPrincipal: number(100, MILLION, 'Open streams of one principal in one workspace'),
      connectionsPerAddress: number(1000, MILLION, 'Open streams of one client address'),
      connectsPerSecondPerAddress: number(100, MILLION, 'Streams that one client address may ask for per second'),
      requestsPerSecondPerPrincipal: number(50, MILLION, 'Requests of one principal per second'),
    })
    .prefault({}),
  stream: z
    .strictObject({
      lifetimeSeconds: number(3600, DAY, 'Longest life of a stream', 1),
      positionSeconds: number(15, 3600, 'Time without an event after which a position is sent', 1),
      maxUnsentBytes: number(1024 ** 2, GIB, 'Unsent bytes after which a stream is ended as too slow', 1024),
    })
    .prefault({}),
  log: z
    .strictObject({
      maxAgeSeconds: number(7 * DAY, 3650 * DAY, 'Age up to which events are kept'),
      maxBytes: number(GIB, 1024 * GIB, 'Bytes of events that are kept'),
      maxEvents: number(0, 1_000_000_000, 'Number of events that are kept'),
    })
    .prefault({}),
  tokens: z
    .strictObject({
      algorithm: choice(['RS256', 'ES256', 'EdDSA'], 'RS256', 'Signature of our own tokens'),
      serviceLifetimeSeconds: number(25_200, 25_200, 'Lifetime of tokens of service accounts', 1),
      userLifetimeSeconds: number(3600, 3600, 'Lifetime of tokens of users', 1),
      query: choice(['allow', 'short-lived', 'deny'], 'allow', 'Whether a token may come in the URL'),
      cookie: flag(false, 'Whether a stream may take its token from the cookie __Host-centrali-token'),
    })
    .prefault({}),
  keys: z
    .strictObject({
      publishLeadSeconds: number(
        360,
        DAY,
        'Time from the publication of a new signing key to its first signature; below 360 s caches are let keep the key set for less',
        1,
      ),
      maxPublished: number(32, 64, 'Signing keys that are published at once', 2),
    })
    .prefault({}),
  audit: z
    .strictObject({
      maxAgeSeconds: number(365 * DAY, 36_500 * DAY, 'Age up to which rows of the audit log are kept; 0 = for good'),
    })
    .prefault({}),
  tickets: z
    .strictObject({
      bound: flag(false, 'Whether a token that is bound to a key (DPoP) may be changed for a ticket, which is not'),
    })
    .prefault({}),
  drainSeconds: number(25, 3600, 'Time over which streams are ended at shutdown'),
  providers: z
    .strictObject({
      allowPrivateAddresses: flag(false, 'Lets providers live at private addresses and speak plain http; for tests'),
    })
    .prefault({}),
  devTokens: flag(false, 'Lets administrators make tokens for any user (impersonation)'),
  logLevel: choice(LOG_LEVELS, 'info', 'What is logged'),
});

/** A checked configuration. */
export type Config = z.output<typeof CONFIG>;

/** One option, flat. */
export interface Setting extends SettingMeta {
  /** `limits.connectionsPerWorkspace`. */
  readonly key: string;
  /** `CENTRALI_LIMITS_CONNECTIONS_PER_WORKSPACE`. */
  readonly variable: string;
  /** `--limits-connections-per-workspace`. */
  readonly flag: string;
  /** What it is when nobody says anything; undefined when it is then left out. */
  readonly fallback: unknown;
}

function words(key: string): string[] {
  return key.split('.').flatMap((part) => part.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`).split('-'));
}

function flatten(shape: Readonly<Record<string, z.ZodType>>, prefix: string, defaults: unknown): Setting[] {
  return Object.entries(shape).flatMap(([name, schema]) => {
    const key = prefix + name;
    const fallback = (defaults as Record<string, unknown> | undefined)?.[name];
    const meta = settings.get(schema);
    if (meta) {
      const variable = `CENTRALI_${words(key).join('_').toUpperCase()}`;
      return [{ key, variable, flag: `--${words(key).join('-')}`, fallback, ...meta }];
    }
    const inner = schema instanceof z.ZodPrefault ? schema.unwrap() : schema;
    return inner instanceof z.ZodObject ? flatten(inner.shape, `${key}.`, fallback) : [];
  });
}

/** All options, in the order of the file that `init` writes. */
export const SETTINGS: readonly Setting[] = flatten(CONFIG.shape, '', CONFIG.parse({}));

/** How `dev` differs from the usual configuration. */
export const DEV_DEFAULTS: Readonly<Record<string, unknown>> = {
  devTokens: true,
  drainSeconds: 1,
  'internal.port': 0,
  logLevel: 'warn',
};
