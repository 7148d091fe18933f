import { describe, expect, it } from 'vitest';
import { Refusal } from '../resource-server/index.ts';
import { checkHead, type Head, MAX_FIELDS, MAX_TARGET } from './check-head.ts';

type Fields = Record<string, string[]>;

function head(overrides: Partial<Head> & { fields?: Fields } = {}): Head {
  const { fields = {}, ...rest } = overrides;
  const all: Fields = { host: ['localhost:8080'], ...fields };
  return {
    httpVersion: '1.1',
    method: 'GET',
    target: '/realtime/workspace/demo/events?access_token=x',
    all: (name) => all[name] ?? [],
    fieldCount: 3,
    hasBody: false,
    ...rest,
  };
}

function reasonOf(value: Head): string {
  try {
    checkHead(value);
    return 'clean';
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return `${error.code} ${error.reason}`;
  }
}

describe('checkHead', () => {
  it('lets clean heads through', () => {
    expect(reasonOf(head())).toBe('clean');
    expect(reasonOf(head({ method: 'POST', hasBody: true, fields: { 'content-length': ['2'] } }))).toBe('clean');
    expect(reasonOf(head({ method: 'POST', hasBody: true, fields: { 'transfer-encoding': ['chunked'] } }))).toBe(
      'clean',
    );
    expect(reasonOf(head({ fields: { host: ['[::1]:8080'] } }))).toBe('clean');
    expect(reasonOf(head({ httpVersion: '2.0', authority: 'localhost', fields: { host: [] } }))).toBe('clean');
    expect(reasonOf(head({ httpVersion: '2.0', authority: 'localhost', fields: { host: ['localhost'] } }))).toBe(
      'clean',
    );
    const crumbs = { host: [], cookie: ['a=1', 'b=2'] };
    expect(reasonOf(head({ httpVersion: '2.0', authority: 'localhost', fields: crumbs }))).toBe('clean');
  });

  it.each([
    ['two hosts', { fields: { host: ['a', 'a'] } }, 'BAD_REQUEST host_count'],
    ['no host', { fields: { host: [] } }, 'BAD_REQUEST host_count'],
    ['an authority and another host', { authority: 'a', fields: { host: ['b'] } }, 'BAD_REQUEST host_count'],
    ['a host with a path', { fields: { host: ['a/b'] } }, 'BAD_REQUEST host_form'],
    ['a host with a user', { fields: { host: ['a@b'] } }, 'BAD_REQUEST host_form'],
    ['an absolute target', { target: 'http://evil/realtime' }, 'BAD_REQUEST target_form'],
    ['an asterisk target', { method: 'OPTIONS', target: '*' }, 'BAD_REQUEST target_form'],
    ['a fragment', { target: '/a#b' }, 'BAD_REQUEST target_form'],
    ['8-bit bytes in the target', { target: '/a\u00e9' }, 'BAD_REQUEST target_form'],
    ['an over-long target', { target: `/${'a'.repeat(MAX_TARGET)}` }, 'BAD_REQUEST target_too_long'],
    ['TRACE', { method: 'TRACE' }, 'METHOD_NOT_ALLOWED method'],
    ['a method in lower case', { method: 'get' }, 'METHOD_NOT_ALLOWED method'],
    ['xchunked', { method: 'POST', fields: { 'transfer-encoding': ['xchunked'] } }, 'BAD_REQUEST transfer_encoding'],
    [
      'gzip, chunked',
      { method: 'POST', fields: { 'transfer-encoding': ['gzip, chunked'] } },
      'BAD_REQUEST transfer_encoding',
    ],
    [
      'chunked twice',
      { method: 'POST', fields: { 'transfer-encoding': ['chunked', 'chunked'] } },
      'BAD_REQUEST transfer_encoding',
    ],
    [
      'chunked in HTTP/1.0',
      { httpVersion: '1.0', method: 'POST', fields: { 'transfer-encoding': ['chunked'] } },
      'BAD_REQUEST transfer_encoding',
    ],
    ['a body on GET', { hasBody: true }, 'BAD_REQUEST body_on_get'],
    ['a body on HEAD', { method: 'HEAD', hasBody: true }, 'BAD_REQUEST body_on_get'],
    ['an upgrade', { fields: { connection: ['keep-alive, Upgrade'], upgrade: ['h2c'] } }, 'BAD_REQUEST upgrade'],
    ['too many fields', { fieldCount: MAX_FIELDS + 1 }, 'BAD_REQUEST header_fields'],
    ['two origins', { fields: { origin: ['https://a', 'https://b'] } }, 'BAD_REQUEST header_repeated'],
    ['two idempotency keys', { fields: { 'idempotency-key': ['a', 'b'] } }, 'BAD_REQUEST header_repeated'],
  ] satisfies [string, Partial<Head> & { fields?: Fields }, string][])('refuses %s', (_, overrides, reason) => {
    expect(reasonOf(head(overrides))).toBe(reason);
  });

  it('names the allowed methods', () => {
    expect(() => checkHead(head({ method: 'BREW' }))).toThrowError(
      expect.objectContaining({ init: { headers: { allow: 'GET, HEAD, POST, PUT, DELETE, OPTIONS' } } }),
    );
  });
});
