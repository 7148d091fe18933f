import type { Stream } from './stream.ts';
import type { Turn, Work } from './turn.ts';

/** Said in one step: an end is more urgent than the other work of a turn, which takes turns with it. */
const TOGETHER = 16;

/**
 * The last words of streams that were ended together. Writing to a socket and closing it costs more than all
 * the rest of an end, so thousands are said within the turns' budget, and the other streams do not notice.
 */
export class Farewells implements Work {
  readonly #turn: Turn;
  readonly #say: (stream: Stream) => void;
  #queue: Stream[] = [];
  #from = 0;

  constructor(turn: Turn, say: (stream: Stream) => void) {
    this.#turn = turn;
    this.#say = say;
  }

  /** Queues a stream that is over. */
  add(stream: Stream): void {
    this.#queue.push(stream);
    this.#turn.add(this);
  }

  step(): boolean {
    for (const end = this.#from + TOGETHER; this.#from < end; this.#from++) {
      const stream = this.#queue[this.#from];
      if (stream) this.#say(stream);
    }
    if (this.#from < this.#queue.length) return true;
    this.#queue = [];
    this.#from = 0;
    return false;
  }
}
