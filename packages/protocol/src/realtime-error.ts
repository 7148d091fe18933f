import { CLIENT_MESSAGES, ERROR_HANDLING, type ErrorCode, isServerErrorCode } from './error-handling.ts';

/** Survives two copies of the package in one program, which `instanceof` does not. */
const BRAND = Symbol.for('centrali.RealtimeError');

/** What a `RealtimeError` is made from. */
export interface RealtimeErrorInit {
  /** What happened. Must not hold a token or a secret. */
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
  /** HTTP status of the answer that said it, when there was one. */
  declare readonly status?: number;
  /** How long the server asks to wait, in milliseconds. */
  declare readonly retryAfterMs?: number;
  /** What to tell the operator. */
  declare readonly requestId?: string;

  constructor(code: ErrorCode, init: RealtimeErrorInit = {}) {
    const { message = (CLIENT_MESSAGES as Partial<Record<ErrorCode, string>>)[code] ?? code, cause: _, ...rest } = init;
    super(message, init);
    [, this.remedy] = ERROR_HANDLING[code];
    this.code = code;
    this.recoverable = ERROR_HANDLING[code][0] !== 'stop';
    Object.assign(this, rest);
  }

  /** Whether `value` is a `RealtimeError`, of this or of another copy of the package. */
  static is(value: unknown): value is RealtimeError {
    return Object(value)[BRAND] === true;
  }

  /**
   * Reads an error body or the JSON of a `system` error event; `undefined` when it is not one of ours.
   * What it says goes before `init`.
   */
  static fromBody(value: unknown, init?: RealtimeErrorInit): RealtimeError | undefined {
    const { code, message, requestId, retryAfter } = Object(value) as Record<string, unknown>;
    if (!isServerErrorCode(code)) return undefined;
    return new RealtimeError(code, {
      ...init,
      ...(typeof message === 'string' && { message }),
      ...(typeof requestId === 'string' && { requestId }),
      ...(Number(retryAfter) > 0 && { retryAfterMs: Number(retryAfter) * 1000 }),
    });
  }
}

// On the prototype, so that it is not printed.
Object.defineProperty(RealtimeError.prototype, BRAND, { value: true });
