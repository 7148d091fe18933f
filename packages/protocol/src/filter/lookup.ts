/** What a filter reads of an event. Every `RealtimeEvent` is one. */
export interface FilterableEvent {
  readonly event: string;
  readonly data?: unknown;
}

/**
 * Which state of a record a path means on `record_updated`. `after`: `data.x` is `data.after.x`, and
 * `data.before.x` can be read; `after-only`: the same, as if there were no `before`; `before`: every
 * path reads the state before, to judge whether that state may be shown.
 */
export type StateView = 'after' | 'after-only' | 'before';

/** Counts what evaluation does, so that a test can show that it is linear. */
export interface FilterSteps {
  count: number;
}

const INDEX = /^(0|[1-9][0-9]{0,8})$/;

/** An own property, never an inherited one; of an array, only its items. */
function own(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  if (Array.isArray(value) && !INDEX.test(name)) return undefined;
  return Object.hasOwn(value, name) ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
}

/** The value that a path leads to in an event; `undefined` when there is none. */
export function lookup(
  event: FilterableEvent,
  path: readonly string[],
  view: StateView = 'after',
  steps?: FilterSteps,
): unknown {
  let value: unknown = own(event, path[0] ?? '');
  let from = 1;
  if (path[0] === 'data' && event.event === 'record_updated') {
    const named = path[1] === 'before' || path[1] === 'after' ? path[1] : undefined;
    const state = view === 'before' ? 'before' : (named ?? 'after');
    if (state === 'before' && view === 'after-only') return undefined;
    value = own(value, state);
    if (named !== undefined) from = 2;
  }
  for (let i = from; i < path.length; i++) value = own(value, path[i] ?? '');
  if (steps) steps.count += path.length;
  return value;
}
