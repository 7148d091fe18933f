/** The outside of a command, in memory. */
import { PassThrough, Readable } from 'node:stream';
import type { Io } from './io.ts';

/** An `Io` with its output as text. */
export interface FakeIo extends Io {
  out(): string;
  err(): string;
  /** What SIGINT does. */
  interrupt(): void;
}

/** Makes one. `input` is stdin; without it, stdin is a terminal. */
export function fakeIo(options: { readonly input?: string | Readable; readonly env?: Io['env'] } = {}): FakeIo {
  const { input, env = {} } = options;
  const abort = new AbortController();
  const sink = (): { stream: PassThrough; text(): string } => {
    const stream = new PassThrough();
    let text = '';
    stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    return { stream, text: () => text };
  };
  const stdout = sink();
  const stderr = sink();
  const stdin =
    input === undefined
      ? Object.assign(new PassThrough(), { isTTY: true })
      : typeof input === 'string'
        ? Readable.from(input === '' ? [] : [Buffer.from(input)])
        : input;
  return {
    stdin,
    stdout: stdout.stream,
    stderr: stderr.stream,
    env,
    signal: abort.signal,
    out: stdout.text,
    err: stderr.text,
    interrupt: () => abort.abort(),
  };
}
