/**
 * Who published what, what was acknowledged, and what each handler got: the judge of all chaos runs. It
 * knows nothing of the service; events are numbers that the publishers give out.
 */

/** What became of a workspace's events, over all its handlers. All but the first six have to be 0. */
export interface Verdict {
  handlers: number;
  /** Events that publishers sent. */
  sent: number;
  /** Events that were answered 202. */
  acknowledged: number;
  /** Calls of handlers. */
  delivered: number;
  /** Events without a 202 that were delivered all the same. */
  unacknowledgedDelivered: number;
  /** Acknowledged events times handlers: what had to be delivered. */
  due: number;
  /** Acknowledged events that a handler did not get. */
  missing: number;
  /** Events that a handler got more than once. */
  twice: number;
  /** Events that a handler got after a later one of the same publisher. */
  disordered: number;
  /** Events that a handler got in another place than the first handler of the workspace. */
  differing: number;
  /** Events that nobody sent, or under another id than the 202 named. */
  strange: number;
  /** `gap`s: in these runs everything is kept, so none is right. */
  gaps: number;
}

/** A bit for each number. */
class Bits {
  #bytes = new Uint8Array(1024);

  has(n: number): boolean {
    return (((this.#bytes[n >>> 3] ?? 0) >>> (n & 7)) & 1) === 1;
  }

  add(n: number): void {
    if (n >>> 3 >= this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#bytes.length * 2, (n >>> 3) + 1));
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes[n >>> 3] = (this.#bytes[n >>> 3] ?? 0) | (1 << (n & 7));
  }
}

/** One handler of events: a subscriber over all its connections. */
export class Handler {
  readonly #ledger: Ledger;
  readonly #seen = new Bits();
  /** Per publisher, the last of its events. */
  readonly #last = new Map<number, number>();
  count = 0;
  twice = 0;
  disordered = 0;
  differing = 0;
  strange = 0;
  gaps = 0;
  /** The first thing that was wrong, for people. */
  fault: string | undefined;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** The handler was called for event `n`. */
  record(n: number, id: string): void {
    const publisher = this.#ledger.publisherOf(n);
    if (publisher === undefined || !this.#ledger.sameId(n, id)) {
      this.strange++;
      this.fault ??= `event ${n} has id ${id}, which is not the one that was acknowledged, or was never sent`;
      return;
    }
    if (this.#seen.has(n)) {
      this.twice++;
      this.fault ??= `event ${n} (${id}) came twice`;
      return;
    }
    this.#seen.add(n);
    const last = this.#last.get(publisher) ?? -1;
    if (n < last) {
      this.disordered++;
      this.fault ??= `event ${n} (${id}) came after ${last} of the same publisher`;
    } else this.#last.set(publisher, n);
    if (!this.#ledger.inPlace(this.count, n)) {
      this.differing++;
      this.fault ??= `event ${n} (${id}) is number ${this.count} here and not at the first handler`;
    }
    this.count++;
  }

  has(n: number): boolean {
    return this.#seen.has(n);
  }
}

/** The events of one workspace. */
export class Ledger {
  readonly handlers: Handler[] = [];
  readonly #publishers: number[] = [];
  readonly #acknowledged = new Bits();
  /** The id of each event, by its 202 or its first delivery. */
  readonly #ids: (string | undefined)[] = [];
  /** The events in the order in which the first handler got them. */
  readonly #order: number[] = [];
  acknowledged = 0;

  /** The number of a publisher's next event. */
  issue(publisher: number): number {
    return this.#publishers.push(publisher) - 1;
  }

  /** The event was answered 202 with this id. A publisher hears of each event once. */
  acknowledge(n: number, id: string): void {
    this.#acknowledged.add(n);
    this.acknowledged++;
    if (!this.sameId(n, id)) {
      const [first] = this.handlers;
      if (first) {
        first.strange++;
        first.fault ??= `event ${n} was delivered as ${this.#ids[n]} and acknowledged as ${id}`;
      }
    }
  }

  /** Adds a handler; all of them have to be there before the first event. */
  handler(): Handler {
    const handler = new Handler(this);
    this.handlers.push(handler);
    return handler;
  }

  publisherOf(n: number): number | undefined {
    return this.#publishers[n];
  }

  sameId(n: number, id: string): boolean {
    this.#ids[n] ??= id;
    return this.#ids[n] === id;
  }

  inPlace(place: number, n: number): boolean {
    this.#order[place] ??= n;
    return this.#order[place] === n;
  }

  verdict(): Verdict {
    const { handlers } = this;
    const sum = (what: (handler: Handler) => number): number => handlers.reduce((all, one) => all + what(one), 0);
    let unacknowledgedDelivered = 0;
    let missing = 0;
    for (let n = 0; n < this.#publishers.length; n++) {
      const have = sum((handler) => Number(handler.has(n)));
      if (!this.#acknowledged.has(n)) unacknowledgedDelivered += Number(have > 0);
      // What one handler got belongs to all, acknowledged or not: it is in the log.
      if (this.#acknowledged.has(n) || have > 0) missing += handlers.length - have;
    }
    return {
      handlers: handlers.length,
      sent: this.#publishers.length,
      acknowledged: this.acknowledged,
      delivered: sum(({ count }) => count),
      unacknowledgedDelivered,
      due: this.acknowledged * handlers.length,
      missing,
      twice: sum(({ twice }) => twice),
      disordered: sum(({ disordered }) => disordered),
      differing: sum(({ differing }) => differing),
      strange: sum(({ strange }) => strange),
      gaps: sum(({ gaps }) => gaps),
    };
  }
}

/** The sum over workspaces. */
export function total(ledgers: readonly Ledger[]): Verdict {
  const [first, ...rest] = ledgers.map((ledger) => ledger.verdict());
  if (!first) throw new TypeError('no ledger');
  for (const verdict of rest) {
    for (const name of Object.keys(first) as (keyof Verdict)[]) first[name] += verdict[name];
  }
  return first;
}

/** What was wrong, one line for each kind; empty: nothing. */
export function faults(ledgers: readonly Ledger[]): string[] {
  const { missing, twice, disordered, differing, strange, gaps } = total(ledgers);
  const counts = Object.entries({ missing, twice, disordered, differing, strange, gaps });
  const kinds = counts.filter(([, count]) => count > 0).map(([name, count]) => `${name}: ${count}`);
  const examples = ledgers.flatMap(({ handlers }) => handlers.flatMap(({ fault }) => fault ?? []));
  return [...kinds, ...examples.slice(0, 5)];
}
