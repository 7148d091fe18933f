import { describe, expect, it } from 'vitest';
import { findPeer, isLoopbackHost, limitKey, trustedProxies } from './address.ts';

const headers =
  (fields: Record<string, string[]>) =>
  (name: string): readonly string[] =>
    fields[name] ?? [];

describe('trustedProxies', () => {
  it('knows addresses, networks and loopback', () => {
    const trusts = trustedProxies(['10.0.0.0/8', '192.0.2.7', '2001:db8::/32', 'loopback']);
    for (const address of ['10.1.2.3', '192.0.2.7', '2001:db8::1', '127.0.0.1', '127.9.9.9', '::1']) {
      expect(trusts(address), address).toBe(true);
    }
    for (const address of ['11.0.0.1', '192.0.2.8', '2001:db9::1', '', 'nonsense']) {
      expect(trusts(address), address).toBe(false);
    }
  });

  it.each(['proxy.example', '10.0.0.0/33', '10.0.0.0/x', '10.0.0.0/', '10.0.0.0/8/8', '::/129', ''])(
    'names %j as unreadable',
    (entry) => expect(() => trustedProxies([entry])).toThrow(TypeError),
  );
});

describe('findPeer', () => {
  const trusts = trustedProxies(['10.0.0.0/8', 'loopback']);

  it('believes nothing that a stranger says', () => {
    const fields = headers({ 'x-forwarded-for': ['127.0.0.1'], 'x-forwarded-proto': ['https'] });
    expect(findPeer('203.0.113.9', false, fields, trusts)).toEqual({ address: '203.0.113.9', secure: false });
    expect(findPeer('203.0.113.9', true, fields, trusts)).toEqual({ address: '203.0.113.9', secure: true });
  });

  it('takes the last address that no trusted proxy has', () => {
    const fields = headers({
      'x-forwarded-for': ['127.0.0.1, 198.51.100.1', '203.0.113.9, 10.0.0.2'],
      'x-forwarded-proto': ['http', 'https'],
    });
    expect(findPeer('10.0.0.1', false, fields, trusts)).toEqual({ address: '203.0.113.9', secure: true });
  });

  it('stops at what is not an address', () => {
    const fields = headers({ 'x-forwarded-for': ['203.0.113.9, unknown'], 'x-forwarded-proto': ['https'] });
    expect(findPeer('10.0.0.1', false, fields, trusts).address).toBe('10.0.0.1');
  });

  it('reads ports, brackets and mapped addresses', () => {
    const peer = (value: string): string =>
      findPeer('10.0.0.1', false, headers({ 'x-forwarded-for': [value] }), trusts).address;
    expect(peer('203.0.113.9:4711')).toBe('203.0.113.9');
    expect(peer('[2001:DB8::1]:443')).toBe('2001:db8::1');
    expect(peer('::ffff:203.0.113.9')).toBe('203.0.113.9');
  });

  it('is not safe behind a proxy that does not say https, whoever the client is', () => {
    expect(findPeer('10.0.0.1', false, headers({}), trusts).secure).toBe(false);
    const http = headers({ 'x-forwarded-for': ['203.0.113.9'], 'x-forwarded-proto': ['https, http'] });
    expect(findPeer('127.0.0.1', false, http, trusts).secure).toBe(false);
    expect(findPeer('127.0.0.1', false, headers({ 'x-forwarded-for': ['203.0.113.9'] }), trusts).secure).toBe(false);
    expect(findPeer('127.0.0.1', false, headers({}), trusts).secure).toBe(true);
  });

  it('is safe on loopback without any proxy, also by a mapped address', () => {
    expect(findPeer('::ffff:127.0.0.1', false, headers({}), () => false)).toEqual({
      address: '127.0.0.1',
      secure: true,
    });
  });
});

describe('limitKey', () => {
  it('keeps IPv4 and joins an IPv6 network of 64 bits', () => {
    expect(limitKey('203.0.113.9')).toBe('203.0.113.9');
    expect(limitKey('2001:db8::1')).toBe('2001:db8:0:0::/64');
    expect(limitKey('2001:db8:0:0:ffff::')).toBe(limitKey('2001:0db8::2'));
    expect(limitKey('2001:db8:0:1::1')).not.toBe(limitKey('2001:db8::1'));
    expect(limitKey('::1')).toBe('0:0:0:0::/64');
  });
});

describe('isLoopbackHost', () => {
  it.each(['localhost', 'app.localhost', '127.0.0.1', '127.1.2.3', '::1', '[::1]', 'LOCALHOST'])('%s is', (host) =>
    expect(isLoopbackHost(host)).toBe(true),
  );
  it.each(['localhost.example.com', '0.0.0.0', '10.0.0.1', '::', '127.0.0.1.example.com', 'notlocalhost'])(
    '%s is not',
    (host) => expect(isLoopbackHost(host)).toBe(false),
  );
});
