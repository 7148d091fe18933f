import type { ProviderRecord } from '@centrali-io/protocol';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { passFormGate } from './form-gate.ts';
import { IssuerDirectory, ownIssuer } from './issuers.ts';
import { KeySet } from './key-set.ts';
import { type OutboundAnswer, OutboundError } from './outbound.ts';
import { Refusal } from './refusal.ts';
import { BASE_URL, makeKey, NOW, sign, type TestKey } from './token-kit.fixture.ts';
import { checkWorkspace } from './workspace.ts';

const ISS = 'https://login.example';
const JWKS = 'https://login.example/jwks';

let ownKey: TestKey;
let key: TestKey;
let impostor: TestKey;
let directory: IssuerDirectory;
let answers: Map<string, () => OutboundAnswer>;
let fetched: string[];
let failures: string[];
let clock: number;

const answer = (body: string, status = 200): OutboundAnswer => ({ status, cacheControl: '', body: Buffer.from(body) });
const jwks = (...keys: TestKey[]): OutboundAnswer => answer(JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }));

const provider = (changes: Partial<ProviderRecord> = {}): ProviderRecord => ({
  id: 'pr_1',
  name: 'login',
  workspaces: ['acme'],
  issuer: ISS,
  audiences: ['api'],
  typ: ['jwt'],
  algorithms: ['RS256'],
  jwksUri: JWKS,
  mapping: {},
  maxLifetimeSeconds: 86_400,
  ...changes,
});

const foreign = { iss: ISS, aud: 'api', sub: 'u1', client_id: undefined, jti: undefined, workspaces: undefined };
const token = (by: TestKey, changes: Record<string, unknown> = {}): Promise<string> =>
  sign(by, { ...foreign, ...changes }, { typ: 'JWT' });

async function outcome(compact: string, workspace = 'acme'): Promise<string> {
  try {
    const verified = await directory.verify(passFormGate(compact), workspace, NOW * 1000);
    checkWorkspace(verified, workspace);
    return verified.issuer.provider;
  } catch (error) {
    if (error instanceof Refusal) return error.message;
    throw error;
  }
}

beforeAll(async () => {
  [ownKey, key, impostor] = await Promise.all([makeKey('k1'), makeKey('k1'), makeKey('k1')]);
});

beforeEach(() => {
  fetched = [];
  failures = [];
  clock = 0;
  answers = new Map([[JWKS, () => jwks(key)]]);
  const own = ownIssuer({
    baseUrl: BASE_URL,
    keys: new KeySet({ load: async () => ({ keys: [ownKey.jwk] }), algorithms: ['RS256'], monotonic: () => clock }),
    isWithdrawn: () => false,
  });
  directory = new IssuerDirectory({
    own,
    get: async (url) => {
      fetched.push(url);
      const found = answers.get(url);
      if (!found) throw new OutboundError('connect_failed');
      return found();
    },
    monotonic: () => clock,
    onFailure: (id, reason) => failures.push(`${id} ${reason}`),
  });
});

