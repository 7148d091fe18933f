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
  readonly via: 'header' | 'query' | 'cookie';
  /** Which scheme the header named; the other ways are a bearer's. */
  readonly scheme: 'Bearer' | 'DPoP';
}

/** A ticket as it came. */
export interface TicketText {
  readonly ticket: string;
}

/** By which ways a route takes a credential, beside the `Authorization` header. */
export interface Ways {
  /** The parameter `access_token`, and under which policy. */
  readonly query: QueryTokenPolicy | 'no';
  /** The parameter `ticket`. */
  readonly ticket?: boolean;
  /** The cookie, for this request: whoever asks must have looked at its origin. */
  readonly cookie?: boolean;
  /** The scheme `DPoP` of the header (RFC 9449 section 7.1); whoever asks must check the proof. */
  readonly dpop?: boolean;
}

/** The cookie that can hold a token. Its prefix binds it to one host and to https (RFC 6265bis section 4.1.3.2). */
export const TOKEN_COOKIE = '__Host-centrali-token';

/** `Bearer`, in any case, then blanks, then the rest (RFC 6750 section 2.1, RFC 9110 section 11.4). */
const BEARER = /^bearer(?:[ \t]+(.*))?$/i;

/** The same for `DPoP`. */
const DPOP = /^dpop(?:[ \t]+(.*))?$/i;

/** Whether a request names the scheme `DPoP`: then its refusals do too. */
export function namesDpop(headers: ServerRequest['headers']): boolean {
  return DPOP.test(headers.get('authorization')?.trim() ?? '');
}

/**
 * Reads the one token of a request: from `Authorization`, or, where `query` is not `no`, from the
 * parameter `access_token` (RFC 6750 sections 2.1 and 2.3). Empty counts as missing; more than one, even
 * of the same value, is refused before either is looked at.
 *
 * @throws Refusal `MISSING_TOKEN`, or `BAD_REQUEST` with the challenge `invalid_request` (section 3.1).
 */
export function readToken(request: Pick<ServerRequest, 'headers' | 'query'>, query: QueryTokenPolicy | 'no'): Bearer {
  const credential = readCredential(request, { query });
  if ('ticket' in credential) throw new Refusal('MISSING_TOKEN', 'token_missing');
  return credential;
}

/**
 * Reads the one credential of a request, by the ways that its route takes. A cookie is what a browser adds
 * by itself, so it counts only when there is no other.
 *
 * @throws Refusal `MISSING_TOKEN`, or `BAD_REQUEST` with the challenge `invalid_request` for two credentials
 */
export function readCredential(
  { headers, query }: Pick<ServerRequest, 'headers' | 'query'>,
  ways: Ways,
): Bearer | TicketText {
  const authorization = headers.all('authorization');
  if (authorization.length > 1) throw refused('authorization_repeated', 'Send one Authorization header.');
  // Another scheme is not a token of ours: a browser sends Basic by itself where a proxy asked for it.
  const field = authorization[0]?.trim() ?? '';
  const asDpop = ways.dpop ? DPOP.exec(field)?.[1] : undefined;
  const inHeader = asDpop ?? BEARER.exec(field)?.[1] ?? '';
  const inQuery = ways.query === 'no' ? '' : parameterOf(query, 'access_token');
  const ticket = ways.ticket ? parameterOf(query, 'ticket') : '';

  if ([inHeader, inQuery, ticket].filter((one) => one !== '').length > 1) {
    throw refused('token_twice', 'Send one credential: the token in the header or in the query, or a ticket.');
  }
  if (inQuery && ways.query === 'deny') {
    throw refused('query_token_denied', 'Tokens in the URL are not accepted here; send the Authorization header.');
  }
  if (ticket) return { ticket };
  const inCookie = inHeader || inQuery || !ways.cookie ? '' : cookieOf(headers.all('cookie'));
  const token = inHeader || inQuery || inCookie;
  if (!token) throw new Refusal('MISSING_TOKEN', 'token_missing');
  if (token.length > MAX_TOKEN_BYTES) throw refused('token_too_long', 'A token is at most 8 KiB.');
  return { token, via: inHeader ? 'header' : inQuery ? 'query' : 'cookie', scheme: asDpop ? 'DPoP' : 'Bearer' };
}

/** The parameter's value; empty when absent. */
function parameterOf(query: URLSearchParams, name: 'access_token' | 'ticket'): string {
  const values = query.getAll(name);
  if (values.length > 1) throw refused(`${name}_repeated`, `Send ${name} once.`);
  return values[0] ?? '';
}

/** The cookie's value (RFC 6265 section 5.4); empty when absent. HTTP/2 may send each cookie in a field of its own. */
function cookieOf(fields: readonly string[]): string {
  const values = fields
    .flatMap((field) => field.split(';'))
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${TOKEN_COOKIE}=`))
    .map((pair) => pair.slice(TOKEN_COOKIE.length + 1));
  if (values.length > 1) throw refused('cookie_repeated', 'The cookie with the token came more than once.');
  return values[0] ?? '';
}

function refused(reason: string, message: string): Refusal {
  return new Refusal('BAD_REQUEST', reason, { message, challenge: 'invalid_request' });
}
