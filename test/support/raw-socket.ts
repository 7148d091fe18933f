/** A bare TCP client: sends bytes that no HTTP library would, and returns the bytes that come back. */
import { connect, type Socket } from 'node:net';

/** What came back. */
export interface RawAnswer {
  /** All bytes, as latin1 text. */
  readonly text: string;
  /** Status of the first answer; 0 when there was none. */
  readonly status: number;
  /** Header fields of the first answer, names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** The first answer's body as far as it came. */
  readonly body: string;
  /** Whether the server closed the connection. */
  readonly closed: boolean;
}

function read(text: string, closed: boolean): RawAnswer {
  const split = text.indexOf('\r\n\r\n');
  const head = split === -1 ? text : text.slice(0, split);
  const [first = '', ...lines] = head.split('\r\n');
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon > 0) headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  return {
    text,
    status: Number(/^HTTP\/1\.[01] (\d{3})/.exec(first)?.[1] ?? 0),
    headers,
    body: split === -1 ? '' : text.slice(split + 4),
    closed,
  };
}

function complete(answer: RawAnswer): boolean {
  if (answer.status === 0 || !answer.text.includes('\r\n\r\n')) return false;
  const length = answer.headers.get('content-length');
  if (length !== undefined) return answer.body.length >= Number(length);
  if (answer.headers.get('transfer-encoding') === 'chunked') {
    // An event stream goes on for ever: its first block is enough.
    return answer.body.includes('0\r\n\r\n') || answer.headers.get('content-type') === 'text/event-stream';
  }
  return false;
}

/**
 * Sends `bytes` (a string is latin1) to a port of this machine. Resolves when the first answer is whole, when
 * the server closes, or after `timeoutMs`. `toClose` waits for the close even past a whole answer.
 */
export function exchange(
  port: number,
  bytes: string | readonly string[],
  { timeoutMs = 5_000, toClose = false }: { timeoutMs?: number; toClose?: boolean } = {},
): Promise<RawAnswer> {
  return new Promise((resolve) => {
    let text = '';
    const socket: Socket = connect({ port, host: '127.0.0.1' });
    const finish = (closed: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(read(text, closed));
    };
    const timer = setTimeout(() => finish(false), timeoutMs);
    socket.on('connect', () => {
      for (const part of typeof bytes === 'string' ? [bytes] : bytes) socket.write(Buffer.from(part, 'latin1'));
    });
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (!toClose && complete(read(text, false))) finish(false);
    });
    socket.on('error', () => finish(true));
    socket.on('close', () => finish(true));
  });
}

/** The port of a URL. */
export function portOf(url: string): number {
  return Number(new URL(url).port);
}
