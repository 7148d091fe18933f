import { createHmac, createPublicKey } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { passFormGate } from './form-gate.ts';
import { ownIssuer } from './issuers.ts';
import { KeySet } from './key-set.ts';
import { Refusal } from './refusal.ts';
import { BASE_URL, GOOD_CLAIMS, makeKey, NOW, part, sign, type TestKey } from './token-kit.fixture.ts';
import { type Issuer, verifyToken } from './verify.ts';
import { checkWorkspace } from './workspace.ts';

let key: TestKey;
let ecKey: TestKey;
let stranger: TestKey;
let issuer: Issuer;
const withdrawn = new Set<string>();

beforeAll(async () => {
  [key, ecKey, stranger] = await Promise.all([makeKey('k1'), makeKey('k2', 'ES256'), makeKey('k1')]);
  const keys = new KeySet({
    load: async () => ({ keys: [key.jwk, ecKey.jwk] }),
    algorithms: ['RS256', 'ES256', 'EdDSA'],
    monotonic: () => 0,
  });
  issuer = ownIssuer({ baseUrl: BASE_URL, keys, isWithdrawn: (kid) => withdrawn.has(kid) });
});

/** What becomes of a token in workspace `acme`: `accepted`, or `code (reason)`. */
async function outcome(token: string, nowMs = NOW * 1000, by: Partial<Issuer> = {}): Promise<string> {
  try {
    const verified = await verifyToken(passFormGate(token), { ...issuer, ...by }, nowMs);
    checkWorkspace(verified, 'acme');
    return 'accepted';
  } catch (error) {
    if (error instanceof Refusal) return error.message;
    throw error;
  }
}

const claims = async (changes: Record<string, unknown>, nowMs?: number): Promise<string> =>
  outcome(await sign(key, changes), nowMs);

describe('a good token', () => {
  it('is accepted', async () => {
    expect(await claims({})).toBe('accepted');
    expect(await outcome(await sign(ecKey))).toBe('accepted');
    expect(await outcome(await sign(key, {}, { typ: 'application/AT+jwt' }))).toBe('accepted');
  });

  it('is refused after any change of one character', async () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ %é';
    for (const good of [await sign(key), await sign(ecKey)]) {
      await fc.assert(
        fc.asyncProperty(fc.nat(good.length - 1), fc.constantFrom(...alphabet.split('')), async (at, char) => {
          fc.pre(good[at] !== char);
          expect(await outcome(good.slice(0, at) + char + good.slice(at + 1))).toMatch(/^INVALID_TOKEN/);
        }),
        { numRuns: 300 },
      );
    }
  });

  it('is refused after any character was taken out or put in', async () => {
    const good = await sign(key);
    await fc.assert(
      fc.asyncProperty(fc.nat(good.length - 1), fc.constantFrom('A', '.', 'x'), async (at, char) => {
        expect(await outcome(good.slice(0, at) + good.slice(at + 1))).toMatch(/^INVALID_TOKEN/);
        expect(await outcome(good.slice(0, at) + char + good.slice(at))).toMatch(/^INVALID_TOKEN/);
      }),
      { numRuns: 150 },
    );
  });
});

