import { MAX_TOKEN_BYTES } from './form-gate.ts';
import { Refusal } from './refusal.ts';
import type { ServerRequest } from './request.ts';

/**
 * What becomes of tokens in the URL: `allow` takes them as the guide has it, `short-lived` only from
 * tokens with a short lifetime, `deny` never.
 */
export type QueryTokenPolicy = 'allow' | 'short-lived' | 'deny';

/** A token as it came, and by which way. */
export interface Bearer {
  readonly token: string;
  readonly via: 'header' | 'query';
}

/** `Bearer`, in any case, then blanks, then the rest (RFC 6750 section 2.1, RFC 9110 section 11.4). */
const BEARER = /^bearer(?:[ \t]+(.*))?$/i;

/**
 * Reads the one token of a request: from `Authorization`, or, where `query` is not `no`, from the
 * parameter `access_token` (RFC 6750 sections 2.1 and 2.3). Empty counts as missing; more than one, even
 * of the same value, is refused before either is looked at. Never read from a body, a cookie or another header.
 *
 * @throws Refusal `MISSING_TOKEN`, or `BAD_REQUEST` with the challenge `invalid_request` (section 3.1).
 */
export function readToken(request: Pick<ServerRequest, 'headers' | 'query'>, query: QueryTokenPolicy | 'no'): Bearer {
  const authorization = request.headers.all('authorization');
  if (authorization.length > 1) throw refused('authorization_repeated', 'Send one Authorization header.');
  // Another scheme is not a token of ours: a browser sends Basic by itself where a proxy asked for it.
  const inHeader = BEARER.exec(authorization[0]?.trim() ?? '')?.[1] ?? '';

  const parameters = query === 'no' ? [] : request.query.getAll('access_token');
  if (parameters.length > 1) throw refused('access_token_repeated', 'Send access_token once.');
  const inQuery = parameters[0] ?? '';

  if (inHeader && inQuery) throw refused('token_twice', 'Send the token once: in the header or in the query.');
  if (inQuery && query === 'deny') {
    throw refused('query_token_denied', 'Tokens in the URL are not accepted here; send the Authorization header.');
  }
  const token = inHeader || inQuery;
  if (!token) throw new Refusal('MISSING_TOKEN', 'token_missing');
  if (token.length > MAX_TOKEN_BYTES) throw refused('token_too_long', 'A token is at most 8 KiB.');
  return { token, via: inHeader ? 'header' : 'query' };
}

function refused(reason: string, message: string): Refusal {
  return new Refusal('BAD_REQUEST', reason, { message, challenge: 'invalid_request' });
}
