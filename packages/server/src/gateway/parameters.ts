import { isEventId, isEventName, isPlainText } from '@centrali-io/protocol';
import { Refusal } from '../resource-server/index.ts';

/** A name that may be repeated in an answer: short and plain, so that nothing secret or active is reflected. */
const SHOWABLE = /^[A-Za-z][A-Za-z0-9_.-]{0,31}$/;

/** A `BAD_REQUEST` that names the parameter. */
export function badParameter(name: string, problem: string, reason = 'parameter_malformed'): Refusal {
  const shown = SHOWABLE.test(name) ? `The parameter ${name}` : 'A parameter';
  return new Refusal('BAD_REQUEST', reason, { message: `${shown} ${problem}` });
}

/**
 * Refuses a query with a parameter outside `known`, or with one twice: what is not understood is
 * refused, never ignored.
 */
export function onlyKnown(query: URLSearchParams, known: ReadonlySet<string>): void {
  const seen = new Set<string>();
  for (const name of query.keys()) {
    if (!known.has(name)) throw badParameter(name, 'is not known here.', 'parameter_unknown');
    if (seen.has(name)) throw badParameter(name, 'is given more than once.', 'parameter_repeated');
    seen.add(name);
  }
}

/** Most names in a list. */
const MAX_LIST = 100;

/** A comma list of names; absent and empty mean all. */
function listOf(query: URLSearchParams, name: string, isItem: (item: string) => boolean): readonly string[] {
  const text = query.get(name) ?? '';
  if (text === '') return [];
  const items = text.split(',');
  if (items.length > MAX_LIST) throw badParameter(name, `is a list of at most ${MAX_LIST} names.`);
  if (!items.every(isItem)) throw badParameter(name, 'is a list of names, with a comma between two.');
  return [...new Set(items)];
}

/** `structures`: slugs of structures. */
export function structuresOf(query: URLSearchParams): readonly string[] {
  return listOf(query, 'structures', (item) => isPlainText(item, 255));
}

/** `events`: names of events. */
export function eventsOf(query: URLSearchParams): readonly string[] {
  return listOf(query, 'events', isEventName);
}

/** A text of 1 to 255 characters, or absent. */
export function textOf(query: URLSearchParams, name: string): string | undefined {
  const value = query.get(name);
  if (value === null) return undefined;
  if (!isPlainText(value, 255)) throw badParameter(name, 'is a text of 1 to 255 characters.');
  return value;
}

/**
 * Names under which a cursor comes in the query: ours, and those of the polyfills in use
 * (event-source-polyfill, Yaffle's old one, Mercure's clients).
 */
export const CURSOR_PARAMETERS: readonly string[] = [
  'last_event_id',
  'lastEventId',
  'lastEventID',
  'last-event-id',
  'Last-Event-ID',
  'evs_last_event_id',
];

/**
 * The cursor of a request (WHATWG HTML section 9.2.3). The header wins over the query: a browser that
 * reconnects keeps its URL, and its header is the newer one. Two headers, or two parameters, that differ
 * are refused. An empty one is none.
 */
export function cursorOf(headers: readonly string[], query: URLSearchParams): string | undefined {
  const inHeader = oneCursor(headers, 'Last-Event-ID');
  const inQuery = oneCursor(
    CURSOR_PARAMETERS.flatMap((name) => query.getAll(name)),
    'last_event_id',
  );
  return inHeader ?? inQuery;
}

function oneCursor(values: readonly string[], name: string): string | undefined {
  const given = new Set(values.filter((value) => value !== ''));
  const [cursor] = given;
  if (given.size > 1) throw badParameter(name, 'is given twice, and the two differ.', 'cursor_ambiguous');
  if (cursor !== undefined && !isEventId(cursor)) {
    throw badParameter(name, 'is 1 to 128 characters of A-Z a-z 0-9 . _ -', 'cursor_malformed');
  }
  return cursor;
}
