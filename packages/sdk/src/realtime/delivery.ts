/** So many are queued before the stream is no longer read. */
const MAX_QUEUED = 128;

/** Hands things to the application one after the other, and knows what has been handled. */
export interface Delivery {
  /** The last id that was put in: from where to go on in this program. */
  cursor(): string | null;
  /** The last id that is handled. */
  lastEventId(): string | null;
  /** Runs `run` in its turn and waits for it; then `id` is handled. */
  put(id: string, run?: () => unknown): void;
  /** Resolves when everything so far is handled, or, unless `all`, at once while there is room. */
  done(all?: boolean): Promise<void> | undefined;
  /** Drops what is queued, and with `cursor` where it stood. What runs is left to end. */
  drop(cursor: boolean): void;
}

/** Makes a delivery that goes on after `lastEventId`. `onThrow` is told what a handler throws, and awaited. */
export function createDelivery(lastEventId: string | null, onThrow: (cause: unknown) => unknown): Delivery {
  let cursor = lastEventId;
  let handled = lastEventId;
  let queued = 0;
  /** Grows with each drop: what was put in before is not run. */
  let drops = 0;
  /** The id in hand; `undefined` when a drop has taken it away. */
  let inHand: string | undefined;
  let tail = Promise.resolve();

  async function handle(id: string, run?: () => unknown): Promise<void> {
    inHand = id;
    try {
      await run?.();
    } catch (cause) {
      await onThrow(cause);
    }
    if (inHand === id) handled = id;
    inHand = undefined;
  }

  return {
    cursor: () => cursor,
    lastEventId: () => handled,
    put(id, run) {
      const before = drops;
      cursor = id;
      queued++;
      tail = tail.then(() => {
        queued--;
        return before === drops ? handle(id, run) : undefined;
      });
    },
    done: (all) => (all || queued >= MAX_QUEUED ? tail : undefined),
    drop(forget) {
      drops++;
      if (forget) {
        inHand = undefined;
        handled = null;
      }
      cursor = inHand ?? handled;
    },
  };
}
