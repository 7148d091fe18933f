/**
 * What a client does about each error and tells its user. Apart from the wire's half of the table
 * (`error-codes.ts`), so that a browser does not carry what only a server needs.
 */

/** The six codes of the authentication guide. A closed type, so that a `switch` can be exhaustive. */
export type AuthErrorCode =
  | 'MISSING_TOKEN'
  | 'TOKEN_EXPIRED'
  | 'INVALID_TOKEN'
  | 'WORKSPACE_MISMATCH'
  | 'FORBIDDEN'
  | 'AUTH_ERROR';

/** Every code that the service can put into an error body or a `system` error event. */
export type ServerErrorCode =
  | AuthErrorCode
  | 'RATE_LIMIT_EXCEEDED'
  | 'UNAVAILABLE'
  | 'BAD_REQUEST'
  | 'INVALID_FILTER'
  | 'NOT_FOUND'
  | 'METHOD_NOT_ALLOWED'
  | 'CONFLICT'
  | 'PAYLOAD_TOO_LARGE'
  | 'INTERNAL_ERROR';

/** Codes that only the SDK raises: they never travel over the wire. */
export type ClientErrorCode = 'NETWORK_ERROR' | 'INVALID_CLIENT' | 'HANDLER_ERROR';

/** Every code a `RealtimeError` can carry. */
export type ErrorCode = ServerErrorCode | ClientErrorCode;

/**
 * What the SDK does after telling `onError`: `stop` for good, `new-token` waits for a different
 * token and reconnects, `retry` backs off (at least Retry-After) and reconnects, `continue` leaves
 * the stream as it is. Only what is not `stop` is recoverable.
 */
export type ClientAction = 'stop' | 'new-token' | 'retry' | 'continue';

/** What the SDK does, and what a person can do: one imperative sentence. */
export const ERROR_HANDLING: Readonly<Record<ErrorCode, readonly [action: ClientAction, remedy: string]>> = {
  MISSING_TOKEN: ['stop', 'Send the user to login, then call setToken() with the new token.'],
  TOKEN_EXPIRED: ['new-token', 'Refresh the token and call setToken(); the SDK then reconnects.'],
  INVALID_TOKEN: ['stop', 'Authenticate the user again; check the issuer and the audience of the token.'],
  WORKSPACE_MISMATCH: [
    'stop',
    'Use a token whose workspaces claim names this workspace, or correct workspaceId (it is the slug).',
  ],
  FORBIDDEN: ['stop', 'Ask an administrator of the workspace for a role with this permission.'],
  AUTH_ERROR: ['retry', 'Wait; the SDK retries. Operators: check that the key set and IAM can be reached.'],
  RATE_LIMIT_EXCEEDED: [
    'retry',
    'Share one subscription between handlers, or ask the operator for a higher limit; the SDK waits and retries.',
  ],
  UNAVAILABLE: ['retry', 'Wait; the SDK retries. Nothing was stored.'],
  BAD_REQUEST: ['stop', 'Correct what the message names.'],
  INVALID_FILTER: ['stop', 'Correct the filter at the position that the message names.'],
  NOT_FOUND: ['stop', 'Check the URL.'],
  METHOD_NOT_ALLOWED: ['stop', 'Use a method that the Allow header names.'],
  CONFLICT: ['stop', 'Read the present state, then decide again.'],
  PAYLOAD_TOO_LARGE: [
    'stop',
    'Send less at once: an event is at most 64 KiB, a request at most 1,000 events and 768 KiB.',
  ],
  INTERNAL_ERROR: ['retry', 'Try again; tell the operator the requestId if it stays.'],
  NETWORK_ERROR: [
    'retry',
    'Check that the server is up, that baseUrl is right, and that the origin of this page is allowed.',
  ],
  INVALID_CLIENT: ['stop', 'Check clientId and clientSecret, and that the service account is enabled.'],
  HANDLER_ERROR: ['continue', 'Mend the handler; the stream goes on with the next event.'],
};

/** What happened, in one declarative sentence, for the codes that a client raises without an answer. */
export const CLIENT_MESSAGES: Readonly<Record<ClientErrorCode | 'MISSING_TOKEN' | 'TOKEN_EXPIRED', string>> = {
  MISSING_TOKEN: 'No token was provided.',
  TOKEN_EXPIRED: 'The token has expired.',
  NETWORK_ERROR: 'No answer came from the service.',
  INVALID_CLIENT: 'The token endpoint does not accept these client credentials.',
  HANDLER_ERROR: 'onEvent threw an error.',
};

/** Whether `code` is one of the six codes of the authentication guide. */
export function isAuthErrorCode(code: string): code is AuthErrorCode {
  return /^(MISSING_TOKEN|TOKEN_EXPIRED|INVALID_TOKEN|WORKSPACE_MISMATCH|FORBIDDEN|AUTH_ERROR)$/.test(code);
}

/** Whether `code` is one that the service can send. An own property, so that `constructor` is not a code. */
export function isServerErrorCode(code: unknown): code is ServerErrorCode {
  return (
    typeof code === 'string' &&
    Object.hasOwn(ERROR_HANDLING, code) &&
    !/^(NETWORK_ERROR|INVALID_CLIENT|HANDLER_ERROR)$/.test(code)
  );
}
