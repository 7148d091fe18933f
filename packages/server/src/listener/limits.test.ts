import { describe, expect, it } from 'vitest';
import { AddressTable } from './limits.ts';

const limits = { connectionsPerAddress: 2, connectsPerSecondPerAddress: 10 };

describe('AddressTable', () => {
  it('gives twice the rate in a burst, then the rate', () => {
    let now = 0;
    const table = new AddressTable(limits, () => now);
    const take = (): number => {
      let taken = 0;
      while (table.attempt('a')) taken += 1;
      return taken;
    };
    expect(take()).toBe(20);
    now += 500;
    expect(take()).toBe(5);
    now += 3_600_000;
    expect(take()).toBe(20);
    expect(table.attempt('b')).toBe(true);
  });

  it('charges failures, down to none and not below', () => {
    let now = 0;
    const table = new AddressTable(limits, () => now);
    for (let i = 0; i < 100; i += 1) table.charge('a');
    expect(table.hasAttempts('a')).toBe(false);
    expect(table.attempt('a')).toBe(false);
    now += 100;
    expect(table.hasAttempts('a')).toBe(true);
    expect(table.attempt('a')).toBe(true);
  });

  it('counts open streams, and gives a slot back once', () => {
    const table = new AddressTable(limits, () => 0);
    const first = table.open('a');
    expect(table.open('a')).toBeDefined();
    expect(table.open('a')).toBeUndefined();
    expect(table.open('b')).toBeDefined();
    first?.();
    first?.();
    expect(table.open('a')).toBeDefined();
    expect(table.open('a')).toBeUndefined();
  });

  it('does not limit where the limit is 0', () => {
    const table = new AddressTable({ connectionsPerAddress: 0, connectsPerSecondPerAddress: 0 }, () => 0);
    for (let i = 0; i < 5000; i += 1) {
      expect(table.attempt('a')).toBe(true);
      table.charge('a');
      expect(table.open('a')).toBeDefined();
    }
  });

  it('forgets the address not seen for the longest time, never one with an open stream', () => {
    const table = new AddressTable(limits, () => 0, 10);
    table.open('keep');
    table.open('keep');
    for (let i = 0; i < 1000; i += 1) table.attempt(`a${i}`);
    expect(table.size).toBeLessThanOrEqual(10);
    expect(table.open('keep')).toBeUndefined();
  });
});
