import { describe, expect, it } from 'vitest';
import { type QueryTokenPolicy, readCredential, readToken, TOKEN_COOKIE, type Ways } from './read-token.ts';
import { Refusal } from './refusal.ts';
import { HeaderFields } from './request.ts';

function read(query: string, headers: readonly string[] = [], policy: QueryTokenPolicy | 'no' = 'allow'): string {
  try {
    const { token, via } = readToken({ query: new URLSearchParams(query), headers: new HeaderFields(headers) }, policy);
    return `${via}: ${token}`;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return `${error.code} (${error.reason})${error.init.challenge ? ` ${error.init.challenge}` : ''}`;
  }
}

const auth = (...values: string[]): string[] => values.flatMap((value) => ['Authorization', value]);

describe('readToken', () => {
  it.each([
    ['the header', '', auth('Bearer abc'), 'header: abc'],
    ['the scheme in any case', '', auth('bEARER abc'), 'header: abc'],
    ['several blanks', '', auth('Bearer \t  abc '), 'header: abc'],
    ['the query', 'access_token=abc', [], 'query: abc'],
    ['the query, percent-encoded', 'access%5Ftoken=a%62c', [], 'query: abc'],
    ['the query beside an empty header', 'access_token=abc', auth('Bearer '), 'query: abc'],
    ['the query beside another scheme, which a proxy asked for', 'access_token=abc', auth('Basic eDp5'), 'query: abc'],
    ['the header beside an empty parameter', 'access_token=', auth('Bearer abc'), 'header: abc'],
  ])('reads %s', (_what, query, headers, expected) => {
    expect(read(query, headers)).toBe(expected);
  });

  it.each([
    ['nothing', '', []],
    ['an empty parameter', 'access_token=', []],
    ['Bearer with nothing', '', auth('Bearer')],
    ['Bearer with blanks', '', auth('Bearer   ')],
    ['another scheme', '', auth('Basic eDp5')],
    ['a scheme that only begins like it', '', auth('Bearerabc')],
    ['another header', '', ['X-Access-Token', 'abc']],
    ['a cookie', '', ['Cookie', 'access_token=abc']],
  ])('misses a token in %s', (_what, query, headers) => {
    expect(read(query, headers)).toBe('MISSING_TOKEN (token_missing)');
  });

  it.each([
    ['header and query', 'access_token=abc', auth('Bearer abc'), 'token_twice'],
    ['two parameters', 'access_token=abc&access_token=abc', [], 'access_token_repeated'],
    ['two parameters, one empty', 'access_token=abc&access_token=', [], 'access_token_repeated'],
    ['two headers', '', auth('Bearer abc', 'Bearer abc'), 'authorization_repeated'],
    ['two headers, one of another scheme', '', auth('Basic eDp5', 'Bearer abc'), 'authorization_repeated'],
    ['a token over 8 KiB', `access_token=${'a'.repeat(8193)}`, [], 'token_too_long'],
  ])('refuses %s as an invalid request', (_what, query, headers, reason) => {
    expect(read(query, headers)).toBe(`BAD_REQUEST (${reason}) invalid_request`);
  });

  it('takes 8 KiB', () => {
    expect(read('', auth(`Bearer ${'a'.repeat(8192)}`))).toMatch(/^header/);
  });

  it('refuses a token in the URL under the policy deny, but not its absence', () => {
    expect(read('access_token=abc', [], 'deny')).toBe('BAD_REQUEST (query_token_denied) invalid_request');
    expect(read('', auth('Bearer abc'), 'deny')).toBe('header: abc');
  });

  it('does not look at the query on other routes', () => {
    expect(read('access_token=abc', [], 'no')).toBe('MISSING_TOKEN (token_missing)');
  });
});

describe('readCredential', () => {
  const all = (
    query: string,
    headers: readonly string[] = [],
    ways: Ways = { query: 'allow', ticket: true, cookie: true },
  ) => {
    try {
      const credential = readCredential(
        { query: new URLSearchParams(query), headers: new HeaderFields(headers) },
        ways,
      );
      return 'ticket' in credential ? `ticket: ${credential.ticket}` : `${credential.via}: ${credential.token}`;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return `${error.code} (${error.reason})`;
    }
  };
  const cookie = (...values: string[]): string[] => values.flatMap((value) => ['Cookie', value]);

  it('reads a ticket, and refuses it beside a token', () => {
    expect(all('ticket=abc')).toBe('ticket: abc');
    expect(all('ticket=abc&access_token=x')).toBe('BAD_REQUEST (token_twice)');
    expect(all('ticket=abc', auth('Bearer x'))).toBe('BAD_REQUEST (token_twice)');
    expect(all('ticket=abc&ticket=')).toBe('BAD_REQUEST (ticket_repeated)');
    expect(all('ticket=')).toBe('MISSING_TOKEN (token_missing)');
    expect(all('ticket=abc', [], { query: 'allow' })).toBe('MISSING_TOKEN (token_missing)');
    expect(all('ticket=abc', [], { query: 'deny', ticket: true })).toBe('ticket: abc');
  });

  it('reads the cookie when nothing else is there, and where it is asked for', () => {
    expect(all('', cookie(`a=1; ${TOKEN_COOKIE}=abc; b=2`))).toBe('cookie: abc');
    expect(all('', cookie('a=1', `${TOKEN_COOKIE}=abc`))).toBe('cookie: abc');
    expect(all('', cookie(`${TOKEN_COOKIE}=abc`), { query: 'allow' })).toBe('MISSING_TOKEN (token_missing)');
    for (const [query, headers, expected] of [
      ['access_token=x', [], 'query: x'],
      ['ticket=x', [], 'ticket: x'],
      ['', auth('Bearer x'), 'header: x'],
    ] as const) {
      expect(all(query, [...headers, ...cookie(`${TOKEN_COOKIE}=abc`)])).toBe(expected);
    }
  });

  it('reads no other cookie, and none that came twice', () => {
    for (const name of ['centrali-token', '__host-centrali-token', `x${TOKEN_COOKIE}`, '__Secure-centrali-token'])
      expect(all('', cookie(`${name}=abc`))).toBe('MISSING_TOKEN (token_missing)');
    expect(all('', cookie(`${TOKEN_COOKIE}=`))).toBe('MISSING_TOKEN (token_missing)');
    expect(all('', cookie(`${TOKEN_COOKIE}=a; ${TOKEN_COOKIE}=b`))).toBe('BAD_REQUEST (cookie_repeated)');
  });
});
