import { describe, expect, it } from 'vitest';
import { createCors, isWebOrigin } from './cors.ts';

const listed = ['https://app.example.com'];

describe('createCors', () => {
  it('answers a listed origin with itself, and exposes what the SDK reads', () => {
    expect(createCors({ allowed: listed }).headers('https://app.example.com')).toEqual({
      vary: 'Origin',
      'access-control-allow-origin': 'https://app.example.com',
      'access-control-expose-headers': 'WWW-Authenticate, Retry-After',
    });
  });

  it.each([
    'null',
    'https://evil.example',
    'http://app.example.com',
    'https://app.example.com:444',
    'https://app.example.com.evil.example',
    'https://app.example.com/',
    'HTTPS://APP.EXAMPLE.COM',
    'http://localhost:3000',
    '',
    '*',
  ])('grants nothing to %j', (origin) => {
    const cors = createCors({ allowed: listed });
    expect(cors.headers(origin)).toEqual({ vary: 'Origin' });
    expect(cors.preflight(origin)).not.toHaveProperty('access-control-allow-origin');
  });

  it('never grants anything to null, not even with *', () => {
    const cors = createCors({ allowed: ['*', 'null'], loopback: true });
    expect(cors.headers('null')).toEqual({ vary: 'Origin' });
    expect(cors.headers('https://any.example')).toMatchObject({ 'access-control-allow-origin': '*' });
  });

  it('lets pages of listed origins send cookies where the operator says so, and nobody else', () => {
    const cors = createCors({ allowed: listed, loopback: true, cookies: true });
    expect(cors.headers('https://app.example.com')).toMatchObject({ 'access-control-allow-credentials': 'true' });
    expect(cors.preflight('https://app.example.com')).toMatchObject({ 'access-control-allow-credentials': 'true' });
    expect(cors.headers('http://localhost:3000')).not.toHaveProperty('access-control-allow-credentials');
    expect(createCors({ allowed: [...listed, '*'], cookies: true }).headers('https://app.example.com')).toEqual({
      vary: 'Origin',
      'access-control-allow-origin': '*',
      'access-control-expose-headers': 'WWW-Authenticate, Retry-After',
    });
    expect(createCors({ allowed: listed }).headers('https://app.example.com')).not.toHaveProperty(
      'access-control-allow-credentials',
    );
  });

  it('allows every origin of this machine for dev', () => {
    const cors = createCors({ allowed: [], loopback: true });
    for (const origin of [
      'http://localhost:5173',
      'http://127.0.0.1:3000',
      'https://[::1]:8443',
      'http://app.localhost',
    ]) {
      expect(cors.headers(origin)).toMatchObject({ 'access-control-allow-origin': origin });
    }
    expect(cors.headers('http://localhost.evil.example')).toEqual({ vary: 'Origin' });
  });

  it('answers preflights for a day, with the headers of the contract', () => {
    expect(createCors({ allowed: listed }).preflight('https://app.example.com')).toEqual({
      vary: 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers',
      'access-control-allow-origin': 'https://app.example.com',
      'access-control-allow-methods': 'GET, HEAD, POST, PUT, DELETE',
      'access-control-allow-headers':
        'authorization, last-event-id, cache-control, content-type, idempotency-key, dpop',
      'access-control-max-age': '86400',
    });
  });

  it('tells of each refused origin once, and of a bounded number', () => {
    const told: string[] = [];
    const cors = createCors({ allowed: listed }, (origin) => told.push(origin));
    cors.headers('https://evil.example');
    cors.preflight('https://evil.example');
    cors.headers(undefined);
    cors.headers('https://app.example.com');
    expect(told).toEqual(['https://evil.example']);
    for (let i = 0; i < 1000; i += 1) cors.headers(`https://evil-${i}.example`);
    expect(told.length).toBe(256);
  });
});

describe('isWebOrigin', () => {
  it.each(['https://a.example', 'http://127.0.0.1:8080', 'https://xn--bcher-kva.example'])('%s is one', (text) =>
    expect(isWebOrigin(text)).toBe(true),
  );
  it.each([
    'null',
    'file://',
    'https://a.example/',
    'https://a.example:443',
    'https://u@a.example',
    'a.example',
    'https://bücher.example',
  ])('%s is none', (text) => expect(isWebOrigin(text)).toBe(false));
});
