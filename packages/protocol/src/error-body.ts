import { ERROR_CODES } from './error-codes.ts';
import { isServerErrorCode, type ServerErrorCode } from './error-handling.ts';

/** The JSON body of every error answer, the OAuth endpoints' apart (they answer by RFC 6749 section 5.2). */
export interface ErrorBody {
  /** The status' reason phrase. */
  readonly error: string;
  readonly code: ServerErrorCode;
  /** What happened, in one sentence. Never holds a token, a secret or a part of one. */
  readonly message: string;
  readonly recoverable: boolean;
  /** `req_…`: what to tell the operator. */
  readonly requestId: string;
  /** Seconds to wait, as in `Retry-After`. */
  readonly retryAfter?: number;
}

/** Builds the body of an error answer from its code. `message` defaults to the table's. */
export function errorBody(
  code: ServerErrorCode,
  requestId: string,
  message: string = ERROR_CODES[code].message,
  retryAfter?: number,
): ErrorBody {
  const { error, recoverable } = ERROR_CODES[code];
  return { error, code, message, recoverable, requestId, ...(retryAfter === undefined ? {} : { retryAfter }) };
}

/** Reads an error body that came over the wire; `undefined` when it is not one of ours. */
export function parseErrorBody(value: unknown): ErrorBody | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { code, message, requestId, retryAfter } = value as Record<string, unknown>;
  if (!isServerErrorCode(code)) return undefined;
  return errorBody(
    code,
    typeof requestId === 'string' ? requestId : '',
    typeof message === 'string' ? message : undefined,
    typeof retryAfter === 'number' && retryAfter >= 0 ? retryAfter : undefined,
  );
}
