import { type ErrorBody, parseErrorBody } from './error-body.ts';
import { ERROR_CODES, type ErrorCode } from './error-codes.ts';

/** Survives two copies of the package in one program, which `instanceof` does not. */
const BRAND = Symbol.for('centrali.RealtimeError');

/** What a `RealtimeError` is made from. */
export interface RealtimeErrorInit {
  /** What happened; defaults to the table's sentence for the code. Must not hold a token or a secret. */
  readonly message?: string;
  /** HTTP status of the answer that said it, when there was one. */
  readonly status?: number;
  /** How long the server asks to wait, in milliseconds. */
  readonly retryAfterMs?: number;
  /** What to tell the operator. */
  readonly requestId?: string;
  /** What it came from; kept for debugging, never printed by this package. */
  readonly cause?: unknown;
}

/** An error of the service or of the SDK, told apart by its `code`. */
export class RealtimeError extends Error {
  override readonly name = 'RealtimeError';
  /** Which error: a closed set, see `ERROR_CODES`. */
  readonly code: ErrorCode;
  /** Whether trying again can help without a person doing something. */
  readonly recoverable: boolean;
  /** What to do, in one sentence. */
  readonly remedy: string;
  readonly status?: number;
  readonly retryAfterMs?: number;
  readonly requestId?: string;

  constructor(code: ErrorCode, init: RealtimeErrorInit = {}) {
    super(init.message ?? ERROR_CODES[code].message, init.cause === undefined ? undefined : { cause: init.cause });
    this.code = code;
    this.recoverable = ERROR_CODES[code].recoverable;
    this.remedy = ERROR_CODES[code].remedy;
    if (init.status !== undefined) this.status = init.status;
    if (init.retryAfterMs !== undefined) this.retryAfterMs = init.retryAfterMs;
    if (init.requestId) this.requestId = init.requestId;
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** Whether `value` is a `RealtimeError`, of this or of another copy of the package. */
  static is(value: unknown): value is RealtimeError {
    return typeof value === 'object' && value !== null && (value as Record<symbol, unknown>)[BRAND] === true;
  }

  /** Reads an error body or the JSON of a `system` error event; `undefined` when it is not one of ours. */
  static fromBody(value: unknown, status?: number): RealtimeError | undefined {
    const body = parseErrorBody(value);
    return body && RealtimeError.#fromErrorBody(body, status);
  }

  static #fromErrorBody(body: ErrorBody, status: number | undefined): RealtimeError {
    return new RealtimeError(body.code, {
      message: body.message,
      requestId: body.requestId,
      ...(status === undefined ? {} : { status }),
      ...(body.retryAfter === undefined ? {} : { retryAfterMs: body.retryAfter * 1000 }),
    });
  }
}
