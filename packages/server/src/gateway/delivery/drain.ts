import type { Effects } from './effects.ts';
import type { StreamEnding } from './port.ts';
import type { Streams } from './streams.ts';

/** How often some of the streams are ended, in ms. */
const STEP = 50;
/** The last ones get this long to close before they are cut, in ms. */
const GRACE = 500;

const DRAIN: StreamEnding = { kind: 'closing', reason: 'drain' };

/**
 * Ends all streams, evenly over `milliseconds`, so that their clients do not all come to the next
 * server at once; cuts what has not closed a moment after. Resolves when none is left.
 */
export async function drain(streams: Streams, milliseconds: number, effects: Effects): Promise<void> {
  const ids = [...streams.list()].map(({ connectionId }) => connectionId);
  const began = effects.monotonic();
  let ended = 0;
  const end = (until: number): void => {
    for (; ended < until; ended++) {
      const stream = streams.find(ids[ended] ?? '');
      if (stream) streams.end(stream, DRAIN);
    }
  };
  const emptied = streams.emptied();
  const step = (): void => {
    const passed = effects.monotonic() - began;
    end(milliseconds > 0 ? Math.ceil((ids.length * Math.min(passed, milliseconds)) / milliseconds) : ids.length);
    if (ended < ids.length) stop = effects.timer(STEP, step);
    else stop = effects.timer(GRACE, () => streams.cut());
  };
  let stop = (): void => {};
  step();
  await emptied;
  stop();
}
