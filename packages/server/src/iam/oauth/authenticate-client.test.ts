import { randomBytes } from 'node:crypto';
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAccountService } from '../accounts/account-service.ts';
import { OPERATOR } from '../audit/actor.ts';
import type { NewAccount } from '../services.ts';
import type { Store } from '../store/port.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import { authenticateClient } from './authenticate-client.ts';
import { checkSignature } from './client-assertion.ts';
import { readForm } from './form.ts';
import { OAuthLimits } from './limits.ts';

const ISSUER = 'https://rt.example';
const UNKNOWN = `ci_${'0'.repeat(24)}`;
const NOW = Date.UTC(2026, 0, 1);

let store: Store;
let account: NewAccount;
let bare: NewAccount;
let key: CryptoKey;
let stranger: CryptoKey;

beforeAll(async () => {
  store = await openSqliteStore({ file: ':memory:', randomBytes });
  await store.transaction((tx) => tx.workspaces.insert({ slug: 'demo', state: 'active', createdAt: 0 }));
  const accounts = createAccountService({ store, now: () => NOW, randomBytes });
  account = await accounts.create({ workspace: 'demo', name: 'with keys' }, OPERATOR);
  bare = await accounts.create({ workspace: 'demo', name: 'without' }, OPERATOR);
  const pairs = await Promise.all(['k1', 'k2'].map(() => generateKeyPair('ES256', { extractable: true })));
  const jwks = await Promise.all(
    pairs.map(async ({ publicKey }, index) => ({
      ...(await exportJWK(publicKey)),
      kid: `k${index + 1}`,
      alg: 'ES256',
    })),
  );
  await accounts.putKeys('demo', account.account.id, jwks, OPERATOR);
  key = (pairs[0] ?? expect.fail()).privateKey;
  stranger = (await generateKeyPair('ES256')).privateKey;
});
afterAll(() => store.close());

/** A part of the store that notes what is asked of it, and for which key. */
function noted<T extends object>(part: T, name: string, notes: string[]): T {
  return new Proxy(part, {
    get(target, property, receiver) {
      const value: unknown = Reflect.get(target, property, receiver);
      if (typeof value === 'function')
        return (...args: unknown[]) => {
          notes.push(`${name}.${String(property)}`);
          return Reflect.apply(value, target, args) as unknown;
        };
      return typeof value === 'object' && value !== null ? noted(value, `${name}.${String(property)}`, notes) : value;
    },
  });
}

/** Everything of weight that an authentication does, in its order, and how it ends. */
async function workOf(form: Record<string, string>): Promise<{ work: string[]; result: string }> {
  const work: string[] = [];
  const request = {
    method: 'POST',
    query: '',
    contentTypes: ['application/x-www-form-urlencoded'],
    authorizations: [],
    body: Buffer.from(new URLSearchParams(form).toString()),
    id: 'req_1',
    address: '192.0.2.1',
  };
  const limits = new OAuthLimits({
    requestsPerMinutePerAddress: 0,
    failuresPerMinutePerClient: 0,
    failuresPerMinutePerAddress: 0,
    randomBytes,
  });
  const result = await authenticateClient(request, readForm(request), {
    issuer: ISSUER,
    store: {
      ...store,
      read: (fn) => store.read((view) => fn(noted(view, 'read', work))),
      transaction: (fn) => store.transaction((tx) => fn(noted(tx, 'write', work))),
    },
    limits,
    now: () => NOW,
    onFailure: () => void work.push('failure'),
    checkSignature(compact, jwk, alg) {
      work.push(`signature ${alg} ${String(jwk.kty)}`);
      return checkSignature(compact, jwk, alg);
    },
  }).then(
    ({ credential }) => credential.kind,
    (error: unknown) => String((error as { error?: unknown }).error),
  );
  return { work, result };
}

const secret = (clientId: string, value = `sk_${'0'.repeat(64)}`) =>
  workOf({ client_id: clientId, client_secret: value });
const assert = async (clientId: string, by: CryptoKey, header: Record<string, string> = {}) =>
  workOf({
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: await new SignJWT({ jti: String(Math.random()) })
      .setProtectedHeader({ alg: 'ES256', ...header })
      .setIssuer(clientId)
      .setSubject(clientId)
      .setAudience(ISSUER)
      .setExpirationTime(NOW / 1_000 + 60)
      .sign(by),
  });

describe('a client that fails', () => {
  it('costs the same work whether it exists or not: secrets', async () => {
    const known = await secret(account.account.clientId);
    expect(known.result).toBe('invalid_client');
    expect(await secret(UNKNOWN)).toEqual(known);
    expect(known.work).toEqual([
      'read.accounts.byClientId',
      'read.workspaces.get',
      'read.credentials.ofClient',
      'failure',
    ]);
  });

  it.each([
    ['with a kid', { kid: 'k1' }, 1],
    ['with an unknown kid', { kid: 'k9' }, 1],
    ['without a kid', {}, 4],
  ])(
    'costs the same work whether it exists or not, and whichever keys it has: assertions %s',
    async (_, header, checks) => {
      const known = await assert(account.account.clientId, stranger, header);
      expect(known.result).toBe('invalid_client');
      expect(known.work.filter((step) => step === 'signature ES256 EC')).toHaveLength(checks);
      expect(await assert(UNKNOWN, stranger, header)).toEqual(known);
      expect(await assert(bare.account.clientId, stranger, header)).toEqual(known);
    },
  );

  it.each(['RS256', 'PS512', 'ES384', 'ES512', 'EdDSA'])(
    'is checked by the algorithm that it names: %s',
    async (alg) => {
      const { privateKey } = await generateKeyPair(alg, { extractable: true });
      const known = await assert(account.account.clientId, privateKey, { alg, kid: 'k1' });
      expect(known.work.filter((step) => step.startsWith(`signature ${alg}`))).toHaveLength(1);
      expect(await assert(UNKNOWN, privateKey, { alg, kid: 'k1' })).toEqual(known);
    },
  );
});

describe('a client that is who it says', () => {
  // Keys of one client have no order, so that without a kid its other key may be tried before.
  it.each([
    [{ kid: 'k1' }, 1],
    [{}, 2],
  ])('is let in by the first key that fits: %j', async (header, most) => {
    const { work, result } = await assert(account.account.clientId, key, header);
    expect(result).toBe('key');
    const checks = work.filter((step) => step.startsWith('signature')).length;
    expect(checks).toBeGreaterThanOrEqual(1);
    expect(checks).toBeLessThanOrEqual(most);
    expect(work).toContain('write.usedJtis.take');
  });

  it('is let in by its secret', async () => {
    expect((await secret(bare.account.clientId, bare.clientSecret)).result).toBe('secret');
  });
});
