/**
 * A list of frames that waits for the flush of this turn, as a node of a tree: lists that are the same
 * are the same node, however they came about, and are joined once for all sockets that get them.
 */
export class FrameList {
  readonly #parent: FrameList | undefined;
  readonly #frame: Buffer;
  /** Bytes of all frames. */
  readonly bytes: number;
  /** Number of frames. */
  readonly length: number;
  /** How many sockets get exactly this list in this flush. */
  users = 0;
  /** The lists that are this one and one frame more. Most have one. */
  #next: FrameList | undefined;
  #others: Map<Buffer, FrameList> | undefined;
  #joined: Buffer | undefined;

  private constructor(parent: FrameList | undefined, frame: Buffer) {
    this.#parent = parent;
    this.#frame = frame;
    this.bytes = (parent?.bytes ?? 0) + frame.length;
    this.length = parent ? parent.length + 1 : 0;
  }

  /** The empty list: the root of a tree of lists. */
  static empty(): FrameList {
    return new FrameList(undefined, Buffer.alloc(0));
  }

  /** Forgets the lists that begin here; called on the root when nobody waits for them any more. */
  clear(): void {
    this.users = 0;
    this.#next = undefined;
    this.#others = undefined;
  }

  /** This list and one frame more. */
  with(frame: Buffer): FrameList {
    if (this.#next && this.#next.#frame === frame) return this.#next;
    const known = this.#others?.get(frame);
    if (known) return known;
    const list = new FrameList(this, frame);
    if (!this.#next) this.#next = list;
    else {
      this.#others ??= new Map();
      this.#others.set(frame, list);
    }
    return list;
  }

  /** The frames, in order. */
  frames(): Buffer[] {
    if (!this.#parent) return [];
    const frames = [this.#frame];
    for (let at = this.#parent; at.#parent; at = at.#parent) frames.push(at.#frame);
    return frames.reverse();
  }

  /** All frames in one buffer, made once. */
  get joined(): Buffer {
    if (this.length === 1) return this.#frame;
    this.#joined ??= Buffer.concat(this.frames(), this.bytes);
    return this.#joined;
  }
}
