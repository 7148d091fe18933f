import { describe, expect, it } from 'vitest';
import { Refusal } from '../resource-server/index.ts';
import { requestOf } from './gateway.fixture.ts';
import { readSubscription } from './selection.ts';

/** The subscription, or `code: message`. */
function read(query: string, rawHeaders: readonly string[] = []): unknown {
  try {
    return readSubscription(requestOf({ query, rawHeaders }));
  } catch (error) {
    if (error instanceof Refusal) return `${error.code}: ${error.init.message}`;
    throw error;
  }
}

const cursor = (query: string, ...headers: string[]): unknown => {
  const found = read(
    query,
    headers.flatMap((value) => ['Last-Event-ID', value]),
  );
  return typeof found === 'string' ? found : (found as { cursor?: string }).cursor;
};

describe('the query of a subscription', () => {
  it('selects everything when it is empty', () => {
    expect(read('')).toEqual({ selection: { structures: [], events: [] } });
    expect(read('structures=&events=&filter=&access_token=x')).toEqual({ selection: { structures: [], events: [] } });
  });

  it('reads every parameter', () => {
    expect(
      read(
        'structures=order,invoice,order&events=record_created&filter=data.total:gt:5&jobId=j&triggerType=t&functionId=f&errors=stream&last_event_id=e-1',
      ),
    ).toEqual({
      selection: {
        structures: ['order', 'invoice'],
        events: ['record_created'],
        filter: 'data.total:gt:5',
        jobId: 'j',
        triggerType: 't',
        functionId: 'f',
      },
      cursor: 'e-1',
    });
  });

  it.each([
    ['structure=order', 'The parameter structure is not known here.'],
    ['Structures=order', 'The parameter Structures is not known here.'],
    ['constructor=x', 'The parameter constructor is not known here.'],
    ['structures=a&structures=b', 'The parameter structures is given more than once.'],
    ['structures=a,,b', 'The parameter structures is a list of names, with a comma between two.'],
    ['structures=a%00', 'The parameter structures is a list of names, with a comma between two.'],
    ['events=Record', 'The parameter events is a list of names, with a comma between two.'],
    ['events=system', 'The parameter events is a list of names, with a comma between two.'],
    [
      `structures=${Array.from({ length: 101 }, (_, i) => i).join()}`,
      'The parameter structures is a list of at most 100 names.',
    ],
    ['jobId=', 'The parameter jobId is a text of 1 to 255 characters.'],
    [`functionId=${'x'.repeat(256)}`, 'The parameter functionId is a text of 1 to 255 characters.'],
    ['errors=body', 'The parameter errors can only be stream.'],
    ['errors=', 'The parameter errors can only be stream.'],
  ])('refuses %s', (query, message) => {
    expect(read(query)).toBe(`BAD_REQUEST: ${message}`);
  });

  it('does not repeat a name that may be a secret or a script', () => {
    for (const name of ['<script>', 'a'.repeat(43), 'eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczov.abc', 'a b', '']) {
      expect(read(`${encodeURIComponent(name)}=1`)).toBe('BAD_REQUEST: A parameter is not known here.');
    }
  });

  it('refuses a filter with the position of its fault', () => {
    expect(read('filter=data.total:gt:')).toMatch(/^INVALID_FILTER: The filter is not valid at position \d+: /);
    expect(read('filter=data.owner:{sub}')).toMatch(/^INVALID_FILTER/);
  });

  it('refuses a body', () => {
    expect(read('', ['Content-Length', '1'])).toBe('BAD_REQUEST: This request has no body.');
    expect(read('', ['Transfer-Encoding', 'chunked'])).toBe('BAD_REQUEST: This request has no body.');
    expect(read('', ['Content-Length', '0'])).toEqual({ selection: { structures: [], events: [] } });
  });
});

describe('the cursor', () => {
  it('comes in the header or under the names of polyfills', () => {
    expect(cursor('')).toBeUndefined();
    expect(cursor('', 'e-1')).toBe('e-1');
    for (const name of [
      'last_event_id',
      'lastEventId',
      'lastEventID',
      'Last-Event-ID',
      'last-event-id',
      'evs_last_event_id',
    ]) {
      expect(cursor(`${name}=e-1`)).toBe('e-1');
    }
  });

  it('of the header wins: a browser that reconnects keeps the URL that it began with', () => {
    expect(cursor('last_event_id=old', 'new')).toBe('new');
    expect(cursor('last_event_id=old', '')).toBe('old');
  });

  it('is refused when two of one place differ', () => {
    expect(cursor('', 'a', 'b')).toMatch(/^BAD_REQUEST: The parameter Last-Event-ID is given twice/);
    expect(cursor('last_event_id=a&lastEventId=b')).toMatch(/^BAD_REQUEST: The parameter last_event_id is given twice/);
    expect(cursor('', 'a', 'a')).toBe('a');
    expect(cursor('last_event_id=a&lastEventId=a')).toBe('a');
  });

  it('is refused outside its alphabet and length', () => {
    for (const bad of ['a b', 'a%00', 'a%0Ab', 'é', 'a'.repeat(129), 'a%2Fb', '1e308%2B']) {
      expect(cursor(`last_event_id=${bad}`)).toMatch(/^BAD_REQUEST: The parameter last_event_id is 1 to 128/);
    }
    expect(cursor(`last_event_id=${'a'.repeat(128)}`)).toBe('a'.repeat(128));
  });
});
