/** What `dev` and `start` share: ports that are taken, signals, the end. */
import { once } from 'node:events';
import { LogInUse } from '../gateway/index.ts';
import type { ProcessLog } from '../listener/index.ts';
import type { Service } from './compose.ts';
import { usage } from './io.ts';

/**
 * Turns what can go wrong at the start into sentences with a way out.
 *
 * @param way what to do about the public port; the internal one has its own flag
 */
export function startFailure(
  error: unknown,
  way: { readonly port: number; readonly internalPort?: number; readonly again: string },
): unknown {
  const { code, port, syscall } = error as NodeJS.ErrnoException & { port?: number };
  if (code === 'EADDRINUSE' && syscall === 'listen') {
    const taken = port ?? way.port;
    const internal = taken === way.internalPort && taken !== way.port;
    return usage(
      `Port ${taken} is taken.`,
      internal ? 'It is the internal one; choose another: --internal-port' : `Choose another: ${way.again}`,
    );
  }
  if (code === 'EACCES' && syscall === 'listen') return usage(`Port ${port ?? way.port} may not be used by this user.`);
  if (code === 'EADDRNOTAVAIL') return usage('The address to listen on is not one of this machine.');
  if (error instanceof LogInUse) {
    return usage(
      'The data folder is in use by another process.',
      'Stop that one, or choose another folder: --data PATH',
    );
  }
  return error;
}

/** Waits for the signal that ends the process, then stops the service. */
export async function untilSignal(
  service: Service,
  drainSeconds: number,
  log: ProcessLog,
  signal: AbortSignal,
): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
  log.info({ drainSeconds }, 'Stopping');
  await service.stop(drainSeconds);
}

/** A fault that nobody caught: say it and end, since the state of the process is not known any more. */
export function endOnFault(log: ProcessLog): void {
  const end = (error: unknown): void => {
    log.error(
      { error: error instanceof Error ? (error.stack ?? error.message) : String(error) },
      'A fault ended the process',
    );
    process.exit(1);
  };
  process.on('uncaughtException', end);
  process.on('unhandledRejection', end);
}
