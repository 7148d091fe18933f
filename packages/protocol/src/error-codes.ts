import { CLIENT_MESSAGES, type ClientAction, ERROR_HANDLING, type ErrorCode } from './error-handling.ts';

/**
 * The one table of error codes. HTTP answers, the SDK's behaviour, the documentation and the
 * tests all read it; a code without a row does not compile. Its client half is in `error-handling.ts`.
 */

/** What `WWW-Authenticate` says beside a code (RFC 6750 section 3): nothing, a bare challenge, or an error. */
export type Challenge = 'none' | 'bare' | 'invalid_token' | 'insufficient_scope';

/** What a code is on the wire. */
interface WireRow {
  /** HTTP status of the answer; 0 for a code that only the SDK raises. */
  readonly status: number;
  /** The `error` member of the body: the status' reason phrase (RFC 9110 section 15). */
  readonly error: string;
  /** The challenge of the answer. */
  readonly challenge: Challenge;
  /** Whether the answer carries `Retry-After` (RFC 9110 section 10.2.3). */
  readonly retryAfter: boolean;
  /** What happened: one declarative sentence, safe to show anyone. */
  readonly message: string;
}

/** One row of the table. */
export interface ErrorRow extends WireRow {
  /** Whether trying again can help without a person doing something. */
  readonly recoverable: boolean;
  /** What the SDK then does. */
  readonly action: ClientAction;
  /** What to do: one imperative sentence. */
  readonly remedy: string;
}

const WIRE: Readonly<Record<ErrorCode, WireRow>> = {
  MISSING_TOKEN: {
    status: 401,
    error: 'Unauthorized',
    challenge: 'bare',
    retryAfter: false,
    message: CLIENT_MESSAGES.MISSING_TOKEN,
  },
  TOKEN_EXPIRED: {
    status: 401,
    error: 'Unauthorized',
    challenge: 'invalid_token',
    retryAfter: false,
    message: CLIENT_MESSAGES.TOKEN_EXPIRED,
  },
  INVALID_TOKEN: {
    status: 401,
    error: 'Unauthorized',
    challenge: 'invalid_token',
    retryAfter: false,
    message: 'The token is malformed, not trusted here, or revoked.',
  },
  WORKSPACE_MISMATCH: {
    status: 403,
    error: 'Forbidden',
    challenge: 'insufficient_scope',
    retryAfter: false,
    message: 'The token is for a different workspace.',
  },
  FORBIDDEN: {
    status: 403,
    error: 'Forbidden',
    challenge: 'insufficient_scope',
    retryAfter: false,
    message: 'The permission that this needs is missing in this workspace.',
  },
  AUTH_ERROR: {
    status: 503,
    error: 'Service Unavailable',
    challenge: 'none',
    retryAfter: true,
    message: 'The token could not be checked just now.',
  },
  RATE_LIMIT_EXCEEDED: {
    status: 429,
    error: 'Too Many Requests',
    challenge: 'none',
    retryAfter: true,
    message: 'Too many connections or requests.',
  },
  UNAVAILABLE: {
    status: 503,
    error: 'Service Unavailable',
    challenge: 'none',
    retryAfter: true,
    message: 'The service cannot do this just now.',
  },
  BAD_REQUEST: {
    status: 400,
    error: 'Bad Request',
    challenge: 'none',
    retryAfter: false,
    message: 'The request is not understood.',
  },
  INVALID_FILTER: {
    status: 400,
    error: 'Bad Request',
    challenge: 'none',
    retryAfter: false,
    message: 'The filter is not valid.',
  },
  NOT_FOUND: {
    status: 404,
    error: 'Not Found',
    challenge: 'none',
    retryAfter: false,
    message: 'There is nothing here.',
  },
  METHOD_NOT_ALLOWED: {
    status: 405,
    error: 'Method Not Allowed',
    challenge: 'none',
    retryAfter: false,
    message: 'This method is not allowed here.',
  },
  CONFLICT: {
    status: 409,
    error: 'Conflict',
    challenge: 'none',
    retryAfter: false,
    message: 'The request contradicts what is stored.',
  },
  PAYLOAD_TOO_LARGE: {
    status: 413,
    error: 'Content Too Large',
    challenge: 'none',
    retryAfter: false,
    message: 'The body is too large.',
  },
  INTERNAL_ERROR: {
    status: 500,
    error: 'Internal Server Error',
    challenge: 'none',
    retryAfter: false,
    message: 'Something went wrong on the server.',
  },
  NETWORK_ERROR: {
    status: 0,
    error: 'Network Error',
    challenge: 'none',
    retryAfter: false,
    message: CLIENT_MESSAGES.NETWORK_ERROR,
  },
  INVALID_CLIENT: {
    status: 0,
    error: 'Invalid Client',
    challenge: 'none',
    retryAfter: false,
    message: CLIENT_MESSAGES.INVALID_CLIENT,
  },
  HANDLER_ERROR: {
    status: 0,
    error: 'Handler Error',
    challenge: 'none',
    retryAfter: false,
    message: CLIENT_MESSAGES.HANDLER_ERROR,
  },
};

/** The table. Codes that only the SDK raises have status 0. */
export const ERROR_CODES: Readonly<Record<ErrorCode, ErrorRow>> = Object.fromEntries(
  Object.entries(WIRE).map(([code, row]) => {
    const [action, remedy] = ERROR_HANDLING[code as ErrorCode];
    return [code, { ...row, recoverable: action !== 'stop', action, remedy }];
  }),
) as Record<ErrorCode, ErrorRow>;
