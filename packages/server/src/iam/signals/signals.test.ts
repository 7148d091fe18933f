import type { LightMyRequestResponse } from 'fastify';
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { OutboundGet } from '../../resource-server/index.ts';
import { type AdminFixture, openAdmin } from '../admin/admin.fixture.ts';
import { verifyAudit } from '../audit/verify.ts';

const IDP = 'https://idp.example';
const CAEP = 'https://schemas.openid.net/secevent/caep/event-type/';
const REVOKED = `${CAEP}session-revoked`;
const CHANGED = `${CAEP}credential-change`;
const LOGOUT = 'http://schemas.openid.net/event/backchannel-logout';
const CHANGE = { credential_type: 'password', change_type: 'update' };

const pair = await generateKeyPair('RS256');
const stranger = await generateKeyPair('RS256');
const pss = await generateKeyPair('PS256');
const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'k1', alg: 'RS256', use: 'sig' };

let fixture: AdminFixture;
let keySet: unknown;
let fetches: number;
/** Id of the provider of `demo`. */
let id: string;
const get: OutboundGet = async () => {
  fetches += 1;
  if (keySet === undefined) throw new Error('down');
  return { status: 200, cacheControl: '', body: Buffer.from(JSON.stringify(keySet)) };
};

/** Makes the issuer a provider of a workspace. */
const provide = async (workspace: string, typ = ['JWT', 'at+jwt'], issuer = IDP): Promise<string> => {
  const token = workspace === 'demo' ? fixture.owner : await fixture.memberWith('owner', `of-${workspace}`, workspace);
  const body = { name: 'IdP', issuer, audiences: ['app'], jwksUri: `${IDP}/jwks`, typ, algorithms: ['RS256'] };
  const response = await fixture.send('POST', '/external-auth-providers', { token, workspace, body });
  return response.json<{ id: string }>().id;
};

beforeEach(async () => {
  fetches = 0;
  keySet = { keys: [jwk] };
  fixture = await openAdmin({ get });
  id = await provide('demo');
});
afterEach(() => fixture.close());

const second = (): number => Math.floor(fixture.now() / 1_000);
let counter = 0;

/** What is sent: claims over good ones, and how it is signed. */
interface Made {
  readonly header?: Record<string, unknown>;
  readonly key?: CryptoKey;
}

function signed(claims: Record<string, unknown>, typ: string | undefined, { header, key = pair.privateKey }: Made) {
  const good = { iss: IDP, aud: 'app', iat: second(), jti: `jti-${++counter}` };
  const given = JSON.parse(JSON.stringify({ ...good, ...claims })) as Record<string, unknown>;
  const protectedHeader = JSON.parse(JSON.stringify({ alg: 'RS256', kid: 'k1', typ, ...header }));
  return new SignJWT(given).setProtectedHeader(protectedHeader).sign(key);
}
const set = (claims: Record<string, unknown> = {}, made: Made = {}): Promise<string> =>
  signed(
    { sub_id: { format: 'iss_sub', iss: IDP, sub: 'fred' }, events: { [REVOKED]: {} }, ...claims },
    'secevent+jwt',
    made,
  );
const logoutToken = (claims: Record<string, unknown> = {}, made: Made = {}): Promise<string> =>
  signed({ sub: 'fred', exp: second() + 120, events: { [LOGOUT]: {} }, ...claims }, 'logout+jwt', made);

interface Where {
  readonly workspace?: string;
  readonly provider?: string;
  readonly type?: string;
  readonly query?: string;
}
const push = (
  body: string,
  { workspace = 'demo', provider = id, type = 'application/secevent+jwt', query = '' }: Where = {},
) =>
  fixture.app.inject({
    method: 'POST',
    url: `/workspace/${workspace}/api/v1/external-auth-providers/${provider}/security-events${query}`,
    headers: { 'content-type': type },
    payload: body,
  });
