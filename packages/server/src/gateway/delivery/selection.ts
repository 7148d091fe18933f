import {
  bindFilter,
  equality,
  type Filter,
  FilterError,
  type FilterLiteral,
  filterKey,
  type Grant,
  grantMatches,
  isComputeEventName,
  matchesFilter,
  parseFilter,
  type RealtimeEvent,
  type Scalar,
} from '@centrali-io/protocol';
import { Refusal } from '../../resource-server/index.ts';
import type { Selection as Narrowing } from './port.ts';

/** Which frame of an event a subscriber gets. */
export type Verdict = 'none' | 'whole' | 'lean';

/** A value that an event must have at a path for a selection to want it: what the index finds it by. */
export interface Term {
  readonly path: readonly string[];
  readonly value: FilterLiteral;
}

/** A grant that can be judged: its placeholders are bound. */
interface BoundGrant {
  readonly structures: ReadonlySet<string> | undefined;
  readonly events: ReadonlySet<string> | undefined;
  readonly filter: Filter | undefined;
  readonly key: string;
}

/** How far a list of terms narrows: a field's value most, all events not at all. */
interface Terms {
  readonly rank: 0 | 1 | 2 | 3;
  readonly terms: readonly Term[];
}

const NO_TERMS: Terms = { rank: 0, terms: [] };

function setOf(names: readonly string[] | undefined): ReadonlySet<string> | undefined {
  return names && names.length > 0 ? new Set(names) : undefined;
}

function setKey(names: ReadonlySet<string> | undefined): readonly string[] {
  return names ? [...names].sort() : [];
}

function termsOf(
  structures: ReadonlySet<string> | undefined,
  events: ReadonlySet<string> | undefined,
  filter: Filter | undefined,
): Terms {
  const same = filter && equality(filter);
  if (same) return { rank: 3, terms: [same] };
  if (structures) return { rank: 2, terms: [...structures].map((value) => ({ path: ['recordSlug'], value })) };
  if (events) return { rank: 1, terms: [...events].map((value) => ({ path: ['event'], value })) };
  return NO_TERMS;
}

/** A union is found by the terms of all its parts, and narrows no further than the widest of them. */
function union(parts: readonly Terms[]): Terms {
  const rank = parts.reduce<Terms['rank']>((least, part) => (part.rank < least ? part.rank : least), 3);
  return rank === 0 ? NO_TERMS : { rank, terms: parts.flatMap(({ terms }) => terms) };
}

/** A grant with its filter bound; `undefined` when it is void: a value is missing, or it cannot be read. */
function bindGrant(grant: Grant, placeholders: ReadonlyMap<string, Scalar>): BoundGrant | undefined {
  const structures = setOf(grant.structures);
  const events = setOf(grant.events);
  let filter: Filter | undefined;
  if (grant.filter !== undefined) {
    try {
      filter = bindFilter(parseFilter(grant.filter, { placeholders: true }), placeholders);
    } catch (error) {
      if (!(error instanceof FilterError)) throw error;
    }
    if (!filter) return undefined;
  }
  const key = JSON.stringify([setKey(structures), setKey(events), filter ? filterKey(filter) : null]);
  return { structures, events, filter, key };
}

function parseClientFilter(text: string | undefined): Filter | undefined {
  if (text === undefined || text === '') return undefined;
  try {
    return parseFilter(text);
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    throw new Refusal('INVALID_FILTER', 'filter_invalid', {
      message: `The filter is not valid at position ${error.position}: ${error.message}`,
      cause: error,
    });
  }
}

/**
 * What one stream gets: the client's narrowing of the union of its grants. Streams with an equal `key` get
 * the same frames, so one judgement serves them all.
 */
