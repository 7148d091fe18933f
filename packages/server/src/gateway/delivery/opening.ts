import type { Effects } from './effects.ts';
import { gapFrame, headFrame } from './frames.ts';
import type { Stream } from './stream.ts';
import type { Streams } from './streams.ts';
import type { Work } from './turn.ts';

/** Nobody waits longer than this for the first bytes, in ms: new streams are refused instead. */
const MAX_WAIT = 5000;
/** The reconnection time of each stream, in ms: random, so that a restart is not followed by one wave. */
const RETRY_FROM = 2000;
const RETRY_TO = 5000;

/** The queue of new streams: their first bytes are written in slices, after the flush of each turn. */
export class Opening implements Work {
  readonly #streams: Streams;
  readonly #effects: Effects;
  readonly #max: number;
  #queue: { readonly stream: Stream; readonly since: number }[] = [];
  #from = 0;

  constructor(streams: Streams, effects: Effects, max: number) {
    this.#streams = streams;
    this.#effects = effects;
    this.#max = max;
  }

  /** Whether too many wait, or one for too long. */
  get full(): boolean {
    const oldest = this.#queue[this.#from];
    return (
      this.#queue.length - this.#from >= this.#max ||
      (oldest !== undefined && this.#effects.monotonic() - oldest.since > MAX_WAIT)
    );
  }

  add(stream: Stream): void {
    this.#queue.push({ stream, since: this.#effects.monotonic() });
    this.#streams.hub.turn.add(this);
  }

  step(): boolean {
    const next = this.#queue[this.#from++];
    if (next && next.stream.state === 'opening') this.#open(next.stream);
    if (this.#from < this.#queue.length) return true;
    this.#queue = [];
    this.#from = 0;
    return false;
  }

  /** Writes the first bytes; the stream then goes on from its cursor, or from the head as it is now. */
  #open(stream: Stream): void {
    const { hub } = this.#streams;
    const { broker } = hub;
    const now = this.#effects.monotonic();
    // The wheel ends it, with its code.
    if (now >= stream.expiresAt) return;
    if (now >= stream.hold.until) return hub.endUnproven(stream);
    const { request, workspace, located } = stream;
    const head = broker.head();
    stream.write(
      headFrame({
        retry: RETRY_FROM + Math.floor(this.#effects.random() * (RETRY_TO - RETRY_FROM + 1)),
        workspace,
        connectionId: stream.connectionId,
        tokenExpiresAt: stream.access.token.expiresAt,
        // A cursor that leads to a `gap` is said here too: a client that breaks off before the `gap` comes back with it.
        id: request.cursor ?? broker.cursorAt(workspace, head),
        resumed: located?.kind === 'at',
      }),
      now,
    );
    stream.located = undefined;
    stream.position = !located || located.kind === 'unknown' ? head : located.position;
    if (located && located.kind !== 'at') {
      stream.write(
        gapFrame(located.kind, broker.cursorAt(workspace, located.kind === 'unknown' ? head : located.position)),
        now,
      );
    }
    request.onOpen(stream.connectionId);
    if (stream.state === 'opening') hub.feed(workspace).catchUp.add(stream);
  }
}
