import { isEventId, MESSAGE, type RealtimeEvent, SYSTEM, type SystemEvent } from '@centrali-io/protocol';
import { createParser } from 'eventsource-parser';

/** Most characters of one block: an event is at most 64 KiB. */
const MAX_BLOCK = 1 << 20;

/** One block of the stream: its id moves the cursor, whatever else it holds. */
export interface Frame {
  readonly id: string | undefined;
  readonly event?: RealtimeEvent;
  readonly system?: SystemEvent;
}

function parseFrame(id: string | undefined, name: string, data: string): Frame {
  if (id !== undefined && !isEventId(id)) throw new SyntaxError('an id that is none');
  // A kind of block that came after this version was made.
  if (name !== MESSAGE && name !== SYSTEM) return { id };
  const value: unknown = JSON.parse(data);
  if (typeof value !== 'object' || value === null) throw new SyntaxError('an event that is none');
  return name === SYSTEM ? { id, system: value as SystemEvent } : { id, event: value as RealtimeEvent };
}

/**
 * Reads frames from the body of an open stream (WHATWG HTML section 9.2.6). `onBytes` is called with
 * each chunk. Nothing is read ahead of what the caller takes, but for one chunk. A block that is cut
 * off at the end is dropped, as the standard says. Throws what the body throws, and for what is not a
 * stream of ours.
 */
export async function* readFrames(
  body: ReadableStream<Uint8Array>,
  onBytes: () => void,
): AsyncGenerator<Frame, void, undefined> {
  let frames: Frame[] = [];
  let problem: Error | undefined;
  const parser = createParser({
    maxBufferSize: MAX_BLOCK,
    onEvent: ({ id, event, data }) => frames.push(parseFrame(id, event ?? MESSAGE, data)),
    onError: (error) => {
      if (error.type === 'max-buffer-size-exceeded') problem = error;
    },
  });
  const decoder = new TextDecoder();
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      onBytes();
      parser.feed(decoder.decode(value, { stream: true }));
      if (problem) throw problem;
      const ready = frames;
      frames = [];
      yield* ready;
    }
  } finally {
    // Also when the caller leaves early: the connection is given back.
    reader.cancel().catch(() => {});
  }
}