export class Selection {
  /** A normal form of all that `judge` reads. */
  readonly key: string;
  /** Every event that is wanted has one of these values; empty: any event may be wanted. */
  readonly terms: readonly Term[];
  readonly #structures: ReadonlySet<string> | undefined;
  readonly #events: ReadonlySet<string> | undefined;
  readonly #filter: Filter | undefined;
  readonly #run: readonly (readonly [field: string, value: string])[];
  readonly #grants: readonly BoundGrant[];
  /** Nothing has to be looked at: every event is wanted, whole. */
  readonly #everything: boolean;

  /** Throws `Refusal('INVALID_FILTER')` for a client's filter that cannot be read. Void grants grant nothing. */
  constructor(narrowing: Narrowing, grants: readonly Grant[], placeholders: ReadonlyMap<string, Scalar>) {
    this.#structures = setOf(narrowing.structures);
    this.#events = setOf(narrowing.events);
    this.#filter = parseClientFilter(narrowing.filter);
    this.#run = (['jobId', 'triggerType', 'functionId'] as const).flatMap((field) => {
      const value = narrowing[field];
      return value === undefined || value === '' ? [] : [[field, value] as const];
    });
    const bound = new Map(
      grants.flatMap((grant) => {
        const known = bindGrant(grant, placeholders);
        return known ? [[known.key, known] as const] : [];
      }),
    );
    const total = [...bound.values()].find(isTotal);
    this.#grants = total ? [total] : [...bound.values()];
    const narrow = termsOf(this.#structures, this.#events, this.#filter);
    const granted = union(this.#grants.map(({ structures, events, filter }) => termsOf(structures, events, filter)));
    this.terms = granted.rank > narrow.rank ? granted.terms : narrow.terms;
    this.#everything = total !== undefined && narrow === NO_TERMS && !this.#filter && this.#run.length === 0;
    this.key = JSON.stringify([
      setKey(this.#structures),
      setKey(this.#events),
      this.#filter ? filterKey(this.#filter) : null,
      this.#run,
      this.#grants.map(({ key }) => key).sort(),
    ]);
  }

  /** Whether whatever `other`, of the same narrowing, lets through is let through here too, as far as that is plain to see. */
  widens(other: Selection): boolean {
    const keys = new Set(this.#grants.map(({ key }) => key));
    return this.#grants.some(isTotal) || other.#grants.every(({ key }) => keys.has(key));
  }

  /** Whether the stream gets the event, and which frame of it. `source` is asked for the event only when needed. */
  judge(source: { readonly event: RealtimeEvent }): Verdict {
    if (this.#everything) return 'whole';
    const { event } = source;
    if (!this.#narrowsTo(event)) return 'none';
    const whole = this.#granted(event);
    if (whole === undefined) return 'none';
    // Where `before` is left out of the frame, the filter must not tell about it either.
    if (this.#filter && !matchesFilter(this.#filter, event, { before: whole })) return 'none';
    return whole ? 'whole' : 'lean';
  }

  #narrowsTo(event: RealtimeEvent): boolean {
    if (!names(this.#structures, event.recordSlug) || !names(this.#events, event.event)) return false;
    if (this.#run.length === 0 || !isComputeEventName(event.event)) return true;
    const data = event.data as Readonly<Record<string, unknown>>;
    return this.#run.every(([field, value]) => data[field] === value);
  }

  /** `undefined`: no grant covers it; `true`: one covers the whole of it; `false`: without `before`. */
  #granted(event: RealtimeEvent): boolean | undefined {
    let covered: boolean | undefined;
    for (const { structures, events, filter } of this.#grants) {
      if (!names(structures, event.recordSlug) || !names(events, event.event)) continue;
      if (!filter) return true;
      const { match, before } = grantMatches(filter, event);
      if (match && before) return true;
      if (match) covered = false;
    }
    return covered;
  }
}

/** Whether a grant is for every event, whole. */
function isTotal({ structures, events, filter }: BoundGrant): boolean {
  return !structures && !events && !filter;
}

/** Whether a list names something; no list names everything. */
function names(list: ReadonlySet<string> | undefined, name: string | undefined): boolean {
  return !list || (name !== undefined && list.has(name));
}
