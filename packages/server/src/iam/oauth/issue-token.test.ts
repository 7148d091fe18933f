import { randomBytes } from 'node:crypto';
import type { RevocationRecord } from '@centrali-io/protocol';
import fc from 'fast-check';
import { compactVerify, generateKeyPair } from 'jose';
import { describe, expect, it } from 'vitest';
import { RevocationIndex } from '../decisions/revocations.ts';
import type { TokenRequest } from '../services.ts';
import { issueToken } from './issue-token.ts';

const pair = await generateKeyPair('ES256');
const REQUEST: TokenRequest = { sub: 'ann', clientId: 'centrali-dev', workspaces: ['demo'], lifetimeSeconds: 60 };

/** Issues with a clock that only `sleep` moves. */
const issue = (request: TokenRequest, revocations: readonly RevocationRecord[] = [], startAt = 1_000_500) => {
  let clock = startAt;
  return issueToken(request, {
    issuer: 'https://centrali.example',
    keys: { signer: async () => ({ kid: 'k', alg: 'ES256', key: pair.privateKey }) },
    revocations: async () => new RevocationIndex(revocations),
    now: () => clock,
    randomBytes,
    sleep: async (milliseconds) => {
      clock += milliseconds;
    },
  });
};

describe('issuing a token', () => {
  it('signs what the guide reads with JSON.parse(atob(…)), for any claims', async () => {
    const text = fc.string({ unit: 'binary', maxLength: 40 });
    const claims = fc.dictionary(
      text.filter((name) => name !== '__proto__'),
      fc.oneof(text, fc.integer(), fc.array(text)),
    );
    await fc.assert(
      fc.asyncProperty(text, claims, async (sub, chosen) => {
        const renamed = Object.fromEntries(Object.entries(chosen).map(([name, value]) => [`x${name}`, value]));
        const { token, claims: issued } = await issue({ ...REQUEST, sub, claims: renamed });
        expect(token).toMatch(/^[A-Za-z0-9_-]+\.[A-Za-z0-9]+\.[A-Za-z0-9_-]+$/);
        const payload = token.split('.')[1] ?? '';
        expect(JSON.parse(atob(payload))).toEqual(JSON.parse(JSON.stringify(issued)));
        await compactVerify(token, pair.publicKey);
      }),
      { numRuns: 100 },
    );
  });

  it.each(['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti', 'client_id', 'scope', 'workspaces', 'cred', 'cnf', 'sid'])(
    'does not let %s be chosen',
    async (name) => {
      await expect(issue({ ...REQUEST, claims: { [name]: 'x' } })).rejects.toThrow(TypeError);
    },
  );

  const base = { workspace: 'demo', provider: 'centrali' } as const;
  it('waits for the next second when a revocation names this one', async () => {
    const { claims } = await issue(REQUEST, [{ ...base, sub: 'ann', notBefore: 1_000 }]);
    expect(claims).toMatchObject({ iat: 1_001, exp: 1_061 });
  });
  it('does not wait for revocations of others or of the past', async () => {
    const others: RevocationRecord[] = [
      { ...base, sub: 'bob', notBefore: 1_000 },
      { ...base, workspace: 'other', notBefore: 1_000 },
      { ...base, sub: 'ann', notBefore: 999 },
    ];
    expect((await issue(REQUEST, others)).claims.iat).toBe(1_000);
  });
  it('refuses for now when the moment lies ahead', async () => {
    await expect(issue(REQUEST, [{ ...base, notBefore: 1_030 }])).rejects.toMatchObject({
      code: 'AUTH_ERROR',
      init: { retryAfter: 31 },
    });
  });
});
