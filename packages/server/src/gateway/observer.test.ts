import { expect, it } from 'vitest';
import type { StreamInfo } from './delivery/port.ts';
import { streamsByExpiry } from './observer.ts';

it('sorts streams by the time until their tokens expire', () => {
  const seconds = [-1, 0, 60, 61, 300, 301, 900, 3600, 3601, 86_400];
  const streams = seconds.map((left) => ({ access: { token: { expiresAt: 5000 + left * 1000 } } }) as StreamInfo);
  expect([...streamsByExpiry(streams, 5000)]).toEqual([
    ['1m', 3],
    ['5m', 2],
    ['15m', 2],
    ['1h', 1],
    ['longer', 2],
  ]);
});