describe('header and signature', () => {
  it.each(['none', 'nOnE', 'NONE', 'HS256', 'RS384', 'PS256', 'rs256', 'toString'])('refuse alg %s', async (alg) => {
    const [, payload, signature] = (await sign(key)).split('.');
    for (const last of [signature, 'AA']) {
      const token = `${part({ alg, kid: 'k1', typ: 'at+jwt' })}.${payload}.${last}`;
      expect(await outcome(token)).toMatch(
        /^INVALID_TOKEN \(alg_(refused|mismatch)\)$|^INVALID_TOKEN \(signature_invalid\)$/,
      );
    }
  });

  it('refuse an HMAC under the public key, in any of its spellings', async () => {
    const pem = createPublicKey({ key: key.jwk as never, format: 'jwk' }).export({
      type: 'spki',
      format: 'pem',
    }) as string;
    const der = createPublicKey(pem).export({ type: 'spki', format: 'der' });
    const input = `${part({ alg: 'HS256', kid: 'k1', typ: 'at+jwt' })}.${part(GOOD_CLAIMS)}`;
    for (const secret of [pem, pem.trim(), ` ${pem}`, der, JSON.stringify(key.jwk), '']) {
      const mac = createHmac('sha256', secret).update(input).digest('base64url');
      expect(await outcome(`${input}.${mac}`)).toBe('INVALID_TOKEN (alg_refused)');
    }
  });

  it.each([
    ['zeros', () => Buffer.alloc(64)],
    [
      'the order of the curve',
      () => Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551'.repeat(2), 'hex'),
    ],
    [
      'DER',
      () =>
        Buffer.concat([
          Buffer.from('30440220', 'hex'),
          Buffer.alloc(32, 1),
          Buffer.from('0220', 'hex'),
          Buffer.alloc(32, 1),
        ]),
    ],
  ])('refuse an ECDSA signature of %s', async (_what, signature) => {
    const [header, payload] = (await sign(ecKey)).split('.');
    expect(await outcome(`${header}.${payload}.${signature().toString('base64url')}`)).toBe(
      'INVALID_TOKEN (signature_invalid)',
    );
  });

  it.each(['JWT', undefined, '', 'dpop+jwt', 'secevent+jwt', 'client-authentication+jwt', 'at+jwt+x'])(
    'refuse typ %s of our own',
    async (typ) => {
      expect(await outcome(await sign(key, {}, { typ }))).toBe('INVALID_TOKEN (typ_refused)');
    },
  );

  it('refuse a key of another issuer under our kid, an unknown kid and a key of another algorithm', async () => {
    expect(await outcome(await sign(stranger))).toBe('INVALID_TOKEN (signature_invalid)');
    expect(await outcome(await sign(key, {}, { kid: 'k9' }))).toBe('INVALID_TOKEN (kid_unknown)');
    expect(await outcome(await sign(key, {}, { kid: 'k2' }))).toBe('INVALID_TOKEN (alg_mismatch)');
  });

  it('accept new material under an old kid after one load, and refuse the old', async () => {
    let current = key;
    const keys = new KeySet({
      load: async () => ({ keys: [current.jwk] }),
      algorithms: ['RS256'],
      monotonic: () => 0,
    });
    const [old, young] = [await sign(key), await sign(stranger)];
    expect(await outcome(old, NOW * 1000, { keys })).toBe('accepted');
    current = stranger;
    expect(await outcome(young, NOW * 1000, { keys })).toBe('accepted');
    expect(await outcome(old, NOW * 1000, { keys })).toBe('INVALID_TOKEN (signature_invalid)');
  });

  it('refuse a withdrawn key at once', async () => {
    withdrawn.add('k1');
    expect(await claims({})).toBe('INVALID_TOKEN (key_withdrawn)');
    withdrawn.clear();
    expect(await claims({})).toBe('accepted');
  });
});

