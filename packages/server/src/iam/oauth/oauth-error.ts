/** Error codes of OAuth (RFC 6749 section 5.2, RFC 8707 section 2, RFC 9449 section 5). */
export type OAuthErrorCode =
  | 'invalid_request'
  | 'invalid_client'
  | 'unauthorized_client'
  | 'unsupported_grant_type'
  | 'invalid_scope'
  | 'invalid_target'
  | 'invalid_dpop_proof';

/** An OAuth endpoint's refusal. `message` is a fixed sentence of ours: it never repeats input. */
export class OAuthError extends Error {
  override readonly name = 'OAuthError';
  readonly error: OAuthErrorCode;
  /** The inner reason, for log and audit. */
  readonly reason: string;
  readonly status: number;

  constructor(error: OAuthErrorCode, reason: string, message: string, status = error === 'invalid_client' ? 401 : 400) {
    super(message);
    this.error = error;
    this.reason = reason;
    this.status = status;
  }
}

/** On every answer of these endpoints (RFC 6749 section 5.1). */
export const OAUTH_HEADERS = {
  'cache-control': 'no-store',
  pragma: 'no-cache',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const;

/**
 * The answer to a refusal (RFC 6749 section 5.2). A 401 always names a challenge (RFC 9110 section 15.5.2),
 * the one that a client can meet.
 */
export function oauthErrorAnswer({ error, status, message }: OAuthError): OAuthAnswer {
  return {
    status,
    headers: {
      ...OAUTH_HEADERS,
      'content-type': 'application/json',
      ...(status === 401 ? { 'www-authenticate': 'Basic realm="centrali", charset="UTF-8"' } : {}),
      ...(status === 405 ? { allow: 'POST' } : {}),
    },
    body: JSON.stringify({ error, error_description: message }),
  };
}

/** A JSON answer that nobody may keep. */
export function oauthAnswer(value: unknown): OAuthAnswer {
  return {
    status: 200,
    headers: { ...OAUTH_HEADERS, 'content-type': 'application/json' },
    body: JSON.stringify(value),
  };
}

/** What an endpoint answers, whatever the transport. */
export interface OAuthAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}
