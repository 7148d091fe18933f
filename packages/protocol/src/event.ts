/** Domain events: what applications publish and subscribers get. */

/** Most bytes of one event as JSON (UTF-8). */
export const MAX_EVENT_BYTES: number = 64 * 1024;
/** Most events of one request. */
export const MAX_REQUEST_EVENTS = 1000;
/** Most bytes of a publish request's body. */
export const MAX_REQUEST_BYTES: number = 768 * 1024;

/** The kinds of record events: they need `recordSlug` and `recordId`. */
export type RecordEventName = 'record_created' | 'record_updated' | 'record_deleted';
/** The kinds of compute events: `data` carries `jobId`, `functionId` and `triggerType`. */
export type ComputeEventName = 'function_run_completed' | 'function_run_failed';

/** What every event on the stream has in common. */
export interface EventBase {
  readonly workspaceSlug: string;
  /** ISO 8601 instant. */
  readonly timestamp: string;
  /** The principal who published it. */
  readonly createdBy: string;
}

/** A record was made; `data` is its fields. */
export interface RecordCreatedEvent<Data = Record<string, unknown>> extends EventBase {
  readonly event: 'record_created';
  readonly recordSlug: string;
  readonly recordId: string;
  readonly data: Data;
}

/** A record changed. `before` is left out where a grant does not cover it. */
export interface RecordUpdatedEvent<Data = Record<string, unknown>> extends EventBase {
  readonly event: 'record_updated';
  readonly recordSlug: string;
  readonly recordId: string;
  readonly data: { readonly before?: Data; readonly after: Data };
}

/** A record is gone; `data` is its last state. */
export interface RecordDeletedEvent<Data = Record<string, unknown>> extends EventBase {
  readonly event: 'record_deleted';
  readonly recordSlug: string;
  readonly recordId: string;
  readonly data: Data;
}

/** A function's run ended. */
export interface ComputeEvent<Data = Record<string, unknown>> extends EventBase {
  readonly event: ComputeEventName;
  readonly recordSlug?: string;
  readonly recordId?: string;
  readonly data: Data & { readonly jobId: string; readonly functionId: string; readonly triggerType: string };
}

/** An event with a name of the application's own. */
export interface CustomEvent<Data = unknown> extends EventBase {
  readonly event: string & {};
  readonly recordSlug?: string;
  readonly recordId?: string;
  readonly data?: Data;
}

/** Events about records. */
export type RealtimeRecordEvent<Data = Record<string, unknown>> =
  | RecordCreatedEvent<Data>
  | RecordUpdatedEvent<Data>
  | RecordDeletedEvent<Data>;

/** Any event on the stream. */
export type RealtimeEvent<Data = Record<string, unknown>> =
  | RealtimeRecordEvent<Data>
  | ComputeEvent<Data>
  | CustomEvent<Data>;

/** An event as a publisher sends it; the server adds workspace, publisher and, when absent, the time. */
export interface EventInput {
  readonly event: string;
  readonly recordSlug?: string;
  readonly recordId?: string;
  readonly data?: unknown;
  readonly timestamp?: string;
  /** De-duplicates a single event, see the delivery documentation. */
  readonly id?: string;
  /** Only the workspace of the URL is accepted. */
  readonly workspaceSlug?: string;
  /** Only with the permission `realtime:publish-as`. */
  readonly createdBy?: string;
}

/** What is wrong with an event, and where. `field` is a name of `EventInput`, or `''` for the whole. */
export interface EventProblem {
  readonly field: string;
  readonly message: string;
}

const EVENT_NAME = /^[a-z][a-z0-9_.-]{0,63}$/;
/** C0, DEL, C1, line and paragraph separators, bidirectional and zero-width controls, lone surrogates. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u;
const FIELDS: ReadonlySet<string> = new Set([
  'event',
  'recordSlug',
  'recordId',
  'data',
  'timestamp',
  'id',
  'workspaceSlug',
  'createdBy',
]);
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/;

/** Whether `name` can be an event's name: `[a-z][a-z0-9_.-]{0,63}`, and not `system` or below it. */
export function isEventName(name: unknown): name is string {
  return typeof name === 'string' && EVENT_NAME.test(name) && name !== 'system' && !name.startsWith('system.');
}

/** Whether `value` can be a name in an event: 1 to `max` characters, none of them a control character. */
export function isPlainText(value: unknown, max: number): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= max && !UNSAFE.test(value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether an event's name says that it is about a record. */
export function isRecordEventName(name: string): name is RecordEventName {
  return name === 'record_created' || name === 'record_updated' || name === 'record_deleted';
}

/** Whether an event's name says that a function's run ended. */
export function isComputeEventName(name: string): name is ComputeEventName {
  return name === 'function_run_completed' || name === 'function_run_failed';
}

function dataProblem(name: string, data: unknown): string | undefined {
  if (name === 'record_updated') {
    if (!isObject(data) || !isObject(data.before) || !isObject(data.after) || Object.keys(data).length !== 2) {
      return 'record_updated needs data {before, after}, both objects.';
    }
  } else if (isRecordEventName(name)) {
    if (!isObject(data)) return `${name} needs data, an object of the record's fields.`;
  } else if (isComputeEventName(name)) {
    if (!isObject(data)) return `${name} needs data with jobId, functionId and triggerType.`;
    for (const key of ['jobId', 'functionId', 'triggerType']) {
      if (!isPlainText(data[key], 255)) return `${name} needs data.${key}, a text of 1 to 255 characters.`;
    }
  }
  return undefined;
}

/**
 * Checks one event as a publisher sent it, apart from its size. Returns the first problem, or
 * `undefined` for a good one. Messages never repeat what was sent.
 */
export function eventProblem(input: unknown): EventProblem | undefined {
  if (!isObject(input)) return { field: '', message: 'An event is a JSON object.' };
  for (const key of Object.keys(input)) {
    if (!FIELDS.has(key)) return { field: '', message: `An event has only the fields ${[...FIELDS].join(', ')}.` };
  }
  const { event, recordSlug, recordId, data, timestamp, id, workspaceSlug, createdBy } = input;
  if (!isEventName(event)) {
    return { field: 'event', message: 'event is a name [a-z][a-z0-9_.-]{0,63} outside system.*.' };
  }
  const about = isRecordEventName(event);
  for (const [field, value] of [
    ['recordSlug', recordSlug],
    ['recordId', recordId],
  ] as const) {
    if (value === undefined && !about) continue;
    if (!isPlainText(value, 255)) {
      return { field, message: `${field} is a text of 1 to 255 characters without control characters.` };
    }
  }
  const problem = dataProblem(event, data);
  if (problem) return { field: 'data', message: problem };
  if (timestamp !== undefined) {
    if (typeof timestamp !== 'string' || !INSTANT.test(timestamp) || Number.isNaN(Date.parse(timestamp))) {
      return { field: 'timestamp', message: 'timestamp is an ISO 8601 instant with its offset.' };
    }
  }
  if (id !== undefined && !isPlainText(id, 128)) {
    return { field: 'id', message: 'id is a text of 1 to 128 characters without control characters.' };
  }
  if (workspaceSlug !== undefined && typeof workspaceSlug !== 'string') {
    return { field: 'workspaceSlug', message: 'workspaceSlug is the workspace of the URL.' };
  }
  if (createdBy !== undefined && !isPlainText(createdBy, 255)) {
    return { field: 'createdBy', message: 'createdBy is a text of 1 to 255 characters without control characters.' };
  }
  return undefined;
}