const logOut = (
  body: string | Record<string, string>,
  { workspace = 'demo', provider = id, type = 'application/x-www-form-urlencoded' }: Where = {},
) =>
  fixture.app.inject({
    method: 'POST',
    url: `/workspace/${workspace}/api/v1/external-auth-providers/${provider}/backchannel-logout`,
    headers: { 'content-type': type },
    payload: typeof body === 'string' ? body : new URLSearchParams(body).toString(),
  });

/** What is decided about a token of the provider. */
const decision = async (
  token: { sub?: string; sid?: string; iat?: number },
  { workspace = 'demo', provider = id }: Where = {},
): Promise<string> => {
  const [answer] = await fixture.iam.decisions.check([
    {
      workspace,
      permission: 'realtime:subscribe',
      provider,
      sub: 'fred',
      iat: second(),
      kid: 'k1',
      scope: [],
      mappedRoles: ['viewer'],
      attributes: {},
      atLeast: 0,
      ...token,
    },
  ]);
  return answer?.decision ?? 'none';
};
const fault = (response: LightMyRequestResponse): string => {
  const { err, description } = response.json<{ err: string; description: string }>();
  return `${response.statusCode} ${err}: ${description}`;
};
const auditRows = async (query: Record<string, string> = {}) => {
  await fixture.iam.services.audit.flush();
  return fixture.iam.services.store.read((view) => view.audit.list({ workspace: 'demo', limit: 500, ...query }));
};
const revocations = () => fixture.iam.services.store.read((view) => view.revocations.list('demo', 500));

