import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { OAuthLimits } from './limits.ts';

const limits = (more = {}) =>
  new OAuthLimits({
    requestsPerMinutePerAddress: 0,
    failuresPerMinutePerClient: 0,
    failuresPerMinutePerAddress: 0,
    randomBytes,
    ...more,
  });

describe('the limits', () => {
  it('count the requests of an address and name the wait', async () => {
    const table = limits({ requestsPerMinutePerAddress: 2 });
    expect(await table.request('192.0.2.1')).toBeUndefined();
    expect(await table.request('192.0.2.1')).toBeUndefined();
    expect(await table.request('192.0.2.1')).toBeGreaterThan(0);
    expect(await table.request('192.0.2.2')).toBeUndefined();
  });
  it('take the 64 bits of an IPv6 network for one address', async () => {
    const table = limits({ requestsPerMinutePerAddress: 1 });
    await table.request('2001:db8:1:2::1');
    expect(await table.request('2001:db8:1:2:ffff:ffff:ffff:ffff')).toBeGreaterThan(0);
    expect(await table.request('2001:db8:1:3::1')).toBeUndefined();
    await table.request('::1');
    expect(await table.request('0:0:0:0::2')).toBeGreaterThan(0);
  });
  it('block a client after its failures, and an address after its own', async () => {
    const table = limits({ failuresPerMinutePerClient: 2, failuresPerMinutePerAddress: 3 });
    await table.failed('ci_1', '192.0.2.1');
    expect(await table.blocked('ci_1', '192.0.2.9')).toBeUndefined();
    await table.failed('ci_1', '192.0.2.1');
    expect(await table.blocked('ci_1', '192.0.2.9')).toBeGreaterThan(0);
    expect(await table.blocked('ci_2', '192.0.2.1')).toBeUndefined();
    await table.failed('ci_2', '192.0.2.1');
    expect(await table.blocked('ci_2', '192.0.2.1')).toBeGreaterThan(0);
    expect(await table.blocked('ci_2', '192.0.2.9')).toBeUndefined();
  });
  it('remember who was right from where, and forget the oldest first', () => {
    const table = limits();
    table.succeeded('ci_1', '192.0.2.1');
    expect(table.isKnown('ci_1', '192.0.2.1')).toBe(true);
    expect(table.isKnown('ci_1', '192.0.2.2')).toBe(false);
    expect(table.isKnown('ci_2', '192.0.2.1')).toBe(false);
    for (let i = 0; i < 10_000; i++) table.succeeded(`ci_x${i}`, '192.0.2.1');
    expect(table.isKnown('ci_1', '192.0.2.1')).toBe(false);
    expect(table.isKnown('ci_x9999', '192.0.2.1')).toBe(true);
  });
  it('of 0 limit nothing', async () => {
    const table = limits();
    for (let i = 0; i < 50; i++) {
      expect(await table.request('192.0.2.1')).toBeUndefined();
      await table.failed('ci_1', '192.0.2.1');
    }
    expect(await table.blocked('ci_1', '192.0.2.1')).toBeUndefined();
  });
});
