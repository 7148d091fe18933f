/** A subscriber as a program without any library has it: one socket, a cursor, and the rules of the stream. */
import { connect, type Socket } from 'node:net';

/** What a raw subscriber is made from. */
export interface RawSubscriberOptions {
  readonly port: number;
  /** Path with query. */
  readonly path: string;
  readonly token: string;
  readonly cursor?: string;
  onEvent(data: string, id: string): void;
  onSystem?(type: string, id: string | undefined, data: string): void;
  /** Called with each piece of the body and its length, before it is taken apart. */
  onBytes?(length: number): void;
  /** How long to wait before the next attempt, in ms; 50 by default. */
  readonly retryMs?: number;
}

/** Reconnects with its cursor until it is stopped. */
export class RawSubscriber {
  readonly #options: RawSubscriberOptions;
  #socket: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  cursor: string | undefined;
  /** Streams that were answered 200. */
  opened = 0;

  constructor(options: RawSubscriberOptions) {
    this.#options = options;
    this.cursor = options.cursor;
    this.#connect();
  }

  #connect(): void {
    const { port, path, token, retryMs = 50 } = this.#options;
    const socket = connect({ port, host: '127.0.0.1' });
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('connect', () => {
      const cursor = this.cursor === undefined ? '' : `Last-Event-ID: ${this.cursor}\r\n`;
      socket.write(
        `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\nAuthorization: Bearer ${token}\r\n${cursor}\r\n`,
      );
    });
    let head = '';
    let inBody = false;
    let rest = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      let text = chunk;
      if (!inBody) {
        head += text;
        const end = head.indexOf('\r\n\r\n');
        if (end === -1) return;
        if (!head.startsWith('HTTP/1.1 200 ')) {
          socket.destroy();
          return;
        }
        inBody = true;
        this.opened++;
        text = head.slice(end + 4);
      }
      this.#options.onBytes?.(text.length);
      rest += text;
      let from = 0;
      for (let end = rest.indexOf('\n\n', from); end !== -1; end = rest.indexOf('\n\n', from)) {
        if (this.#stopped) return;
        this.#block(rest.slice(from, end));
        from = end + 2;
      }
      rest = rest.slice(from);
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      if (!this.#stopped) this.#timer = setTimeout(() => this.#connect(), retryMs);
    });
  }

  #block(block: string): void {
    let id: string | undefined;
    let data = '';
    let event = 'message';
    for (const line of block.split('\n')) {
      if (line.startsWith('id: ')) id = line.slice(4);
      else if (line.startsWith('data: ')) data += line.slice(6);
      else if (line.startsWith('event: ')) event = line.slice(7);
    }
    if (id !== undefined) this.cursor = id;
    if (data === '') return;
    if (event === 'message') this.#options.onEvent(data, id ?? '');
    else this.#options.onSystem?.(JSON.parse(data).type, id, data);
  }

  /** Stops reading from the socket, until `resume`. */
  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  /** Breaks the connection; it is made again. */
  cut(): void {
    this.#socket?.destroy();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
  }
}