describe('a security event', () => {
  it('ends the tokens of a user that were issued up to its moment, and no others', async () => {
    const response = await push(await set());
    expect([response.statusCode, response.body, response.headers['cache-control']]).toEqual([202, '', 'no-store']);
    expect(await decision({})).toBe('revoked');
    expect(await decision({ iat: second() - 5_000 })).toBe('revoked');
    expect(await decision({ iat: second() + 1 })).toBe('allowed');
    expect(await decision({ sub: 'ann' })).toBe('allowed');
  });

  it('acts in its workspace and for its provider alone', async () => {
    const elsewhere = await provide('other');
    const neighbour = await provide('demo', ['JWT'], 'https://other-idp.example');
    await push(await set());
    expect(await decision({}, { workspace: 'other', provider: elsewhere })).toBe('allowed');
    expect(await decision({}, { provider: neighbour })).toBe('allowed');
    expect(await decision({}, { provider: 'centrali' })).not.toBe('revoked');
  });

  it('is told to gateways with the moment from which they may forget it', async () => {
    const { revision } = await fixture.iam.services.store.read((view) => view.feed.head());
    await push(await set());
    const rows = await fixture.iam.services.store.read((view) => view.feed.after(revision, 9));
    const revocation = { workspace: 'demo', provider: id, sub: 'fred', notBefore: second() };
    expect(rows).toEqual([
      {
        revision: revision + 1,
        change: { kind: 'revocation', revocation: { ...revocation, expiresAt: (second() + 86_401) * 1_000 } },
      },
    ]);
  });

  it.each([
    ['a user by opaque, for a credential', CHANGED, { format: 'opaque', id: 'fred' }, { sub: 'fred' }],
    ['a session by opaque', REVOKED, { format: 'opaque', id: 's1' }, { sid: 's1' }],
    ['a session in complex', REVOKED, { format: 'complex', session: { format: 'opaque', id: 's1' } }, { sid: 's1' }],
    [
      'a session of a user',
      REVOKED,
      {
        format: 'complex',
        user: { format: 'iss_sub', iss: IDP, sub: 'fred' },
        session: { format: 'opaque', id: 's1' },
      },
      { sub: 'fred', sid: 's1' },
    ],
    ['a user in complex', CHANGED, { format: 'complex', user: { format: 'opaque', id: 'fred' } }, { sub: 'fred' }],
  ])('names %s', async (_, event, subId, named) => {
    expect((await push(await set({ sub_id: subId, events: { [event]: CHANGE } }))).statusCode).toBe(202);
    expect((await revocations()).map(({ revocation: { sub, sid } }) => ({ sub, sid }))).toEqual([
      { sub: undefined, sid: undefined, ...named },
    ]);
    expect(await decision({ sub: 'fred', sid: 's1' })).toBe('revoked');
    expect(await decision({ sub: 'ann', sid: 's1' })).toBe('sub' in named ? 'allowed' : 'revoked');
    expect(await decision({ sub: 'fred', sid: 's2' })).toBe('sid' in named ? 'allowed' : 'revoked');
  });

  it('has effect from its own moment: as the event says, else toe, else iat', async () => {
    const at = second();
    const moments = [
      { sub: 'a', events: { [REVOKED]: { event_timestamp: at - 100 } }, toe: at - 50, moment: at - 100 },
      { sub: 'b', events: { [REVOKED]: {} }, toe: at - 50, moment: at - 50 },
      { sub: 'c', events: { [REVOKED]: {} }, iat: at - 20, moment: at - 20 },
      { sub: 'd', events: { [REVOKED]: { event_timestamp: at + 30 } }, moment: at },
      { sub: 'e', events: { [REVOKED]: { event_timestamp: at - 9.5 } }, moment: at - 10 },
    ];
    for (const { sub, moment, ...claims } of moments) {
      const response = await push(await set({ ...claims, sub_id: { format: 'iss_sub', iss: IDP, sub } }));
      expect(response.statusCode).toBe(202);
      expect([await decision({ sub, iat: moment }), await decision({ sub, iat: moment + 1 })]).toEqual([
        'revoked',
        'allowed',
      ]);
    }
  });

  it('that came before is acknowledged and has no second effect', async () => {
    const again = await set();
    await push(again);
    const [made] = await revocations();
    await fixture.send('DELETE', `/revocations/${made?.revision}`, { token: fixture.owner });
    expect((await push(again)).statusCode).toBe(202);
    expect(await decision({})).toBe('allowed');
    // The same jti for another provider or workspace is another event.
    const elsewhere = await provide('other');
    expect((await push(again, { workspace: 'other', provider: elsewhere })).statusCode).toBe(202);
    expect(await decision({}, { workspace: 'other', provider: elsewhere })).toBe('revoked');
  });

  it('that ends nothing more is acknowledged and kept nowhere', async () => {
    await push(await set());
    await push(await set());
    await push(await set({ events: { [REVOKED]: { event_timestamp: second() - 60 } } }));
    await push(await set({ events: { [CHANGED]: CHANGE } }));
    expect(await revocations()).toHaveLength(1);
    const old = await set({ sub_id: { format: 'iss_sub', iss: IDP, sub: 'old' }, iat: second() - 90_000 });
    expect((await push(old)).statusCode).toBe(202);
    expect(await revocations()).toHaveLength(1);
  });

  it('that is of no use here is acknowledged', async () => {
    const stream = { format: 'opaque', id: 'stream' };
    const verification = { 'https://schemas.openid.net/secevent/ssf/event-type/verification': { state: 'x' } };
    expect((await push(await set({ sub_id: stream, events: verification }))).statusCode).toBe(202);
    expect(await revocations()).toEqual([]);
    const mixed = { ...verification, [REVOKED]: {}, [CHANGED]: CHANGE };
    expect((await push(await set({ events: mixed }))).statusCode).toBe(202);
    expect(await decision({})).toBe('revoked');
  });

  const iss = { format: 'iss_sub', iss: IDP, sub: 'fred' };
  it.each<[string, string, Record<string, unknown>, Made]>([
    ['of another issuer', 'invalid_issuer', { iss: 'https://evil.example' }, {}],
    ['of an issuer that is almost ours', 'invalid_issuer', { iss: `${IDP}/` }, {}],
    ['without an issuer', 'invalid_issuer', { iss: undefined }, {}],
    ['for another audience', 'invalid_audience', { aud: 'other' }, {}],
    ['for none', 'invalid_audience', { aud: undefined }, {}],
    ['for an empty list', 'invalid_audience', { aud: [] }, {}],
    ['signed by somebody else', 'invalid_key', {}, { key: stranger.privateKey }],
    ['of an unknown key', 'invalid_key', {}, { header: { kid: 'k2' } }],
    ['by another algorithm', 'invalid_key', {}, { header: { alg: 'PS256' }, key: pss.privateKey }],
    ['of another type: JWT', 'invalid_request', {}, { header: { typ: 'JWT' } }],
    ['of another type: at+jwt', 'invalid_request', {}, { header: { typ: 'at+jwt' } }],
    ['of another type: logout+jwt', 'invalid_request', {}, { header: { typ: 'logout+jwt' } }],
    ['of no type', 'invalid_request', {}, { header: { typ: undefined } }],
    ['without a key id', 'invalid_request', {}, { header: { kid: undefined } }],
    ['that brings its key', 'invalid_request', {}, { header: { jku: 'https://evil.example/jwks' } }],
    ['without jti', 'invalid_request', { jti: undefined }, {}],
    ['with a jti that is no text', 'invalid_request', { jti: 7 }, {}],
    ['with a jti that is too long', 'invalid_request', { jti: 'x'.repeat(256) }, {}],
    ['without iat', 'invalid_request', { iat: undefined }, {}],
    ['issued in the future', 'invalid_request', { iat: 2_000_000_000 }, {}],
    ['that has expired', 'invalid_request', { exp: 1_000 }, {}],
    ['without events', 'invalid_request', { events: undefined }, {}],
    ['with no event', 'invalid_request', { events: {} }, {}],
    ['with events that are none', 'invalid_request', { events: [REVOKED] }, {}],
    ['with an event that is none', 'invalid_request', { events: { [REVOKED]: true } }, {}],
    [
      'of a moment in milliseconds',
      'invalid_request',
      { events: { [REVOKED]: { event_timestamp: 1_790_000_000_000 } } },
      {},
    ],
    ['of a moment that is none', 'invalid_request', { events: { [REVOKED]: { event_timestamp: '1' } } }, {}],
    ['of a toe that is none', 'invalid_request', { toe: 'now' }, {}],
    ['of a credential without a type', 'invalid_request', { events: { [CHANGED]: { change_type: 'update' } } }, {}],
    ['of an unknown change', 'invalid_request', { events: { [CHANGED]: { ...CHANGE, change_type: 'burn' } } }, {}],
    ['about nobody', 'invalid_request', { sub_id: undefined }, {}],
    ['about a user of another issuer', 'invalid_request', { sub_id: { ...iss, iss: 'https://other.example' } }, {}],
    ['about a user without a name', 'invalid_request', { sub_id: { ...iss, sub: '' } }, {}],
    ['about a user and more', 'invalid_request', { sub_id: { ...iss, tenant: 'x' } }, {}],
    ['about an address', 'invalid_request', { sub_id: { format: 'email', email: 'fred@example.com' } }, {}],
    ['about aliases', 'invalid_request', { sub_id: { format: 'aliases', identifiers: [iss] } }, {}],
    ['about a text', 'invalid_request', { sub_id: 'fred' }, {}],
    ['about a tenant', 'invalid_request', { sub_id: { format: 'complex', tenant: { format: 'opaque', id: 't' } } }, {}],
    ['about a user on a device', 'invalid_request', { sub_id: { format: 'complex', user: iss, device: iss } }, {}],
    ['about nothing complex', 'invalid_request', { sub_id: { format: 'complex' } }, {}],
    ['about a session by user', 'invalid_request', { sub_id: { format: 'complex', session: iss } }, {}],
    ['about a user that is none', 'invalid_request', { sub_id: { format: 'complex', user: 'fred' } }, {}],
  ])('%s is refused: %s', async (_, err, claims, made) => {
    const response = await push(await set(claims, made));
    expect(fault(response)).toMatch(new RegExp(`^400 ${err}: [A-Za-z_ ,;-]+\\.$`));
    expect(response.headers['content-language']).toBe('en');
    expect(response.headers['content-type']).toMatch(/^application\/json/);
    expect(await revocations()).toEqual([]);
    expect(await auditRows({ kind: 'refuse' })).toMatchObject([
      { action: 'signal.security-events', code: err, address: '192.0.2.1', count: 1 },
    ]);
  });

  it.each([
    ['nothing', '', undefined],
    ['something else', 'hello', undefined],
    ['a form', 'logout_token=x', 'application/x-www-form-urlencoded'],
    ['a token as JSON', '"x"', 'application/json'],
  ])('that is %s is refused', async (_, body, type) => {
    expect(fault(await push(body, type === undefined ? {} : { type }))).toMatch(/^400 invalid_request: /);
  });

  it('must be sent as what it is', async () => {
    expect(fault(await push(await set(), { type: 'application/jwt' }))).toMatch(/^400 invalid_request: Content-Type/);
    expect((await push(await set(), { type: 'Application/SecEvent+JWT; charset=utf-8' })).statusCode).toBe(202);
  });

  it('cannot be an access token, whatever it says of itself', async () => {
    const token = await signed(
      { sub: 'fred', exp: second() + 60, events: { [REVOKED]: {} }, sub_id: iss },
      'at+jwt',
      {},
    );
    expect((await push(token)).statusCode).toBe(400);
  });

  it('must come to a provider of the workspace', async () => {
    const elsewhere = await provide('other');
    for (const where of [
      { provider: 'pr_none' },
      { provider: elsewhere },
      { workspace: 'other' },
      { workspace: 'No' },
    ]) {
      const response = await push(await set(), where);
      expect([response.statusCode, response.json().code]).toEqual([404, 'NOT_FOUND']);
    }
    await fixture.send('DELETE', `/external-auth-providers/${id}`, { token: fixture.owner });
    expect((await push(await set())).statusCode).toBe(404);
  });

  it('is told to come again when the keys of the provider are out of reach', async () => {
    keySet = undefined;
    const response = await push(await set());
    expect([response.statusCode, response.json().code]).toEqual([503, 'AUTH_ERROR']);
    expect(Number(response.headers['retry-after'])).toBeGreaterThan(0);
  });

  it('never makes us fetch keys for another issuer, nor again and again for unknown ones', async () => {
    await push(await set({ iss: 'https://evil.example' }));
    expect(fetches).toBe(0);
    for (let i = 0; i < 20; i++) await push(await set({}, { header: { kid: `x${i}` } }));
    expect(fetches).toBeLessThanOrEqual(2);
  });

  it('is refused with a query, a body that is too large, another method', async () => {
    expect((await push(await set(), { query: '?a=b' })).json().code).toBe('BAD_REQUEST');
    expect((await push('x'.repeat(20_000))).json().code).toBe('PAYLOAD_TOO_LARGE');
    expect(fault(await push('x'.repeat(10_000)))).toMatch(/^400 invalid_request: /);
    const url = `/workspace/demo/api/v1/external-auth-providers/${id}/security-events`;
    const response = await fixture.app.inject({ method: 'GET', url });
    expect([response.statusCode, response.headers.allow]).toEqual([405, 'POST']);
  });

  it('is recorded with its revocation, whole and chained', async () => {
    await push(await set({ jti: 'the-jti' }));
    const [row] = (await auditRows({ kind: 'change' })).filter(({ action }) => action === 'signal.session-revoked');
    expect(row).toMatchObject({
      target: 'fred',
      provider: id,
      jti: 'the-jti',
      address: '192.0.2.1',
      revision: expect.any(Number),
      detail: { by: 'sub', notBefore: second() },
    });
    await push(await set({ jti: 'the-jti' }));
    expect(await auditRows({ kind: 'token' })).toMatchObject([
      { action: 'signal.security-events', reason: 'replayed' },
    ]);
    expect((await verifyAudit(fixture.iam.services.store)).ok).toBe(true);
  });
});

