import { type EventInput, eventProblem, MAX_EVENT_BYTES, MAX_REQUEST_EVENTS } from '@centrali-io/protocol';
import { decodeUtf8, Refusal, type ServerRequest } from '../resource-server/index.ts';

/** Deepest nesting of an event's JSON. */
const MAX_DEPTH = 64;

function bad(message: string, reason = 'body_malformed'): Refusal {
  return new Refusal('BAD_REQUEST', reason, { message });
}

/** How a body is written: one JSON value, or one per line. */
export type Notation = 'json' | 'ndjson';

/** The notation that a request declares: JSON (RFC 8259) or NDJSON, in UTF-8, not packed. */
export function notationOf({ headers }: Pick<ServerRequest, 'headers'>): Notation {
  const [type, ...more] = headers.all('content-type');
  const [essence = '', ...parameters] = (type ?? '').split(';').map((part) => part.trim().toLowerCase());
  const notation = essence === 'application/json' ? 'json' : essence === 'application/x-ndjson' ? 'ndjson' : undefined;
  if (notation === undefined || more.length > 0) {
    throw bad('Content-Type is application/json or application/x-ndjson.', 'content_type');
  }
  if (!parameters.every((parameter) => /^charset="?utf-8"?$/.test(parameter))) {
    throw bad('Content-Type has no parameter but charset=utf-8.', 'content_type');
  }
  if (headers.all('content-encoding').some((coding) => coding.trim().toLowerCase() !== 'identity')) {
    throw bad('The body is sent as it is, without Content-Encoding.', 'content_encoding');
  }
  return notation;
}

/** `Idempotency-Key`: 1 to 255 visible ASCII characters, once. */
export function idempotencyKeyOf({ headers }: Pick<ServerRequest, 'headers'>): string | undefined {
  const keys = headers.all('idempotency-key');
  if (keys.length === 0) return undefined;
  const [key = ''] = keys;
  if (keys.length > 1 || !/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw bad('Idempotency-Key is 1 to 255 visible ASCII characters, sent once.', 'idempotency_key');
  }
  return key;
}

/**
 * Reads the events of a body: one, an array, or one per line.
 *
 * @throws Refusal `BAD_REQUEST` with the index of the event and its problem; `PAYLOAD_TOO_LARGE`
 */
export function readEvents(body: Uint8Array, notation: Notation): readonly EventInput[] {
  const values = notation === 'json' ? parseOne(body) : parseLines(body);
  if (values.length === 0) throw bad('There is no event in the body.', 'body_empty');
  if (values.length > MAX_REQUEST_EVENTS) {
    throw new Refusal('PAYLOAD_TOO_LARGE', 'too_many_events', {
      message: `A request holds at most ${MAX_REQUEST_EVENTS} events.`,
    });
  }
  return values.map((value, index) => readEvent(value, index, values.length));
}

function readEvent(value: unknown, index: number, count: number): EventInput {
  const problem = eventProblem(value);
  if (problem) throw bad(`Event ${index}: ${problem.message}`, `event_${problem.field || 'malformed'}`);
  const event = value as EventInput;
  if (Buffer.byteLength(JSON.stringify(event)) > MAX_EVENT_BYTES) {
    throw new Refusal('PAYLOAD_TOO_LARGE', 'event_too_large', { message: `Event ${index} is larger than 64 KiB.` });
  }
  if (event.id !== undefined && count > 1) {
    throw bad('id is for a request of a single event; several go with an Idempotency-Key.', 'event_id');
  }
  return event;
}

function decode(body: Uint8Array): string {
  let text: string;
  try {
    text = decodeUtf8(body);
  } catch {
    throw bad('The body is not UTF-8.', 'body_utf8');
  }
  scan(text);
  return text;
}

function parse(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message would repeat what was sent.
    throw bad(`${where} is not JSON.`, 'body_not_json');
  }
}

function parseOne(body: Uint8Array): readonly unknown[] {
  const value = parse(decode(body), 'The body');
  return Array.isArray(value) ? value : [value];
}

function parseLines(body: Uint8Array): readonly unknown[] {
  const lines = decode(body)
    .split('\n')
    .map((line, index) => ({ line, number: index + 1 }))
    .filter(({ line }) => line.trim() !== '');
  return lines.map(({ line, number }) => parse(line, `Line ${number}`));
}

const QUOTE = 0x22;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
/** `[` and `{` differ in this bit only, as do `]` and `}`. */
const CASE_BIT = 0x20;
const OPEN = 0x7b;
const CLOSE = 0x7d;

/**
 * Walks a text that may be JSON, by its structure alone. Refuses what nests too deep (what writes JSON is
 * recursive), and an event that names a field twice: two readers could take it for two events.
 */
function scan(text: string): void {
  // The events of an array are one level down.
  const eventDepth = /^\s*\[/.test(text) ? 2 : 1;
  const fields = new Set<string>();
  let depth = 0;
  let string = '';
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const end = endOfString(text, at);
      if (depth === eventDepth) string = text.slice(at, end + 1);
      at = end;
    } else if (code === COLON && depth === eventDepth) {
      // Of the strings on this level, those before a colon are names.
      const field = nameOf(string);
      if (fields.has(field)) throw bad('An event names a field twice.', 'event_field_repeated');
      fields.add(field);
    } else if ((code | CASE_BIT) === OPEN) {
      depth += 1;
      if (depth >= eventDepth + MAX_DEPTH) throw bad(`An event is nested at most ${MAX_DEPTH} deep.`, 'body_too_deep');
      if (depth === eventDepth) fields.clear();
    } else if ((code | CASE_BIT) === CLOSE) depth -= 1;
  }
}

/** Where the string that begins at `start` ends. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end !== -1 && isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end === -1 ? text.length : end;
}

/** Whether an odd number of backslashes stands before `at`. */
function isEscaped(text: string, at: number): boolean {
  let backslashes = 0;
  while (text.charCodeAt(at - 1 - backslashes) === BACKSLASH) backslashes += 1;
  return backslashes % 2 === 1;
}

/** A name without its escapes; one that is malformed is the parser's to judge. */
function nameOf(literal: string): string {
  if (!literal.includes('\\')) return literal;
  try {
    return JSON.stringify(JSON.parse(literal));
  } catch {
    return literal;
  }
}
