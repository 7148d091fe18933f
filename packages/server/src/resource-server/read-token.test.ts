import { describe, expect, it } from 'vitest';
import { type QueryTokenPolicy, readToken } from './read-token.ts';
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
