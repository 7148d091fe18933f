import { Worker } from 'node:worker_threads';
import { sharedClock } from './clock.ts';
import type { ReaderRequest, ThreadData, WriterRequest } from './messages.ts';

/** What a thread says first: `open` when it works, `refused` when it cannot. */
type First = { readonly type: string; readonly name?: string; readonly message?: string };

/** A thread of the log and its first message. */
export interface Started<FirstReply> {
  readonly thread: Worker;
  readonly first: FirstReply;
}

/** Thrown when a thread cannot open the log. `refusal` is the name of the error there. */
export class ThreadRefused extends Error {
  override readonly name = 'ThreadRefused';
  readonly refusal: string;

  constructor(refusal: string, message: string) {
    super(message);
    this.refusal = refusal;
  }
}

/** Starts one of the log's threads: from the built file, or from the source where this file is one. */
export async function startThread<FirstReply extends First>(data: ThreadData): Promise<Started<FirstReply>> {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const thread = new Worker(new URL(`./worker.${extension}`, import.meta.url), { workerData: data });
  const { promise, resolve, reject } = Promise.withResolvers<FirstReply>();
  const ended = (code: number): void => reject(new Error(`the thread ended with code ${code}`));
  thread.once('message', resolve).once('error', reject).once('exit', ended);
  const first = await promise;
  // One by one: without arguments it would also take away what Node itself has put there.
  thread.off('error', reject).off('exit', ended);
  if (first.type !== 'open') throw new ThreadRefused(first.name ?? 'Error', first.message ?? 'unknown');
  return { thread, first };
}

/** Wait before the first new start, and the longest one, in ms; it doubles from try to try. */
const FIRST_WAIT = 100;
const LONGEST_WAIT = 5000;
/** A thread that lived this long, in ms, was a good one: the wait begins anew. */
const HEALTHY = 10_000;

/** What is done with a thread that is kept. */
export interface KeptOptions<FirstReply, Reply> {
  readonly data: ThreadData;
  /** A thread has been started again; when this rejects, the thread is ended and another one tried. */
  onStarted(first: FirstReply, thread: Worker): Promise<void>;
  onMessage(reply: Reply): void;
  /** The thread is gone, or a new one could not be started; called again for each failure. */
  onLost(detail: string): void;
}

/** A thread of the log that is started again when it ends: what it was, it has in the file. */
export class KeptThread<FirstReply extends First, Reply> {
  readonly #options: KeptOptions<FirstReply, Reply>;
  #thread: Worker | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #startedAt = 0;
  #closing = false;

  /** Takes the first one, which works already. */
  constructor(thread: Worker, options: KeptOptions<FirstReply, Reply>) {
    this.#options = options;
    this.#adopt(thread);
  }

  #adopt(thread: Worker): void {
    this.#thread = thread;
    this.#startedAt = sharedClock();
    const message = (reply: Reply): void => this.#options.onMessage(reply);
    const error = (cause: Error): void => lost(cause.message);
    const exit = (): void => lost('a thread of the log has ended');
    const lost = (detail: string): void => {
      if (this.#thread !== thread) return;
      this.#thread = undefined;
      // An answer that comes late is not heard: whoever takes over reads from the file what became of it.
      thread.off('message', message);
      if (sharedClock() - this.#startedAt >= HEALTHY) this.#failures = 0;
      this.#options.onLost(detail);
      // The file is the old one's until it has gone wholly.
      if (!this.#closing) void thread.terminate().then(() => this.#startLater());
    };
    thread.on('message', message).on('error', error).on('exit', exit);
  }

  #startLater(): void {
    if (this.#closing) return;
    const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#failures++);
    this.#timer = setTimeout(() => void this.#start(), wait).unref();
  }

  async #start(): Promise<void> {
    let thread: Worker | undefined;
    try {
      const started = await startThread<FirstReply>(this.#options.data);
      thread = started.thread;
      if (this.#closing) return await endThread(thread);
      this.#adopt(thread);
      await this.#options.onStarted(started.first, thread);
    } catch (error) {
      if (thread && this.#thread !== thread) return;
      this.#thread = undefined;
      this.#options.onLost(error instanceof Error ? error.message : String(error));
      await thread?.terminate();
      this.#startLater();
    }
  }

  /** Sends a message; it is lost while there is no thread. */
  tell(request: WriterRequest | ReaderRequest): void {
    this.#thread?.postMessage(request);
  }

  /** Tells the thread to close and waits until it has. */
  async close(): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#timer);
    if (this.#thread) await endThread(this.#thread);
  }
}

/** Tells a thread to close and waits until it has; one that is gone already has the id -1. */
async function endThread(thread: Worker): Promise<void> {
  if (thread.threadId === -1) return;
  const ended = new Promise<void>((resolve) => void thread.once('exit', () => resolve()));
  thread.postMessage({ type: 'close' } satisfies WriterRequest & ReaderRequest);
  await ended;
}
