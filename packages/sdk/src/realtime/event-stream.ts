import { isEventId, MESSAGE, type RealtimeEvent, SYSTEM, type SystemEvent } from '@centrali-io/protocol';

/** Most characters of one block: an event is at most 64 KiB. */
const MAX_BLOCK = 1 << 20;

/** One block of the stream: its id moves the cursor, whatever else it holds. */
export interface Frame {
  readonly id: string | undefined;
  readonly event?: RealtimeEvent;
  readonly system?: SystemEvent;
}

/** A block as it stands on the wire. */
export interface Block {
  id?: string;
  name: string;
  /** Its lines of data; none makes it an id alone. */
  readonly data: string[];
}

/**
 * Parses a stream of events (WHATWG HTML section 9.2.6), chunk by chunk: give it text, get the blocks
 * that are complete. Lines end in LF, CR or CRLF, also across chunks. Of fields, `id`, `event` and `data`
 * are read; comments, `retry` and unknown ones are passed over. Throws a `SyntaxError` for a block of
 * more than 2^20 characters.
 */
export function createBlockParser(): (text: string) => Block[] {
  let rest = '';
  let size = 0;
  /** Whether the chunk before ended in a CR: an LF that follows belongs to it. */
  let afterReturn = false;
  let block: Block = { name: MESSAGE, data: [] };
  return (text) => {
    const blocks: Block[] = [];
    const lines = (rest + (afterReturn ? text.replace(/^\n/, '') : text)).split(/\r\n?|\n/);
    if (text) afterReturn = text.endsWith('\r');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      size += line.length;
      const [, field, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
      if (!line) {
        if (block.data[0] !== undefined || block.id !== undefined) blocks.push(block);
        block = { name: MESSAGE, data: [] };
        size = 0;
      } else if (field === 'data') block.data.push(value);
      else if (field === 'event') block.name = value || MESSAGE;
      else if (field === 'id' && !value.includes('\0')) block.id = value;
    }
    if (size + rest.length > MAX_BLOCK) throw new SyntaxError('too long');
    return blocks;
  };
}

/** A block as a frame. One of a name that is not known holds nothing but its id. Throws for what is not ours. */
function toFrame({ id, name, data }: Block): Frame {
  if (id !== undefined && !isEventId(id)) throw new SyntaxError('not an id');
  const known = name === MESSAGE ? 'event' : name === SYSTEM && 'system';
  return known && data[0] !== undefined ? { id, [known]: Object(JSON.parse(data.join('\n'))) } : { id };
}

/**
 * Reads frames from the body of an open stream. `onBytes` is called with each chunk. Nothing is read
 * ahead of what the caller takes, but for one chunk. A block that is cut off at the end is dropped, as
 * the standard says. Throws what the body throws, and a `SyntaxError` for what is not a stream of ours.
 */
export async function* readFrames(
  body: ReadableStream<Uint8Array>,
  onBytes: () => void,
): AsyncGenerator<Frame, void, undefined> {
  const parse = createBlockParser();
  const decoder = new TextDecoder();
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      onBytes();
      for (const block of parse(decoder.decode(value, { stream: true }))) yield toFrame(block);
    }
  } finally {
    // Also when the caller leaves early: the connection is given back.
    reader.cancel().catch(() => {});
  }
}
