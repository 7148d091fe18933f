import { type DestinationStream, pino } from 'pino';
import { type Log, redactText } from '../resource-server/index.ts';

/** Levels of the log, from the one that says most. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
/** One of them. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The process' log. */
export interface ProcessLog extends Log {
  debug(fields: object, message: string): void;
}

/**
 * Makes the log: JSON lines on stderr, written at once, so that the last words of a crash are there.
 * What must never be in it (query, header values, tokens) is left out by those who call it; as a second
 * line of defence, whatever looks like a token, a secret or a query is struck out of every text.
 */
export function createLog(level: LogLevel, destination: DestinationStream = standardError()): ProcessLog {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  const log = pino({ ...options, formatters: { log: clean } }, destination);
  const at =
    (name: 'debug' | 'info' | 'warn' | 'error') =>
    (fields: object, message: string): void =>
      log[name](fields, redactText(message));
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

function clean(fields: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, cleanValue(value)]));
}

function cleanValue(value: unknown): unknown {
  if (typeof value === 'string') return redactText(value);
  if (Array.isArray(value)) return value.map(cleanValue);
  return typeof value === 'object' && value !== null ? clean(value) : value;
}

function standardError(): DestinationStream {
  return pino.destination({ fd: 2, sync: true });
}
