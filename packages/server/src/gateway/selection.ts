import { FilterError, parseFilter } from '@centrali-io/protocol';
import { Refusal, type ServerRequest } from '../resource-server/index.ts';
import type { Selection } from './delivery/port.ts';
import { badParameter, CURSOR_PARAMETERS, cursorOf, eventsOf, onlyKnown, structuresOf, textOf } from './parameters.ts';

/** What a subscriber asks for beside the token. */
export interface Subscription {
  readonly selection: Selection;
  readonly cursor?: string;
}

const KNOWN: ReadonlySet<string> = new Set([
  'access_token',
  'ticket',
  'structures',
  'events',
  'filter',
  'jobId',
  'triggerType',
  'functionId',
  'errors',
  ...CURSOR_PARAMETERS,
]);

/** Whether refusals are to come as a stream: native EventSource can read nothing else. */
export function wantsErrorsAsStream(query: URLSearchParams): boolean {
  const values = query.getAll('errors');
  return values.length === 1 && values[0] === 'stream';
}

/**
 * Reads query and headers of a subscription.
 *
 * @throws Refusal `BAD_REQUEST` naming the parameter; `INVALID_FILTER` with the position
 */
export function readSubscription({ query, headers }: Pick<ServerRequest, 'query' | 'headers'>): Subscription {
  onlyKnown(query, KNOWN);
  if (query.has('errors') && !wantsErrorsAsStream(query)) throw badParameter('errors', 'can only be stream.');
  refuseBody(headers);
  const filter = readFilter(query.get('filter') ?? '');
  const cursor = cursorOf(headers.all('last-event-id'), query);
  const narrowed = (['jobId', 'triggerType', 'functionId'] as const).map(
    (name) => [name, textOf(query, name)] as const,
  );
  return {
    selection: {
      structures: structuresOf(query),
      events: eventsOf(query),
      ...(filter === undefined ? {} : { filter }),
      ...Object.fromEntries(narrowed.filter(([, value]) => value !== undefined)),
    },
    ...(cursor === undefined ? {} : { cursor }),
  };
}

/** A body where none is read: on GET it has no meaning (RFC 9110 section 9.3.1) and is a known way to smuggle a request. */
export function refuseBody(headers: ServerRequest['headers']): void {
  const length = headers.get('content-length');
  if (headers.get('transfer-encoding') !== undefined || (length !== undefined && length !== '0')) {
    throw new Refusal('BAD_REQUEST', 'body_unexpected', { message: 'This request has no body.' });
  }
}

function readFilter(text: string): string | undefined {
  if (text === '') return undefined;
  try {
    parseFilter(text);
    return text;
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    throw new Refusal('INVALID_FILTER', 'filter_malformed', {
      message: `The filter is not valid at position ${error.position}: ${error.message}`,
    });
  }
}