describe('claims', () => {
  it('expire without leeway, to the millisecond', async () => {
    const exp = NOW + 5;
    expect(await claims({ exp }, exp * 1000 - 1)).toBe('accepted');
    expect(await claims({ exp }, exp * 1000)).toBe('TOKEN_EXPIRED (token_expired)');
    expect(await claims({ exp }, exp * 1000 + 1)).toBe('TOKEN_EXPIRED (token_expired)');
  });

  it('are not called expired when the signature, or anything else, is wrong', async () => {
    const expired = { iat: NOW - 700, exp: NOW - 100 };
    expect(await claims(expired)).toBe('TOKEN_EXPIRED (token_expired)');
    expect(await outcome(await sign(stranger, expired))).toMatch(/^INVALID_TOKEN/);
    expect(await claims({ ...expired, aud: 'https://other.example' })).toBe('INVALID_TOKEN (aud_mismatch)');
    expect(await claims({ ...expired, jti: undefined })).toBe('INVALID_TOKEN (jti_missing)');
  });

  it('may be 60 seconds ahead in iat and nbf, not 61', async () => {
    for (const name of ['iat', 'nbf']) {
      expect(await claims({ [name]: NOW + 60 })).toBe('accepted');
      expect(await claims({ [name]: NOW + 61 })).toBe(`INVALID_TOKEN (${name}_in_future)`);
    }
  });

  it('live as long as the kind of token may, not a second longer', async () => {
    const service = { sub: 'ci_x', client_id: 'ci_x' };
    const user = { sub: 'u1', client_id: 'ci_x' };
    const dev = { sub: 'u1', client_id: 'centrali-dev' };
    for (const [who, seconds] of [
      [service, 25_200],
      [user, 3600],
      [dev, 86_400],
    ] as const) {
      expect(await claims({ ...who, iat: NOW, exp: NOW + seconds })).toBe('accepted');
      expect(await claims({ ...who, iat: NOW, exp: NOW + seconds + 1 })).toBe('INVALID_TOKEN (lifetime_too_long)');
    }
  });

  it.each([
    [{ aud: undefined }, 'aud_malformed'],
    [{ aud: [] }, 'aud_malformed'],
    [{ aud: {} }, 'aud_malformed'],
    [{ aud: [[BASE_URL]] }, 'aud_malformed'],
    [{ aud: [BASE_URL, 1] }, 'aud_malformed'],
    [{ aud: BASE_URL.slice(0, -1) }, 'aud_mismatch'],
    [{ aud: `${BASE_URL}/` }, 'aud_mismatch'],
    [{ aud: `${BASE_URL}.evil.example` }, 'aud_mismatch'],
    [{ iss: `${BASE_URL}/` }, 'iss_mismatch'],
    [{ sub: undefined }, 'sub_malformed'],
    [{ sub: '' }, 'sub_malformed'],
    [{ sub: 7 }, 'sub_malformed'],
    [{ sub: 'a\u0000b' }, 'sub_malformed'],
    [{ sub: 'a\u0085b' }, 'sub_malformed'],
    [{ sub: 'x'.repeat(256) }, 'sub_malformed'],
    [{ jti: undefined }, 'jti_missing'],
    [{ jti: 7 }, 'jti_malformed'],
    [{ client_id: undefined }, 'client_id_missing'],
    [{ client_id: '' }, 'client_id_malformed'],
    [{ scope: ['realtime:subscribe'] }, 'scope_malformed'],
    [{ cnf: { jkt: 'x' } }, 'bound_token'],
    [{ events: { 'http://schemas.openid.net/event/backchannel-logout': {} } }, 'event_token'],
    [{ cnf: { 'x5t#S256': 'x' } }, 'bound_token'],
    [{ exp: undefined }, 'exp_malformed'],
    [{ exp: NOW + 0.5 }, 'exp_malformed'],
    [{ exp: String(NOW + 600) }, 'exp_malformed'],
    [{ exp: 1e300 }, 'exp_malformed'],
    [{ exp: -1 }, 'exp_malformed'],
    [{ iat: undefined }, 'iat_malformed'],
    [{ iat: String(NOW) }, 'iat_malformed'],
    [{ nbf: String(NOW) }, 'nbf_malformed'],
    [{ iat: NOW + 30, exp: NOW + 20 }, 'exp_before_iat'],
    [{ workspaces: ['*'] }, 'workspaces_malformed'],
    [{ workspaces: ['acme', 'my-*'] }, 'workspaces_malformed'],
    [{ workspaces: ['acme', ''] }, 'workspaces_malformed'],
    [{ workspaces: ['acme', null] }, 'workspaces_malformed'],
    [{ workspaces: [['acme']] }, 'workspaces_malformed'],
    [{ workspaces: { acme: true } }, 'workspaces_malformed'],
    [{ workspaces: 'acme' }, 'workspaces_malformed'],
    [{ workspaces: null }, 'workspaces_malformed'],
    [{ workspaces: Array.from({ length: 257 }, () => 'acme') }, 'workspaces_too_many'],
  ])('%o are refused', async (changes, reason) => {
    expect(await claims(changes)).toBe(`INVALID_TOKEN (${reason})`);
  });

  it('take aud as a text or a list that holds ours', async () => {
    expect(await claims({ aud: [BASE_URL] })).toBe('accepted');
    expect(await claims({ aud: ['https://other.example', BASE_URL] })).toBe('accepted');
  });
});

describe('the workspace', () => {
  it('is refused when it is not named', async () => {
    for (const workspaces of [undefined, [], ['other'], ['acme-2', 'acm', 'a']]) {
      expect(await claims({ workspaces })).toBe('WORKSPACE_MISMATCH (workspace_not_named)');
    }
  });

  it('is one of several', async () => {
    expect(await claims({ workspaces: ['other', 'acme'] })).toBe('accepted');
  });

  it('is spoilt by a name beside it that is no slug', async () => {
    for (const slug of ['ACME', 'acme.', 'acme ', '\u0430cme', 'acme\u0301', '-acme', 'x'.repeat(64)]) {
      expect(await claims({ workspaces: ['acme', slug] })).toBe('INVALID_TOKEN (workspaces_malformed)');
    }
  });
});
