import {
  bindFilter,
  type Filter,
  type FilterableEvent,
  type Grant,
  grantMatches,
  parseFilter,
  type Scalar,
} from '@centrali-io/protocol';

/** A grant made ready: its lists as sets (absent = all), its filter parsed and bound (absent = all). */
export interface BoundGrant {
  readonly structures?: ReadonlySet<string>;
  readonly events?: ReadonlySet<string>;
  readonly filter?: Filter;
}

/**
 * Makes grants ready for one principal. A grant is void, and left out, when a placeholder has no value
 * or when its filter cannot be read: a doubt opens nothing.
 */
export function bindGrants(grants: readonly Grant[], placeholders: ReadonlyMap<string, Scalar>): readonly BoundGrant[] {
  return grants.flatMap(({ structures = [], events = [], filter = '' }) => {
    const bound = filter === '' ? 'all' : boundFilter(filter, placeholders);
    if (bound === undefined) return [];
    return [
      {
        ...(structures.length === 0 ? {} : { structures: new Set(structures) }),
        ...(events.length === 0 ? {} : { events: new Set(events) }),
        ...(bound === 'all' ? {} : { filter: bound }),
      },
    ];
  });
}

function boundFilter(text: string, placeholders: ReadonlyMap<string, Scalar>): Filter | undefined {
  try {
    return bindFilter(parseFilter(text, { placeholders: true }), placeholders);
  } catch {
    return undefined;
  }
}

/** What grants read of an event. */
export type CoverableEvent = FilterableEvent & { readonly recordSlug?: string };

/** Whether one of the grants covers the event. An event about no structure is covered only by grants for all. */
export function coversEvent(grants: readonly BoundGrant[], event: CoverableEvent): boolean {
  return grants.some(({ structures, events, filter }) => {
    if (structures && !(event.recordSlug !== undefined && structures.has(event.recordSlug))) return false;
    if (events && !events.has(event.event)) return false;
    return filter === undefined || grantMatches(filter, event).match;
  });
}
