/**
 * The one table of error codes. HTTP answers, the SDK's behaviour, the documentation and the
 * tests all read it; a code without a row does not compile.
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

/** What `WWW-Authenticate` says beside a code (RFC 6750 section 3): nothing, a bare challenge, or an error. */
export type Challenge = 'none' | 'bare' | 'invalid_token' | 'insufficient_scope';

/**
 * What the SDK does after telling `onError`: `stop` for good, `new-token` waits for a different
 * token and reconnects, `retry` backs off (at least Retry-After) and reconnects, `continue` leaves
 * the stream as it is.
 */
export type ClientAction = 'stop' | 'new-token' | 'retry' | 'continue';

/** One row of the table. */
export interface ErrorRow {
  /** HTTP status of the answer; 0 for a code that only the SDK raises. */
  readonly status: number;
  /** The `error` member of the body: the status' reason phrase (RFC 9110 section 15). */
  readonly error: string;
  /** The challenge of the answer. */
  readonly challenge: Challenge;
  /** Whether trying again can help without a person doing something. */
  readonly recoverable: boolean;
  /** Whether the answer carries `Retry-After` (RFC 9110 section 10.2.3). */
  readonly retryAfter: boolean;
  /** What the SDK then does. */
  readonly action: ClientAction;
  /** What happened: one declarative sentence, safe to show anyone. */
  readonly message: string;
  /** What to do: one imperative sentence. */
  readonly remedy: string;
}

