import { type DestinationStream, pino } from 'pino';
import type { Log } from '../resource-server/index.ts';

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
 * line of defence, whatever looks like a token or a secret is struck out of every line.
 */
export function createLog(level: LogLevel, destination: DestinationStream = standardError()): ProcessLog {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, struck(destination));
}

function standardError(): DestinationStream {
  return pino.destination({ fd: 2, sync: true });
}

/** Compact JWS (RFC 7515 section 7.1) and client secrets. */
const SECRET = /eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*|\bsk_[0-9a-f]{16,}/g;

function struck(destination: DestinationStream): DestinationStream {
  return { write: (line) => destination.write(line.replace(SECRET, '[struck out]')) };
}
