/** `centrali filter test`: does a filter match an event? */
import { FilterError, matchesFilter, parseFilter, type RealtimeEvent } from '@centrali-io/protocol';
import { CommandFailure, type Io, printJson, readAll, usage } from '../io.ts';

/** Tests a filter on the event on stdin. Exit code 1 when it does not match. */
export async function testFilter(text: string, out: { readonly json: boolean }, io: Io): Promise<void> {
  let filter: ReturnType<typeof parseFilter>;
  try {
    filter = parseFilter(text);
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    throw usage(`The filter is not valid at position ${error.position}: ${error.message}`);
  }
  if (io.stdin.isTTY) throw usage('Pipe an event (JSON) into the command.');
  let event: RealtimeEvent;
  try {
    event = JSON.parse(await readAll(io, 1024 * 1024)) as RealtimeEvent;
  } catch {
    throw usage('stdin does not hold one event as JSON.');
  }
  const match = matchesFilter(filter, event);
  if (out.json) printJson(io, { match });
  else io.stdout.write(match ? 'The filter matches.\n' : 'The filter does not match.\n');
  if (!match) throw new CommandFailure('The filter does not match.');
}