/** The table. Codes that only the SDK raises have status 0. */
export const ERROR_CODES: Readonly<Record<ErrorCode, ErrorRow>> = {
  MISSING_TOKEN: {
    status: 401,
    error: 'Unauthorized',
    challenge: 'bare',
    recoverable: false,
    retryAfter: false,
    action: 'stop',
    message: 'No token was provided.',
    remedy: 'Send the user to login, then call setToken() with the new token.',
  },
  TOKEN_EXPIRED: {
    status: 401,
    error: 'Unauthorized',
    challenge: 'invalid_token',
    recoverable: true,
    retryAfter: false,
    action: 'new-token',
    message: 'The token has expired.',
    remedy: 'Refresh the token and call setToken(); the SDK then reconnects.',
  },
  INVALID_TOKEN: {
    status: 401,
    error: 'Unauthorized',
    challenge: 'invalid_token',
    recoverable: false,
    retryAfter: false,
    action: 'stop',
    message: 'The token is malformed, not trusted here, or revoked.',
    remedy: 'Authenticate the user again; check the issuer and the audience of the token.',
  },
  WORKSPACE_MISMATCH: {
    status: 403,
    error: 'Forbidden',
    challenge: 'insufficient_scope',
    recoverable: false,
    retryAfter: false,
    action: 'stop',
    message: 'The token is for a different workspace.',
    remedy: 'Use a token whose workspaces claim names this workspace, or correct workspaceId (it is the slug).',
  },
  FORBIDDEN: {
    status: 403,
    error: 'Forbidden',
    challenge: 'insufficient_scope',
    recoverable: false,
    retryAfter: false,
    action: 'stop',
    message: 'The permission that this needs is missing in this workspace.',
    remedy: 'Ask an administrator of the workspace for a role with this permission.',
  },
  AUTH_ERROR: {
    status: 503,
    error: 'Service Unavailable',
    challenge: 'none',
    recoverable: true,
    retryAfter: true,
    action: 'retry',
    message: 'The token could not be checked just now.',
    remedy: 'Wait; the SDK retries. Operators: check that the key set and IAM can be reached.',
  },
  RATE_LIMIT_EXCEEDED: {
    status: 429,
    error: 'Too Many Requests',
    challenge: 'none',
    recoverable: true,
    retryAfter: true,
    action: 'retry',
    message: 'Too many connections or requests.',
    remedy:
      'Share one subscription between handlers, or ask the operator for a higher limit; the SDK waits and retries.',
  },
  UNAVAILABLE: {
    status: 503,
    error: 'Service Unavailable',
    challenge: 'none',
    recoverable: true,
    retryAfter: true,
    action: 'retry',
    message: 'The service cannot do this just now.',
    remedy: 'Wait; the SDK retries. Nothing was stored.',
  },
  BAD_REQUEST: {
    status: 400,
    error: 'Bad Request',
    challenge: 'none',
    recoverable: false,
    retryAfter: false,
    action: 'stop',
    message: 'The request is not understood.',
    remedy: 'Correct what the message names.',
  },
  INVALID_FILTER: {
    status: 400,
    error: 'Bad Request',
    challenge: 'none',
    recoverable: false,
    retryAfter: false,
    action: 'stop',
    message: 'The filter is not valid.',
    remedy: 'Correct the filter at the position that the message names.',
  },
  NOT_FOUND: {
    status: 404,
    error: 'Not Found',
    challenge: 'none',
    recoverable: false,
    retryAfter: false,
    action: 'stop',
    message: 'There is nothing here.',
    remedy: 'Check the URL.',
  },
  METHOD_NOT_ALLOWED: {
    status: 405,
    error: 'Method Not Allowed',
    challenge: 'none',
    recoverable: false,
    retryAfter: false,
    action: 'stop',
    message: 'This method is not allowed here.',
    remedy: 'Use a method that the Allow header names.',
  },
  CONFLICT: {
    status: 409,
    error: 'Conflict',
    challenge: 'none',
    recoverable: false,
    retryAfter: false,
    action: 'stop',
    message: 'The request contradicts what is stored.',
    remedy: 'Read the present state, then decide again.',
  },
  PAYLOAD_TOO_LARGE: {
    status: 413,
    error: 'Content Too Large',
    challenge: 'none',
    recoverable: false,
    retryAfter: false,
    action: 'stop',
    message: 'The body is too large.',
    remedy: 'Send less at once: an event is at most 64 KiB, a request at most 1,000 events and 768 KiB.',
  },
  INTERNAL_ERROR: {
    status: 500,
    error: 'Internal Server Error',
    challenge: 'none',
    recoverable: true,
    retryAfter: false,
    action: 'retry',
    message: 'Something went wrong on the server.',
    remedy: 'Try again; tell the operator the requestId if it stays.',
  },
  NETWORK_ERROR: {
    status: 0,
    error: 'Network Error',
    challenge: 'none',
    recoverable: true,
    retryAfter: false,
    action: 'retry',
    message: 'No answer came from the service.',
    remedy: 'Check that the server is up, that baseUrl is right, and that the origin of this page is allowed.',
  },
  INVALID_CLIENT: {
    status: 0,
    error: 'Invalid Client',
    challenge: 'none',
    recoverable: false,
    retryAfter: false,
    action: 'stop',
    message: 'The token endpoint does not accept these client credentials.',
    remedy: 'Check clientId and clientSecret, and that the service account is enabled.',
  },
  HANDLER_ERROR: {
    status: 0,
    error: 'Handler Error',
    challenge: 'none',
    recoverable: true,
    retryAfter: false,
    action: 'continue',
    message: 'onEvent threw an error.',
    remedy: 'Mend the handler; the stream goes on with the next event.',
  },
};

const AUTH_ERROR_CODES: ReadonlySet<string> = new Set<AuthErrorCode>([
  'MISSING_TOKEN',
  'TOKEN_EXPIRED',
  'INVALID_TOKEN',
  'WORKSPACE_MISMATCH',
  'FORBIDDEN',
  'AUTH_ERROR',
]);

/** Whether `code` is one of the six codes of the authentication guide. */
export function isAuthErrorCode(code: string): code is AuthErrorCode {
  return AUTH_ERROR_CODES.has(code);
}

/** Whether `code` is one that the service can send. An own property, so that `constructor` is not a code. */
export function isServerErrorCode(code: unknown): code is ServerErrorCode {
  return typeof code === 'string' && Object.hasOwn(ERROR_CODES, code) && ERROR_CODES[code as ErrorCode].status !== 0;
}