describe('a logout token', () => {
  it('ends the tokens of its user up to its moment', async () => {
    const response = await logOut({ logout_token: await logoutToken(), other: 'ignored' });
    expect([response.statusCode, response.body, response.headers['cache-control']]).toEqual([200, '', 'no-store']);
    expect([await decision({}), await decision({ iat: second() + 1 })]).toEqual(['revoked', 'allowed']);
    expect(await decision({ sub: 'ann' })).toBe('allowed');
  });

  it('ends one session, or that of one user', async () => {
    await logOut({ logout_token: await logoutToken({ sub: undefined, sid: 's1' }) });
    await logOut({ logout_token: await logoutToken({ sid: 's2' }) });
    expect(await decision({ sub: 'ann', sid: 's1' })).toBe('revoked');
    expect(await decision({ sub: 'ann', sid: 's2' })).toBe('allowed');
    expect(await decision({ sid: 's2' })).toBe('revoked');
    expect(await decision({ sid: 's3' })).toBe('allowed');
    expect(await decision({})).toBe('allowed');
  });

  it('is taken once', async () => {
    const token = await logoutToken();
    expect((await logOut({ logout_token: token })).statusCode).toBe(200);
    const again = await logOut({ logout_token: token });
    expect([again.statusCode, again.json().error]).toEqual([400, 'invalid_request']);
    expect(await revocations()).toHaveLength(1);
  });

  it('is a logout also when there is nothing more to end', async () => {
    await logOut({ logout_token: await logoutToken() });
    expect((await logOut({ logout_token: await logoutToken() })).statusCode).toBe(200);
    expect(await revocations()).toHaveLength(1);
  });

  it('may be a plain JWT where the access tokens of the provider may be, and says how long it lives or lives two minutes', async () => {
    const plain = { header: { typ: 'JWT' } };
    expect((await logOut({ logout_token: await logoutToken({}, plain) })).statusCode).toBe(200);
    const strict = await provide('other', ['at+jwt']);
    const where = { workspace: 'other', provider: strict };
    expect((await logOut({ logout_token: await logoutToken({}, plain) }, where)).statusCode).toBe(400);
    expect((await logOut({ logout_token: await logoutToken() }, where)).statusCode).toBe(200);
    const endless = { exp: undefined, sub: 'ann' };
    expect((await logOut({ logout_token: await logoutToken(endless) })).statusCode).toBe(200);
    const late = await logoutToken({ ...endless, iat: second() - 121 });
    expect((await logOut({ logout_token: late })).statusCode).toBe(400);
  });

  it.each<[string, Record<string, unknown>, Made]>([
    ['of another issuer', { iss: 'https://evil.example' }, {}],
    ['for another audience', { aud: ['other'] }, {}],
    ['signed by somebody else', {}, { key: stranger.privateKey }],
    ['of another type: secevent+jwt', {}, { header: { typ: 'secevent+jwt' } }],
    ['of another type: at+jwt', {}, { header: { typ: 'at+jwt' } }],
    ['of no type', {}, { header: { typ: undefined } }],
    ['with a nonce, as ID tokens have it', { nonce: 'n' }, {}],
    ['with an empty nonce', { nonce: '' }, {}],
    ['without events, as ID tokens are', { events: undefined }, { header: { typ: 'JWT' } }],
    ['of another event', { events: { [REVOKED]: {} } }, {}],
    ['of an event that is none', { events: { [LOGOUT]: 'yes' } }, {}],
    ['about nobody', { sub: undefined }, {}],
    ['about a number', { sub: 7 }, {}],
    ['about a session that is none', { sid: '' }, {}],
    ['that has expired', { exp: 1_000 }, {}],
    ['that lives too long', { exp: 4_000_000_000 }, {}],
    ['without jti', { jti: undefined }, {}],
    ['without iat', { iat: undefined }, {}],
    ['issued in the future', { iat: 2_000_000_000, exp: 2_000_000_100 }, {}],
  ])('%s is refused', async (_, claims, made) => {
    const response = await logOut({ logout_token: await logoutToken(claims, made) });
    expect([response.statusCode, response.json()]).toEqual([
      400,
      { error: 'invalid_request', error_description: expect.any(String) },
    ]);
    expect(response.headers['cache-control']).toBe('no-store');
    expect(await revocations()).toEqual([]);
    expect(await auditRows({ kind: 'refuse' })).toMatchObject([{ action: 'signal.backchannel-logout', count: 1 }]);
  });

  it.each([
    ['nothing', '', undefined],
    ['no token', 'other=x', undefined],
    ['two tokens', 'logout_token=a&logout_token=b', undefined],
    ['a token that is none', 'logout_token=a', undefined],
    ['JSON', '{"logout_token":"a"}', 'application/json'],
    ['a token by itself', 'a.b.c', 'application/jwt'],
  ])('that is %s is refused', async (_, body, type) => {
    const response = await logOut(body, type === undefined ? {} : { type });
    expect([response.statusCode, response.json().error]).toEqual([400, 'invalid_request']);
  });
});

