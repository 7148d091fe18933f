/**
 * Frames of the `text/event-stream` format (WHATWG HTML section 9.2). Each block ends in LF LF; there
 * is never a byte order mark.
 */

/** What an event's id may be: no byte that makes a browser's reconnect need a preflight. */
const ID = /^[A-Za-z0-9._-]{1,128}$/;

/** Whether `id` can stand in an `id:` field: 1 to 128 characters of `A-Z a-z 0-9 . _ -`. */
export function isEventId(id: string): boolean {
  return ID.test(id);
}

/** The media type of the stream. */
export const EVENT_STREAM = 'text/event-stream';

/** The name of every domain event on the stream; its kind is in the JSON. */
export const MESSAGE = 'message';

/** The name of every event about the stream itself. Not `error`: that collides with EventSource's own. */
export const SYSTEM = 'system';

/**
 * Frames one event. `json` must be the output of `JSON.stringify` without indentation: it holds no
 * line end, so that one `data:` line suffices and nothing in it can become a field.
 */
export function encodeEvent(id: string | undefined, name: string, json: string): string {
  return id === undefined ? `event: ${name}\ndata: ${json}\n\n` : `id: ${id}\nevent: ${name}\ndata: ${json}\n\n`;
}

/** Frames a comment: clients ignore it, proxies see traffic. Line ends become spaces. */
export function encodeComment(text: string): string {
  return `: ${text.replace(/[\r\n]+/g, ' ')}\n\n`;
}

/** Frames the reconnection time, in whole milliseconds. */
export function encodeRetry(milliseconds: number): string {
  return `retry: ${Math.round(milliseconds)}\n\n`;
}
