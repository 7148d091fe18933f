import type { RealtimeError } from '@centrali-io/protocol';

/** Anything that looks like a JWT. */
const JWT = /[\w-]{8,}\.[\w-]{8,}\.[\w-]*/g;

/** Prints an error that nobody handles, with what to do about it, and never with a token. */
export function printError(error: RealtimeError): void {
  const { code, message, remedy, requestId, cause } = error;
  // What a handler threw is the application's own; without it nobody can mend the handler.
  const thrown = code === 'HANDLER_ERROR' ? `\n${(cause as Error | undefined)?.stack ?? cause}` : '';
  const id = requestId ? ` (${requestId})` : '';
  console.error(`[centrali] ${code}: ${message} ${remedy}${id}${thrown}`.replace(JWT, '[token]'));
}
