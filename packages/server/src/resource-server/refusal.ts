import type { Challenge, ServerErrorCode } from '@centrali-io/protocol';

/** What a refusal can say beside its code. */
export interface RefusalInit {
  /** The sentence for the client; the table's by default. Never repeats input, tokens or parser texts. */
  readonly message?: string;
  /** Seconds for `Retry-After`; where the table wants it and none is given, 1 to 5 at random. */
  readonly retryAfter?: number;
  /** For the challenge of `FORBIDDEN`: the permission that is missing (RFC 6750 section 3, `scope`). */
  readonly scope?: string;
  /** Overrides the table's challenge: two tokens in one request are `invalid_request` (RFC 6750 section 3.1). */
  readonly challenge?: Challenge | 'invalid_request' | 'invalid_dpop_proof';
  /** The scheme of the challenge: `DPoP` for a token that is bound to a key. `Bearer` by default. */
  readonly scheme?: 'DPoP';
  /** Further response headers, e.g. `Allow`. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/**
 * A request that is refused: two faces in one. `code` and `message` go to the client; `reason` goes to
 * the log, the metrics and the audit row, never to the client.
 */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: ServerErrorCode;
  /** The inner reason, one of a closed vocabulary in snake_case: `kid_unknown`, `aud_mismatch`, `rpc_timeout` … */
  readonly reason: string;
  readonly init: RefusalInit;

  constructor(code: ServerErrorCode, reason: string, init: RefusalInit = {}) {
    super(`${code} (${reason})`, init.cause === undefined ? undefined : { cause: init.cause });
    this.code = code;
    this.reason = reason;
    this.init = init;
  }
}
