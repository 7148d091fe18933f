import type { Change } from '@centrali-io/protocol';
import { describe, expect, it } from 'vitest';
import { NewestChanges, namesOfDecision } from './newest-changes.ts';

const QUESTION = {
  workspace: 'acme',
  provider: 'centrali',
  sub: 'u1',
  clientId: 'app',
  jti: 'j1',
  sid: 's1',
  cred: 'c1',
  kid: 'k1',
};
const noted = (...changes: readonly Change[]): NewestChanges => {
  const newest = new NewestChanges();
  changes.forEach((change, at) => newest.note(change, at + 1));
  return newest;
};

describe('NewestChanges', () => {
  it.each<[string, Change, boolean]>([
    ['its member', { kind: 'member', workspace: 'acme', provider: 'centrali', sub: 'u1' }, true],
    ["another issuer's member", { kind: 'member', workspace: 'acme', provider: 'pr_1', sub: 'u1' }, false],
    ['a role that it was decided by', { kind: 'role', workspace: 'acme', role: 'viewer' }, true],
    ['another role', { kind: 'role', workspace: 'acme', role: 'editor' }, false],
    ["another workspace's role", { kind: 'role', workspace: 'other', role: 'viewer' }, false],
    ['its account', { kind: 'account', workspace: 'acme', clientId: 'u1' }, true],
    ['its credential', { kind: 'credential', workspace: 'acme', cred: 'c1' }, true],
    ['its workspace', { kind: 'workspace', workspace: 'acme' }, true],
    ['its key', { kind: 'key', kid: 'k1', withdrawn: true }, true],
    ['another key', { kind: 'key', kid: 'k2', withdrawn: true }, false],
    ['a provider', { kind: 'provider', id: 'pr_1', provider: null }, false],
    ...(
      [
        [{ jti: 'j1' }, true],
        [{ jti: 'j2' }, false],
        [{ sub: 'u1', notBefore: 1 }, true],
        [{ clientId: 'app', notBefore: 1 }, true],
        [{ clientId: 'u1', notBefore: 1 }, false],
        [{ sid: 's1' }, true],
        [{ notBefore: 1 }, true],
      ] as const
    ).map(([names, touches]): [string, Change, boolean] => [
      `a revocation of ${JSON.stringify(names)}`,
      { kind: 'revocation', revocation: { workspace: null, provider: 'centrali', ...names } },
      touches,
    ]),
  ])('knows whether %s touches a decision', (_what, change, touches) => {
    const newest = noted(change);
    expect(newest.of(namesOfDecision(QUESTION, ['viewer']))).toBe(touches ? 1 : 0);
  });

  it('lets a denial be touched by any role of the workspace', () => {
    const newest = noted({ kind: 'role', workspace: 'acme', role: 'editor' });
    expect(newest.of(namesOfDecision(QUESTION, undefined))).toBe(1);
    expect(newest.of(namesOfDecision({ ...QUESTION, workspace: 'other' }, undefined))).toBe(0);
  });

  it("hangs a provider's token on the provider, not on a key of ours", () => {
    const names = namesOfDecision({ ...QUESTION, provider: 'pr_1' }, []);
    expect(noted({ kind: 'provider', id: 'pr_1', provider: null }).of(names)).toBe(1);
    expect(noted({ kind: 'key', kid: 'k1', withdrawn: true }).of(names)).toBe(0);
  });

  it('says of what it has forgotten that it may have changed, and never that it has not', () => {
    const newest = new NewestChanges(3);
    for (let n = 1; n <= 10; n++) newest.note({ kind: 'workspace', workspace: `w${n}` }, n);
    for (let n = 1; n <= 10; n++) expect(newest.of([`workspace w${n}`])).toBeGreaterThanOrEqual(n);
    expect(newest.of(['workspace w10'])).toBe(10);
    expect(newest.of(['workspace never'])).toBe(7);
    newest.note({ kind: 'workspace', workspace: 'w8' }, 11);
    newest.note({ kind: 'workspace', workspace: 'w11' }, 12);
    expect([newest.of(['workspace w8']), newest.of(['workspace w9'])]).toEqual([11, 9]);
  });

  it('forgets everything but the revision of a snapshot', () => {
    const newest = noted({ kind: 'workspace', workspace: 'acme' });
    newest.reset(7);
    expect(newest.of([])).toBe(7);
    newest.reset(3);
    expect(newest.of(['workspace acme'])).toBe(3);
  });
});