describe('the receivers', () => {
  it('are bounded by address, before anything is read', async () => {
    await fixture.close();
    fixture = await openAdmin({ get, signalsPerMinutePerAddress: 3 });
    id = await provide('demo');
    const statuses = [];
    for (let i = 0; i < 4; i++) statuses.push((await push('x')).statusCode);
    const last = await logOut({ logout_token: await logoutToken() });
    expect(statuses).toEqual([400, 400, 400, 429]);
    expect([last.statusCode, last.json().code]).toEqual([429, 'RATE_LIMIT_EXCEEDED']);
    expect(Number(last.headers['retry-after'])).toBeGreaterThan(0);
    // The administration is not what is bounded.
    expect((await fixture.send('GET', '/roles', { token: fixture.owner })).statusCode).toBe(200);
  });

  it('are bounded by provider', async () => {
    const statuses = new Map<number, number>();
    const token = await set();
    for (let i = 0; i < 610; i++) {
      const { statusCode } = await push(token);
      statuses.set(statusCode, (statuses.get(statusCode) ?? 0) + 1);
    }
    expect(Object.fromEntries(statuses)).toEqual({ 202: 600, 429: 10 });
  });

  it('take no more than gateways can hold', async () => {
    const { store } = fixture.iam.services;
    await store.transaction(async (tx) => {
      for (let i = 0; i < 20_000; i++)
        await tx.revocations.insert({
          revision: 1_000_000 + i,
          revocation: { workspace: 'demo', provider: id, sub: `s${i}`, notBefore: second() },
          createdAt: 0,
          expiresAt: fixture.now() + 1_000,
        });
    });
    const token = await set();
    expect((await push(token)).statusCode).toBe(429);
    // Nothing of it is kept: the same event is taken when there is room again.
    fixture.advance(1_000);
    expect((await push(token)).statusCode).toBe(202);
    expect(await decision({ iat: second() - 1 })).toBe('revoked');
  });

  it('never repeat what was sent', async () => {
    const canary = 'CANARY';
    const answers = [
      await push(await set({ sub_id: { format: canary }, [canary]: canary })),
      await push(await set({ iss: `https://${canary}.example` })),
      await push(await set({ aud: canary })),
      await logOut({ logout_token: await logoutToken({ events: { [canary]: {} } }) }),
      await logOut(`${canary}=%`),
    ];
    for (const { body } of answers) expect(body).not.toContain(canary);
    expect(JSON.stringify([await auditRows(), fixture.logged])).not.toContain(canary);
  });
});
