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

const CORRECT = 'Correct what the message names.';
const WAIT = 'Wait; the SDK retries.';

/** What the SDK does, and what a person can do: one imperative sentence. */
export const ERROR_HANDLING: Readonly<Record<ErrorCode, readonly [action: ClientAction, remedy: string]>> = {
  MISSING_TOKEN: ['stop', 'Log the user in, then call setToken().'],
  TOKEN_EXPIRED: ['new-token', 'Refresh the token and call setToken().'],
  INVALID_TOKEN: ['stop', 'Authenticate again; check issuer and audience of the token.'],
  WORKSPACE_MISMATCH: ['stop', 'Use a token for this workspace; workspaceId is the slug.'],
  FORBIDDEN: ['stop', 'Ask an administrator of the workspace for a role with this permission.'],
  AUTH_ERROR: ['retry', WAIT],
  RATE_LIMIT_EXCEEDED: ['retry', 'Share one subscription, or ask for a higher limit; the SDK retries.'],
  UNAVAILABLE: ['retry', WAIT],
  BAD_REQUEST: ['stop', CORRECT],
  INVALID_FILTER: ['stop', CORRECT],
  NOT_FOUND: ['stop', 'Check the URL.'],
  METHOD_NOT_ALLOWED: ['stop', CORRECT],
  CONFLICT: ['stop', 'Read the present state, then decide again.'],
  PAYLOAD_TOO_LARGE: ['stop', CORRECT],
  INTERNAL_ERROR: ['retry', 'Wait; the SDK retries. If it stays, tell the operator the requestId.'],
  NETWORK_ERROR: ['retry', 'Check that the server is up, baseUrl, and the allowed origins.'],
  INVALID_CLIENT: ['stop', 'Check clientId, clientSecret, and that the account is enabled.'],
  HANDLER_ERROR: ['continue', 'Mend the handler; the stream goes on.'],
};

/** What happened, in one declarative sentence, for the codes that a client raises without an answer. */
export const CLIENT_MESSAGES: Readonly<Record<ClientErrorCode | 'MISSING_TOKEN' | 'TOKEN_EXPIRED', string>> = {
  MISSING_TOKEN: 'No token was provided.',
  TOKEN_EXPIRED: 'The token has expired.',
  NETWORK_ERROR: 'No answer came from the service.',
  INVALID_CLIENT: 'The token endpoint refuses these client credentials.',
  HANDLER_ERROR: 'A handler threw an error.',
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
