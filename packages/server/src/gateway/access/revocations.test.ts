import type { RevocationRecord } from '@centrali-io/protocol';
import { describe, expect, it } from 'vitest';
import { type Revocable, Revocations } from './revocations.ts';

const token: Revocable = {
  workspace: 'acme',
  provider: 'centrali',
  sub: 'u1',
  jti: 'j1',
  clientId: 'ci_1',
  sid: 's1',
  iat: 100,
};

const record = (named: Partial<RevocationRecord>): RevocationRecord => ({
  workspace: 'acme',
  provider: 'centrali',
  ...named,
});

const covers = (named: Partial<RevocationRecord>, other: Partial<Revocable> = {}): boolean => {
  const revocations = new Revocations(() => 0);
  revocations.add(record(named));
  return revocations.covers({ ...token, ...other });
};

describe('Revocations', () => {
  it('end a token by its jti, sub, client, session or time, in the named workspace or in all', () => {
    expect(covers({ jti: 'j1' })).toBe(true);
    expect(covers({ sub: 'u1', notBefore: 100 })).toBe(true);
    expect(covers({ clientId: 'ci_1', notBefore: 100 })).toBe(true);
    expect(covers({ sid: 's1' })).toBe(true);
    expect(covers({ notBefore: 100 })).toBe(true);
    expect(covers({ jti: 'j1', workspace: null })).toBe(true);
  });

  it('leave alone what they do not name', () => {
    expect(covers({ jti: 'j2' })).toBe(false);
    expect(covers({ sub: 'u1', notBefore: 99 })).toBe(false);
    expect(covers({ sub: 'u1', sid: 's2' })).toBe(false);
    expect(covers({ jti: 'j1', workspace: 'other' })).toBe(false);
    expect(covers({ jti: 'j1', provider: 'pr_1' })).toBe(false);
    expect(covers({ sub: 'u1', notBefore: 100 }, { provider: 'pr_1' })).toBe(false);
    expect(covers({ notBefore: 100 }, { iat: 101 })).toBe(false);
  });

  it('do not confuse a token without a name with one that is named so', () => {
    const { jti: _, sid: __, clientId: ___, ...bare } = token;
    const revocations = new Revocations(() => 0);
    for (const name of ['jti', 'sid', 'clientId'] as const) revocations.add(record({ [name]: 'undefined' }));
    expect(revocations.covers(bare)).toBe(false);
  });

  it('are taken back one by one', () => {
    const revocations = new Revocations(() => 0);
    revocations.add(record({ sub: 'u1', notBefore: 100 }));
    revocations.add(record({ sub: 'u1', notBefore: 200 }));
    revocations.lift(record({ sub: 'u1', notBefore: 200 }));
    expect(revocations.covers({ ...token, iat: 150 })).toBe(false);
    expect(revocations.covers(token)).toBe(true);
    revocations.lift(record({ sub: 'u1', notBefore: 100 }));
    revocations.lift(record({ sub: 'u1', notBefore: 100 }));
    expect(revocations.covers(token)).toBe(false);
  });

  it('count the newest of all levels, whatever came first', () => {
    for (const [a, b] of [
      [100, 50],
      [50, 100],
    ] as const) {
      const revocations = new Revocations(() => 0);
      revocations.add(record({ sub: 'u1', notBefore: a }));
      revocations.add(record({ notBefore: b }));
      expect(revocations.covers(token)).toBe(true);
      expect(revocations.covers({ ...token, iat: 101 })).toBe(false);
    }
  });
});
