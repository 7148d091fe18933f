import { BrokerUnavailable } from '../port.ts';
import type { ReaderReply, ReaderRequest } from './messages.ts';

/** Most requests that are with the reader at a time; others wait here. */
const MAX_READS = 16;

type Answer = Extract<ReaderReply, { readonly id: number }>;
type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
/** A request without its number. */
export type Question = Without<Extract<ReaderRequest, { readonly id: number }>, 'id'>;

/** The way to the reader's thread: 16 requests at a time, equal ones shared. */
export class Reads {
  readonly #send: (request: ReaderRequest) => void;
  readonly #answers = new Map<number, (answer: Answer) => void>();
  readonly #shared = new Map<string, Promise<Answer>>();
  readonly #queue: (() => void)[] = [];
  #nextId = 1;
  /** Pages that were asked for so far. */
  pages = 0;
  #gone: string | undefined;

  constructor(send: (request: ReaderRequest) => void) {
    this.#send = send;
  }

  /** Takes what the reader says. */
  hear(reply: ReaderReply): void {
    if ('id' in reply) this.#answers.get(reply.id)?.(reply);
  }

  /** Rejects with `BrokerUnavailable`. */
  ask(question: Question): Promise<Answer> {
    const key = JSON.stringify(question);
    const same = this.#shared.get(key);
    if (same) return same;
    const answer = this.#ask(question).finally(() => this.#shared.delete(key));
    this.#shared.set(key, answer);
    return answer;
  }

  async #ask(question: Question): Promise<Answer> {
    if (this.#answers.size >= MAX_READS) await new Promise<void>((resolve) => this.#queue.push(resolve));
    if (this.#gone !== undefined) throw new BrokerUnavailable(this.#gone);
    const id = this.#nextId++;
    if (question.type === 'read') this.pages++;
    const answer = await new Promise<Answer>((resolve) => {
      this.#answers.set(id, resolve);
      this.#send({ ...question, id });
    });
    this.#answers.delete(id);
    this.#queue.shift()?.();
    if (answer.type === 'failed') throw new BrokerUnavailable(`the log cannot be read: ${answer.detail}`);
    return answer;
  }

  /** Rejects all that wait: the reader is gone. */
  fail(detail: string): void {
    this.#gone = detail;
    for (const [id, answer] of this.#answers) answer({ type: 'failed', id, detail });
    for (const next of this.#queue.splice(0)) next();
  }

  /** There is a reader again. */
  resume(): void {
    this.#gone = undefined;
  }
}
