/** The entry of the command: gives it the process, and sets the exit code. */
import { run } from './run.ts';

const ending = new AbortController();
const onSignal = (): void => {
  // The next one ends the process at once.
  process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  ending.abort();
};
process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
// A reader that goes (`| head`) is no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});
const { stdin, stdout, stderr, env } = process;
process.exitCode = await run(process.argv.slice(2), { stdin, stdout, stderr, env, signal: ending.signal });
// Whatever a part forgot to close must not keep a finished command alive.
setTimeout(() => process.exit(), 2000).unref();
