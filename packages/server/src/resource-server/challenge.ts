import { ERROR_CODES, errorBody, PATHS } from '@centrali-io/protocol';
import { DPOP_ALGORITHMS } from './dpop.ts';
import type { Refusal } from './refusal.ts';

/** What an error answer needs beside the refusal. */
export interface AnswerContext {
  /** `req_…`. */
  readonly requestId: string;
  /** The public base URL, for `resource_metadata` (RFC 9728 section 5.1). */
  readonly baseUrl: string;
  /** The scheme that the request named; `Bearer` by default. */
  readonly scheme?: 'Bearer' | 'DPoP';
  /** Returns [0, 1): spreads `Retry-After` where the refusal names none. `Math.random` by default. */
  readonly random?: () => number;
}

/** On every answer that is not the stream: nothing of it may be kept, sniffed or referred to. */
export const ERROR_HEADERS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

/**
 * Fixed sentences for `error_description`: only the characters of RFC 6750 section 3, nothing of the
 * request, of a claim or of a parser.
 */
const DESCRIPTIONS: Readonly<Record<string, string>> = {
  TOKEN_EXPIRED: 'The token has expired',
  INVALID_TOKEN: 'The token is malformed, not trusted here, or revoked',
  WORKSPACE_MISMATCH: 'The token is for a different workspace',
  FORBIDDEN: 'The permission that this needs is missing',
  BAD_REQUEST: 'The request must carry exactly one well-formed token',
};

/**
 * The value of `WWW-Authenticate` for a refusal (RFC 6750 section 3, RFC 9449 section 7.1), or `undefined` when it has
 * none. `asked`: the scheme that the request named.
 */
export function challengeOf(
  refusal: Refusal,
  baseUrl: string,
  asked: 'Bearer' | 'DPoP' = 'Bearer',
): string | undefined {
  const scheme = refusal.init.scheme ?? asked;
  const kind = refusal.init.challenge ?? ERROR_CODES[refusal.code].challenge;
  if (kind === 'none') return undefined;
  const parameters = ['realm="centrali"'];
  if (kind !== 'bare') {
    parameters.push(`error="${kind}"`);
    const description =
      kind === 'invalid_dpop_proof' ? 'The DPoP proof is missing or not valid' : DESCRIPTIONS[refusal.code];
    if (description) parameters.push(`error_description="${description}"`);
    if (refusal.init.scope) parameters.push(`scope="${refusal.init.scope}"`);
  }
  if (scheme === 'DPoP') parameters.push(`algs="${DPOP_ALGORITHMS.join(' ')}"`);
  parameters.push(`resource_metadata="${baseUrl}${PATHS.protectedResourceMetadata}"`);
  return `${scheme} ${parameters.join(', ')}`;
}

/** Seconds for `Retry-After`: what the refusal says, else 1 to 5 where the table wants one. */
export function retryAfterOf(refusal: Refusal, random: () => number = Math.random): number | undefined {
  if (refusal.init.retryAfter !== undefined) return Math.max(1, Math.ceil(refusal.init.retryAfter));
  return ERROR_CODES[refusal.code].retryAfter ? 1 + Math.floor(random() * 5) : undefined;
}

/** Turns a refusal into the answer that docs/errors.md describes. The listener adds CORS headers. */
export function refusalResponse(refusal: Refusal, { requestId, baseUrl, scheme, random }: AnswerContext): Response {
  const retryAfter = retryAfterOf(refusal, random);
  const challenge = challengeOf(refusal, baseUrl, scheme);
  const body = JSON.stringify(errorBody(refusal.code, requestId, refusal.init.message, retryAfter));
  return new Response(body, {
    status: ERROR_CODES[refusal.code].status,
    headers: {
      ...refusal.init.headers,
      ...ERROR_HEADERS,
      'content-type': 'application/json',
      ...(challenge === undefined ? {} : { 'www-authenticate': challenge }),
      ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
    },
  });
}
