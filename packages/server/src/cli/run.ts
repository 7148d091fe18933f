/** Runs the command and says what failed. */
import { readFileSync } from 'node:fs';
import { RealtimeError } from '@centrali-io/centrali-sdk';
import { CommanderError } from 'commander';
import { failureOf } from './commands/subscribe.ts';
import { ConfigFaults } from './config/index.ts';
import { CommandFailure, colours, type Io, printJson } from './io.ts';
import { createProgram } from './program.ts';

/** Runs the command; the exit code: 0, 1 (refused or failed), 2 (usage, configuration). */
export async function run(args: readonly string[], io: Io): Promise<number> {
  try {
    await createProgram(io, version()).parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    // Commander has said it already; help and version are no failures.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    return fail(RealtimeError.is(error) ? failureOf(error) : error, args.includes('--json'), io);
  }
}

function fail(error: unknown, json: boolean, io: Io): number {
  const c = colours(io, io.stderr);
  const say = (text: string): void => void io.stderr.write(`${text}\n`);
  if (error instanceof ConfigFaults) {
    if (json) printJson(io, { error: error.message, faults: error.faults });
    say(`${c.red('centrali:')} ${error.message}:`);
    for (const fault of error.faults) say(`  - ${fault}`);
    return 2;
  }
  if (error instanceof CommandFailure) {
    if (json) printJson(io, { error: error.message, ...(error.remedy ? { remedy: error.remedy } : {}), ...error.body });
    say(`${c.red('centrali:')} ${error.message}`);
    if (error.remedy) say(error.remedy);
    return error.exitCode;
  }
  // Not foreseen: the stack helps whoever mends it; no request or secret is in it.
  say(`${c.red('centrali:')} ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  return 1;
}

function version(): string {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return manifest.version;
}
