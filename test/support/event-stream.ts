/**
 * A reader of `text/event-stream` for tests: it keeps the bytes as they came, takes them apart by the
 * rules of WHATWG HTML section 9.2 on its own (no parser is shared with the product), and every wait has an end.
 */

/** One block of the stream: an event, or a block of comments and retry only. */
export interface Block {
  readonly id: string | undefined;
  /** The event's name; `message` when the block names none. */
  readonly event: string;
  /** `undefined` when the block dispatches nothing. */
  readonly data: string | undefined;
  readonly retry: string | undefined;
  readonly comments: readonly string[];
  /** The bytes, with the blank line at the end. */
  readonly raw: string;
}

/** Takes one block apart. */
export function parseBlock(raw: string): Block {
  let id: string | undefined;
  let event = '';
  let retry: string | undefined;
  const data: string[] = [];
  const comments: string[] = [];
  for (const line of raw.split(/\r\n|\n|\r/)) {
    if (line === '') continue;
    const colon = line.indexOf(':');
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === '') comments.push(value);
    else if (field === 'id') id = value;
    else if (field === 'event') event = value;
    else if (field === 'data') data.push(value);
    else if (field === 'retry') retry = value;
  }
  return { id, event: event || 'message', data: data.length === 0 ? undefined : data.join('\n'), retry, comments, raw };
}

/** An open answer to `GET …/events`. */
export interface EventStream {
  readonly response: Response;
  /** The next block; rejects after `timeoutMs` and when the stream ends. */
  next(timeoutMs?: number): Promise<Block>;
  /** Reads on until `accept` takes a block. */
  until(accept: (block: Block) => boolean, timeoutMs?: number): Promise<Block>;
  /** The next event named `message`, its JSON read. */
  message(timeoutMs?: number): Promise<{ id: string; json: any }>;
  /** The next event named `system` of a type, its JSON read. */
  system(type: string, timeoutMs?: number): Promise<{ id: string | undefined; json: any }>;
  /** Reads to the end of the stream; the blocks that were still to come. */
  end(timeoutMs?: number): Promise<Block[]>;
  /** Every byte so far, as text. */
  text(): string;
  close(): void;
}

const DEFAULT_MS = 8_000;

/** Opens a stream. Also resolves for an answer that is none: look at `response`. */
export async function openStream(url: string | URL, init: RequestInit = {}): Promise<EventStream> {
  const controller = new AbortController();
  const response = await fetch(url, { redirect: 'manual', ...init, signal: controller.signal });
  const reader = response.body?.getReader();
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  // Everything that came, and what of it has not been taken yet.
  const chunks: string[] = [];
  const text = (): string => chunks.join('');
  let pending = '';
  let ended: unknown;

  function take(): Block | undefined {
    const end = pending.indexOf('\n\n');
    if (end === -1) return undefined;
    // A copy: a slice would keep all that came with it in memory for as long as an id is kept.
    const raw = Buffer.from(pending.slice(0, end + 2)).toString();
    pending = pending.slice(end + 2);
    return parseBlock(raw);
  }
  async function more(timeoutMs: number): Promise<boolean> {
    if (ended !== undefined || reader === undefined) return false;
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`nothing more within ${timeoutMs} ms after:\n${text().slice(-1500)}`)),
        timeoutMs,
      );
    });
    try {
      const { done, value } = await Promise.race([reader.read(), timeout]);
      if (done) ended = 'end';
      else {
        const chunk = decoder.decode(value, { stream: true });
        chunks.push(chunk);
        pending += chunk;
      }
    } catch (error) {
      if (error instanceof Error && error.message.startsWith('nothing more')) {
        controller.abort();
        throw error;
      }
      ended = error;
    } finally {
      clearTimeout(timer);
    }
    return ended === undefined;
  }
  const stream: EventStream = {
    response,
    text,
    close: () => controller.abort(),
    async next(timeoutMs = DEFAULT_MS) {
      const deadline = performance.now() + timeoutMs;
      for (;;) {
        const block = take();
        if (block) return block;
        if (!(await more(deadline - performance.now())))
          throw new Error(`the stream ended (${String(ended)}) after:\n${text().slice(-1500)}`);
      }
    },
    async until(accept, timeoutMs = DEFAULT_MS) {
      const deadline = performance.now() + timeoutMs;
      for (;;) {
        const block = await stream.next(deadline - performance.now());
        if (accept(block)) return block;
      }
    },
    async message(timeoutMs) {
      const block = await stream.until(({ event, data }) => event === 'message' && data !== undefined, timeoutMs);
      if (block.id === undefined) throw new Error(`an event without an id:\n${block.raw}`);
      return { id: block.id, json: JSON.parse(block.data ?? '') };
    },
    async system(type, timeoutMs) {
      const block = await stream.until(
        ({ event, data }) => event === 'system' && data !== undefined && JSON.parse(data).type === type,
        timeoutMs,
      );
      return { id: block.id, json: JSON.parse(block.data ?? '') };
    },
    async end(timeoutMs = DEFAULT_MS) {
      const deadline = performance.now() + timeoutMs;
      while (await more(deadline - performance.now()));
      const blocks: Block[] = [];
      for (let block = take(); block; block = take()) blocks.push(block);
      return blocks;
    },
  };
  return stream;
}