describe('IssuerDirectory', () => {
  it('verifies our own tokens by our own keys, whatever providers say', async () => {
    directory.put(provider({ id: 'pr_evil', issuer: BASE_URL }));
    expect(await outcome(await sign(ownKey))).toBe('centrali');
    expect(await outcome(await sign(key))).toBe('INVALID_TOKEN (signature_invalid)');
    expect(fetched).toEqual([]);
  });

  it("takes a provider's token in its own workspace, without jti and client_id", async () => {
    directory.put(provider());
    expect(await outcome(await token(key))).toBe('pr_1');
    expect(fetched).toEqual([JWKS]);
  });

  it('calls an issuer that nobody knows invalid, and fetches nothing for it', async () => {
    expect(await outcome(await token(key))).toBe('INVALID_TOKEN (iss_unknown)');
    expect(await outcome(await token(key, { iss: 7 }))).toBe('INVALID_TOKEN (iss_malformed)');
    expect(fetched).toEqual([]);
  });

  it('calls a good token of an issuer of another workspace a mismatch, and a bad one invalid', async () => {
    directory.put(provider());
    expect(await outcome(await token(key), 'other')).toBe('WORKSPACE_MISMATCH (provider_of_other_workspace)');
    expect(await outcome(await token(impostor), 'other')).toBe('INVALID_TOKEN (iss_unknown)');
    expect(await outcome(await token(key, { iat: NOW - 99, exp: NOW - 9 }), 'other')).toBe(
      'TOKEN_EXPIRED (token_expired)',
    );
  });

  it('never opens a workspace by a claim of a provider', async () => {
    directory.put(provider());
    expect(await outcome(await token(key, { workspaces: ['other', 'acme'] }), 'other')).toMatch(/^WORKSPACE_MISMATCH/);
    expect(await outcome(await token(key, { workspaces: { strange: 'shape' } }))).toBe('pr_1');
  });

  it('lets a mapping refuse the workspace', async () => {
    directory.put(provider({ mapping: { workspaces: 'org.spaces' } }));
    expect(await outcome(await token(key, { org: { spaces: ['acme'] } }))).toBe('pr_1');
    expect(await outcome(await token(key, { org: { spaces: ['other'] } }))).toBe(
      'WORKSPACE_MISMATCH (workspace_not_named)',
    );
    expect(await outcome(await token(key))).toBe('WORKSPACE_MISMATCH (workspace_not_named)');
  });

  it('keeps two workspaces with the same iss and different keys apart', async () => {
    answers.set('https://evil.example/jwks', () => jwks(impostor));
    directory.put(provider());
    directory.put(provider({ id: 'pr_2', workspaces: ['evil'], jwksUri: 'https://evil.example/jwks' }));
    expect(await outcome(await token(impostor), 'evil')).toBe('pr_2');
    expect(await outcome(await token(impostor), 'acme')).toBe('INVALID_TOKEN (signature_invalid)');
    expect(await outcome(await token(key), 'acme')).toBe('pr_1');
  });

  it('holds a provider to its audiences, types, algorithms and lifetime', async () => {
    directory.put(provider({ maxLifetimeSeconds: 700 }));
    expect(await outcome(await token(key, { aud: BASE_URL }))).toBe('INVALID_TOKEN (aud_mismatch)');
    expect(await outcome(await token(key, { iat: NOW, exp: NOW + 701 }))).toBe('INVALID_TOKEN (lifetime_too_long)');
    expect(await outcome(await sign(key, foreign, { typ: 'at+jwt' }))).toBe('INVALID_TOKEN (typ_refused)');
    directory.put(provider({ algorithms: ['ES256'] }));
    expect(await outcome(await token(key))).toBe('INVALID_TOKEN (alg_refused)');
  });

  it.each([
    ['500', () => answer('', 500), 'jwks_status'],
    ['a page', () => answer('<html>'), 'jwks_not_json'],
    [
      'a redirect',
      () => {
        throw new OutboundError('redirect_refused');
      },
      'redirect_refused',
    ],
    [
      'too many bytes',
      () => {
        throw new OutboundError('too_large');
      },
      'too_large',
    ],
    [
      'a private address',
      () => {
        throw new OutboundError('address_refused');
      },
      'address_refused',
    ],
    ['two equal kids', () => jwks(key, impostor), 'jwks_kid_repeated'],
    ['an empty set', () => jwks(), 'jwks_empty'],
  ])('says AUTH_ERROR while the key set answers %s, once per pause', async (_what, bad, reason) => {
    answers.set(JWKS, bad);
    directory.put(provider());
    for (let i = 0; i < 5; i++) expect(await outcome(await token(key))).toBe('AUTH_ERROR (jwks_unreachable)');
    expect(failures).toEqual([`pr_1 ${reason}`]);
    expect(fetched).toHaveLength(1);
  });

  it('keeps the keys of a provider whose mapping changes, drops them when its URL does', async () => {
    directory.put(provider());
    await outcome(await token(key));
    directory.put(provider({ mapping: { defaultRole: 'viewer' } }));
    expect(await outcome(await token(key))).toBe('pr_1');
    expect(fetched).toHaveLength(1);
    answers.set('https://login.example/new', () => jwks(impostor));
    directory.put(provider({ jwksUri: 'https://login.example/new' }));
    expect(await outcome(await token(key))).toBe('INVALID_TOKEN (signature_invalid)');
  });

  it('forgets a provider that is gone, alone or by a snapshot', async () => {
    directory.put(provider());
    directory.remove('pr_1');
    expect(await outcome(await token(key))).toBe('INVALID_TOKEN (iss_unknown)');
    directory.replaceAll([provider(), provider({ id: 'pr_2', workspaces: ['other'] })]);
    expect(await outcome(await token(key), 'other')).toBe('pr_2');
    directory.replaceAll([provider()]);
    expect(await outcome(await token(key), 'other')).toMatch(/^WORKSPACE_MISMATCH/);
    expect(await outcome(await token(key))).toBe('pr_1');
  });

  it("loads a provider's keys anew when told to", async () => {
    directory.put(provider());
    await outcome(await token(key));
    answers.set(JWKS, () => jwks(impostor));
    directory.expireKeys('pr_1');
    expect(await outcome(await token(key))).toBe('INVALID_TOKEN (signature_invalid)');
    expect(await outcome(await token(impostor))).toBe('pr_1');
  });

  it('says whose token it says it is, within the workspace', async () => {
    directory.put(provider());
    const of = async (compact: string, workspace = 'acme') => directory.providerOf(passFormGate(compact), workspace);
    expect(await of(await token(impostor))).toBe('pr_1');
    expect(await of(await token(key), 'other')).toBeUndefined();
    expect(await of(await token(key, { iss: 'https://else.example' }))).toBeUndefined();
    expect(await of(await token(key, { iss: BASE_URL }))).toBe('centrali');
    expect(['centrali', 'pr_1', 'pr_2'].map((id) => directory.nameOf(id))).toEqual(['centrali', 'login', undefined]);
  });

  it('says whether a key is still there, and nothing when that cannot be known', async () => {
    directory.put(provider());
    expect(await directory.hasKey('pr_1', 'k1')).toBe(true);
    expect(await directory.hasKey('pr_2', 'k1')).toBe(false);
    answers.set(JWKS, () => answer('{"keys":[]}'));
    directory.expireKeys('pr_1');
    expect(await directory.hasKey('pr_1', 'k1')).not.toBe(false);
    const { jwk } = await makeKey('k2');
    answers.set(JWKS, () => answer(JSON.stringify({ keys: [jwk] })));
    clock += 60_000;
    directory.expireKeys('pr_1');
    expect(await directory.hasKey('pr_1', 'k1')).toBe(false);
    expect([...directory.keySets()].map((set) => [set.provider, set.keys.failedLoads])).toEqual([
      ['centrali', 0],
      ['login', 1],
    ]);
  });
});
