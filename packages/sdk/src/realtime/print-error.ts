import type { RealtimeError } from '@centrali-io/protocol';

/** Prints an error that nobody handles, with what to do about it, and never with a token. */
export function printError({ code, message, remedy, requestId, cause }: RealtimeError): void {
  // What a handler threw is the application's own; without it nobody can mend the handler.
  const more = code === 'HANDLER_ERROR' ? String((cause as Error | undefined)?.stack ?? cause) : (requestId ?? '');
  console.error(`[centrali] ${code}: ${message} ${remedy} ${more}`.replace(/[\w-]+\.[\w-]{8,}\.[\w-]+/g, '[token]'));
}
