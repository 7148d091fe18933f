import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Refusal } from '../../resource-server/index.ts';
import { OPERATOR } from '../audit/actor.ts';
import { endExpiredCredentials } from '../housekeeping.ts';
import type { AccountService, NewAccount } from '../services.ts';
import type { CredentialRecord, Jwk, Store } from '../store/port.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import { createAccountService } from './account-service.ts';
import { hashSecret } from './secret.ts';

let store: Store;
let accounts: AccountService;
let made: NewAccount;
let clock: number;

const credentials = (): Promise<readonly CredentialRecord[]> =>
  store.read((view) => view.credentials.ofClient(made.account.clientId));
const changes = async (after: number) =>
  (await store.read((view) => view.feed.after(after, 100)))?.map(({ change }) => change);
const jwk = (namedCurve = 'P-256'): Jwk =>
  generateKeyPairSync('ec', { namedCurve }).publicKey.export({ format: 'jwk' });

beforeEach(async () => {
  clock = 1_000_000;
  store = await openSqliteStore({ file: ':memory:', randomBytes });
  accounts = createAccountService({ store, now: () => clock, randomBytes });
  made = await accounts.create({ workspace: 'demo', name: 'worker', roles: ['viewer'] }, OPERATOR);
});
afterEach(() => store.close());

describe('a service account', () => {
  it('is made with names and a secret of which only a hash is kept', async () => {
    expect(made.account).toMatchObject({ workspace: 'demo', name: 'worker', roles: ['viewer'], disabled: false });
    expect(made.account.clientId).toMatch(/^ci_[0-9a-f]{24}$/);
    expect(made.clientSecret).toMatch(/^sk_[0-9a-f]{64}$/);
    const [secret, ...more] = await credentials();
    expect(more).toEqual([]);
    expect(secret).toMatchObject({
      cred: expect.stringMatching(/^cr_[0-9a-f]{16}$/),
      hash: hashSecret(made.clientSecret, store.pepper),
      validUntil: null,
    });
    expect(hashSecret(made.clientSecret, randomBytes(32))).not.toBe(hashSecret(made.clientSecret, store.pepper));
  });

  it('is not made when the guard refuses', async () => {
    const guard = () => Promise.reject(new Refusal('FORBIDDEN', 'above_own_permissions'));
    await expect(accounts.create({ workspace: 'demo', name: 'x' }, OPERATOR, guard)).rejects.toThrow(Refusal);
    expect(await store.read((view) => view.accounts.list('demo', 10))).toHaveLength(1);
  });

  it('rotates with a grace, and has two live secrets at most', async () => {
    const { id } = made.account;
    const first = await accounts.rotate('demo', id, 60, OPERATOR);
    expect(first?.previousValidUntil).toBe(clock + 60_000);
    expect(new Set((await credentials()).map(({ validUntil }) => validUntil))).toEqual(new Set([clock + 60_000, null]));
    clock += 1_000;
    await accounts.rotate('demo', id, 60, OPERATOR);
    expect(new Set((await credentials()).map(({ validUntil }) => validUntil))).toEqual(new Set([clock + 60_000, null]));
  });

  it('rotates without a grace: what the old secret obtained ends', async () => {
    const [old] = await credentials();
    await accounts.rotate('demo', made.account.id, 0, OPERATOR);
    expect(await credentials()).toHaveLength(1);
    expect((await credentials())[0]?.cred).not.toBe(old?.cred);
    expect(await changes(made.revision)).toEqual([
      { kind: 'credential', workspace: 'demo', cred: old?.cred },
      { kind: 'account', workspace: 'demo', clientId: made.account.clientId },
    ]);
  });

  it('loses a secret when its grace is over, with a change, once', async () => {
    const rotated = await accounts.rotate('demo', made.account.id, 60, OPERATOR);
    clock += 59_999;
    expect(await endExpiredCredentials({ store, now: () => clock })).toBe(0);
    clock += 1;
    expect(await endExpiredCredentials({ store, now: () => clock })).toBe(1);
    expect(await endExpiredCredentials({ store, now: () => clock })).toBe(0);
    expect(await changes(rotated?.revision ?? 0)).toMatchObject([{ kind: 'credential' }]);
    expect(await credentials()).toHaveLength(1);
  });

  it('is disabled, enabled and deleted, each with a change', async () => {
    const { id, clientId } = made.account;
    await accounts.setDisabled('demo', id, true, OPERATOR);
    expect((await store.read((view) => view.accounts.get('demo', id)))?.disabled).toBe(true);
    await accounts.setDisabled('demo', id, false, OPERATOR);
    await accounts.delete('demo', id, OPERATOR);
    expect(await store.read((view) => view.accounts.get('demo', id))).toBeUndefined();
    expect(await changes(made.revision)).toEqual(
      Array.from({ length: 3 }, () => ({ kind: 'account', workspace: 'demo', clientId })),
    );
  });

  it('of another workspace is not there', async () => {
    const { id } = made.account;
    expect(await accounts.rotate('other', id, 0, OPERATOR)).toBeUndefined();
    expect(await accounts.setDisabled('other', id, true, OPERATOR)).toBeUndefined();
    expect(await accounts.delete('other', id, OPERATOR)).toBeUndefined();
    expect(await accounts.putKeys('other', id, [], OPERATOR)).toBeUndefined();
    expect(await credentials()).toHaveLength(1);
  });

  describe('keys', () => {
    const put = (...keys: Jwk[]) => accounts.putKeys('demo', made.account.id, keys, OPERATOR);
    const kept = async () => (await credentials()).filter(({ kind }) => kind === 'key');

    it('are replaced; one that stays keeps its name', async () => {
      const [one, two, three] = [jwk(), jwk(), jwk()];
      await put(one, two);
      const before = await kept();
      expect(before).toHaveLength(2);
      await put(two, three);
      const after = await kept();
      expect(after).toHaveLength(2);
      expect(after.filter(({ cred }) => before.some((key) => key.cred === cred))).toHaveLength(1);
      await put();
      expect(await kept()).toEqual([]);
    });
    it('hold public members alone', async () => {
      await put({ ...jwk(), 'x-note': 'mine', kid: 'a' });
      const [key] = await kept();
      expect(Object.keys((key?.kind === 'key' && key.jwk) || {}).sort()).toEqual(
        ['alg', 'crv', 'kid', 'kty', 'thumbprint', 'x', 'y'].sort(),
      );
    });
    const privateKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
    const short = generateKeyPairSync('rsa', { modulusLength: 1_024 }).publicKey.export({ format: 'jwk' });
    it.each<[string, readonly Jwk[]]>([
      ['more than four', [jwk(), jwk(), jwk(), jwk(), jwk()]],
      ['private ones', [privateKey]],
      ['symmetric ones', [{ kty: 'oct', k: 'AAAA' }]],
      ['short RSA', [short]],
      ['another curve', [jwk('secp256k1')]],
      ['an alg that does not fit', [{ ...jwk(), alg: 'RS256' }]],
      ['alg none', [{ ...jwk(), alg: 'none' }]],
      ['keys for encryption', [{ ...jwk(), use: 'enc' }]],
      [
        'equal kids',
        [
          { ...jwk(), kid: 'a' },
          { ...jwk(), kid: 'a' },
        ],
      ],
      ['a point that is not on its curve', [{ ...jwk(), y: jwk().y }]],
      ['what is no key', [{}]],
    ])('refuse %s', async (_name, keys) => {
      await expect(put(...keys)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
      expect(await kept()).toEqual([]);
    });
  });
});
