/** A publisher on one keep-alive connection, one request at a time: little enough work to load a server with. */
import { connect, type Socket } from 'node:net';

/** An answer to a publish. */
export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Where to publish. */
export interface RawPublisherOptions {
  readonly port: number;
  /** `/realtime/workspace/{ws}/events`. */
  readonly path: string;
  readonly token: string;
}

/** Sends requests. Not for several at a time. */
export class RawPublisher {
  readonly #options: RawPublisherOptions;
  #socket: Socket | undefined;
  #text = '';
  #settle: ((answer: Answer | undefined) => void) | undefined;

  constructor(options: RawPublisherOptions) {
    this.#options = options;
  }

  /** The answer; `undefined` when the connection broke before there was a whole one. */
  send(body: string, headers = ''): Promise<Answer | undefined> {
    const { path, token } = this.#options;
    const socket = this.#open();
    return new Promise((resolve) => {
      this.#settle = resolve;
      socket.write(
        `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${headers}\r\n${body}`,
      );
    });
  }

  #open(): Socket {
    if (this.#socket) return this.#socket;
    const socket = connect({ port: this.#options.port, host: '127.0.0.1' });
    this.#socket = socket;
    this.#text = '';
    socket.setNoDelay(true);
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      this.#text += chunk;
      this.#read();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      this.#done(undefined);
    });
    return socket;
  }

  #read(): void {
    const end = this.#text.indexOf('\r\n\r\n');
    if (end === -1) return;
    const head = this.#text.slice(0, end);
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1]);
    if (Number.isNaN(length)) throw new TypeError(`an answer without a length: ${head}`);
    if (this.#text.length < end + 4 + length) return;
    const body = this.#text.slice(end + 4, end + 4 + length);
    this.#text = this.#text.slice(end + 4 + length);
    this.#done({ status: Number(head.slice(9, 12)), body });
  }

  #done(answer: Answer | undefined): void {
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.(answer);
  }

  close(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.destroy();
    this.#done(undefined);
  }
}
