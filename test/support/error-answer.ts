/** What every error answer must look like, written out from the contract and not read from the product's table. */
import { expect } from 'vitest';

/** A row of the contract's table of errors. */
export interface ErrorRow {
  readonly status: number;
  readonly error: string;
  readonly challenge: 'none' | 'bare' | 'invalid_token' | 'insufficient_scope' | 'invalid_request';
  readonly recoverable: boolean;
  readonly retryAfter: boolean;
}

const row = (
  status: number,
  error: string,
  challenge: ErrorRow['challenge'],
  recoverable: boolean,
  retryAfter = false,
): ErrorRow => ({ status, error, challenge, recoverable, retryAfter });

/** The table. */
export const ERRORS = {
  MISSING_TOKEN: row(401, 'Unauthorized', 'bare', false),
  TOKEN_EXPIRED: row(401, 'Unauthorized', 'invalid_token', true),
  INVALID_TOKEN: row(401, 'Unauthorized', 'invalid_token', false),
  WORKSPACE_MISMATCH: row(403, 'Forbidden', 'insufficient_scope', false),
  FORBIDDEN: row(403, 'Forbidden', 'insufficient_scope', false),
  AUTH_ERROR: row(503, 'Service Unavailable', 'none', true, true),
  RATE_LIMIT_EXCEEDED: row(429, 'Too Many Requests', 'none', true, true),
  UNAVAILABLE: row(503, 'Service Unavailable', 'none', true, true),
  BAD_REQUEST: row(400, 'Bad Request', 'none', false),
  INVALID_FILTER: row(400, 'Bad Request', 'none', false),
  NOT_FOUND: row(404, 'Not Found', 'none', false),
  METHOD_NOT_ALLOWED: row(405, 'Method Not Allowed', 'none', false),
  CONFLICT: row(409, 'Conflict', 'none', false),
  PAYLOAD_TOO_LARGE: row(413, 'Content Too Large', 'none', false),
  INTERNAL_ERROR: row(500, 'Internal Server Error', 'none', true),
} as const satisfies Record<string, ErrorRow>;

/** A code of the table. */
export type Code = keyof typeof ERRORS;

/** An origin that `dev` allows: any on loopback. */
export const ALLOWED_ORIGIN = 'http://localhost:3000';

// RFC 6750 section 3: characters of error_description and scope; RFC 9110 section 11.2: one challenge.
const CHALLENGE =
  /^Bearer(?: [a-z_]+="[\x20-\x21\x23-\x5B\x5D-\x7E]*"(?:, [a-z_]+="[\x20-\x21\x23-\x5B\x5D-\x7E]*")*)?$/;

/** The attributes of a bearer challenge; each at most once. */
export function challengeAttributes(value: string): ReadonlyMap<string, string> {
  expect(value).toMatch(CHALLENGE);
  const attributes = new Map<string, string>();
  for (const [, name = '', text = ''] of value.matchAll(/([a-z_]+)="([^"]*)"/g)) {
    expect(attributes.has(name), `${name} twice in ${value}`).toBe(false);
    attributes.set(name, text);
  }
  return attributes;
}

function expectChallenge(value: string | null, challenge: ErrorRow['challenge']): void {
  if (challenge === 'none') {
    expect(value).toBeNull();
    return;
  }
  const attributes = challengeAttributes(value ?? '');
  expect(attributes.get('error')).toBe(challenge === 'bare' ? undefined : challenge);
  if (challenge === 'bare') expect(attributes.has('error_description')).toBe(false);
}

/** What may differ from the table. */
export interface Expected {
  readonly challenge?: ErrorRow['challenge'];
  /** The `Origin` that was sent and must be allowed; without one no header of CORS is asked for. */
  readonly origin?: string;
}

/** Checks an error answer whole; its body. */
export async function expectError(response: Response, code: Code, expected: Expected = {}): Promise<any> {
  const text = await response.text();
  expect(text, 'the code').toContain(`"${code}"`);
  const { status, error, recoverable, retryAfter, challenge } = ERRORS[code];
  expect(response.status).toBe(status);
  expect(response.headers.get('content-type')).toMatch(/^application\/json\b/);
  const body = JSON.parse(text);
  expect(body).toMatchObject({ error, code, recoverable });
  expect(body.message).toMatch(/^[\x20-\x7E]{5,400}$/);
  expect(body.requestId).toMatch(/^req_[A-Za-z0-9_-]+$/);
  const fields = ['error', 'code', 'message', 'recoverable', 'requestId', ...(retryAfter ? ['retryAfter'] : [])];
  expect(Object.keys(body).sort()).toEqual(fields.sort());
  const header = response.headers.get('retry-after');
  if (retryAfter) {
    expect(header).toMatch(/^[1-9]\d*$/);
    expect(body.retryAfter).toBe(Number(header));
  } else {
    expect(header).toBeNull();
  }
  expectChallenge(response.headers.get('www-authenticate'), expected.challenge ?? challenge);
  expect(response.headers.get('cache-control')).toMatch(/\bno-store\b/);
  expect(response.headers.get('referrer-policy')).toBe('no-referrer');
  expect(response.headers.get('content-encoding')).toBeNull();
  if (expected.origin !== undefined) expectCors(response, expected.origin);
  return body;
}

/** Checks that an answer may be read by a page of `origin`, with what it exposes. */
export function expectCors(response: Response, origin: string): void {
  expect(response.headers.get('access-control-allow-origin')).toBe(origin);
  expect(response.headers.get('access-control-allow-credentials')).not.toBe('*');
  expect(response.headers.get('vary')?.toLowerCase()).toMatch(/\borigin\b/);
  const exposed = response.headers
    .get('access-control-expose-headers')
    ?.toLowerCase()
    .split(/\s*,\s*/);
  expect(exposed).toEqual(expect.arrayContaining(['www-authenticate', 'retry-after']));
}
