import { Worker } from 'node:worker_threads';
import type { ThreadData } from './messages.ts';

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
