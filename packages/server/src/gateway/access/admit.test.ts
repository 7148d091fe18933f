import type { Principal } from '@centrali-io/protocol';
import { describe, expect, it } from 'vitest';
import { Refusal } from '../../resource-server/index.ts';
import { Admission } from './admit.ts';

const user = (sub: string): Principal => ({ provider: 'centrali', kind: 'user', sub });

function reasonOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof Refusal) return error.message;
    throw error;
  }
  return 'admitted';
}

describe('Admission of streams', () => {
  it('is bounded per workspace and per principal, and frees what was released', () => {
    const admission = new Admission({ connectionsPerWorkspace: 3, connectionsPerPrincipal: 2 });
    const first = admission.stream('acme', user('a'));
    admission.stream('acme', user('a'));
    expect(reasonOf(() => admission.stream('acme', user('a')))).toBe('RATE_LIMIT_EXCEEDED (principal_full)');
    expect(reasonOf(() => admission.stream('other', user('a')))).toBe('admitted');
    admission.stream('acme', user('b'));
    expect(reasonOf(() => admission.stream('acme', user('c')))).toBe('RATE_LIMIT_EXCEEDED (workspace_full)');
    first.release();
    expect(reasonOf(() => admission.stream('acme', user('a')))).toBe('admitted');
    expect(admission.streamsOf('acme')).toBe(3);
  });

  it('releases a place once, however often it is told to', () => {
    const admission = new Admission({ connectionsPerWorkspace: 2 });
    const slot = admission.stream('acme', user('a'));
    admission.stream('acme', user('b'));
    for (let i = 0; i < 3; i++) slot.release();
    expect(admission.streamsOf('acme')).toBe(1);
  });

  it('takes no place when it refuses', () => {
    const admission = new Admission({ connectionsPerWorkspace: 10, connectionsPerPrincipal: 1 });
    admission.stream('acme', user('a'));
    for (let i = 0; i < 20; i++) reasonOf(() => admission.stream('acme', user('a')));
    expect(admission.streamsOf('acme')).toBe(1);
  });

  it('tells principals apart by provider and kind, not by sub alone', () => {
    const admission = new Admission({ connectionsPerPrincipal: 1 });
    admission.stream('acme', user('a'));
    expect(reasonOf(() => admission.stream('acme', { ...user('a'), provider: 'pr_1' }))).toBe('admitted');
    expect(reasonOf(() => admission.stream('acme', { ...user('a'), kind: 'service' }))).toBe('admitted');
  });

  it('has no limit at 0', () => {
    const admission = new Admission({ connectionsPerWorkspace: 0, connectionsPerPrincipal: 0 });
    for (let i = 0; i < 2000; i++) admission.stream('acme', user('a'));
    expect(admission.streamsOf('acme')).toBe(2000);
  });
});

describe('Admission of requests', () => {
  it('is bounded per second and principal, and says how long to wait', async () => {
    const admission = new Admission({ requestsPerSecondPerPrincipal: 3 });
    for (let i = 0; i < 3; i++) await admission.request('acme', user('a'));
    await expect(admission.request('acme', user('a'))).rejects.toMatchObject({
      code: 'RATE_LIMIT_EXCEEDED',
      reason: 'principal_rate',
    });
    const refusal = (await admission.request('acme', user('a')).catch((error: unknown) => error)) as Refusal;
    expect(refusal.init.retryAfter).toBeGreaterThan(0);
    expect(refusal.init.retryAfter).toBeLessThanOrEqual(1);
    await admission.request('acme', user('b'));
    await admission.request('other', user('a'));
  });

  it('has no limit at 0', async () => {
    const admission = new Admission({ requestsPerSecondPerPrincipal: 0 });
    for (let i = 0; i < 2000; i++) await admission.request('acme', user('a'));
  });
});
