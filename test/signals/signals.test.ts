// What a login provider tells of its users' sessions, against the built command: security events and logout tokens.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addProvider, adminOk, bearer, eventsUrl, form } from '../support/api.ts';
import { type Dev, runCommand, startDev } from '../support/centrali.ts';
import { now } from '../support/forge.ts';
import { type FakeIssuer, startIssuer } from '../support/issuer.ts';

const REVOKED = 'https://schemas.openid.net/secevent/caep/event-type/session-revoked';
const CHANGED = 'https://schemas.openid.net/secevent/caep/event-type/credential-change';
const LOGOUT = 'http://schemas.openid.net/event/backchannel-logout';

let dev: Dev;
let issuer: FakeIssuer;
let id: string;
beforeAll(async () => {
  issuer = await startIssuer();
  dev = await startDev({ env: { CENTRALI_PROVIDERS_ALLOW_PRIVATE_ADDRESSES: 'true' } });
  id = await addProvider(dev, { name: 'IdP', issuer: issuer.issuer, audiences: ['app'] });
});
afterAll(async () => {
  await dev?.stop();
  await issuer?.close();
});

/** A user's token of the provider, some seconds old, so that a later one of the same user is told apart. */
const tokenOf = (sub: string, extra: Record<string, unknown> = {}): string =>
  issuer.token({ audience: 'app', workspace: dev.workspace, sub }, { iat: now() - 5, ...extra });
const newerTokenOf = (sub: string): string => tokenOf(sub, { iat: now() });

/** The code with which a connect is refused; `open` when it is not. */
async function connect(token: string): Promise<string> {
  const stop = new AbortController();
  const response = await fetch(eventsUrl(dev), { headers: bearer(token), signal: stop.signal });
  if (response.status === 200) {
    stop.abort();
    return 'open';
  }
  return ((await response.json()) as { code: string }).code;
}

const url = (path: string): string =>
  `${dev.baseUrl}/workspace/${dev.workspace}/api/v1/external-auth-providers/${id}/${path}`;
const claims = (extra: Record<string, unknown>): Record<string, unknown> => ({
  iss: issuer.issuer,
  aud: 'app',
  iat: now(),
  jti: randomUUID(),
  ...extra,
});
function push(extra: Record<string, unknown>, header: Record<string, unknown> = {}): Promise<Response> {
  return fetch(url('security-events'), {
    method: 'POST',
    headers: { 'content-type': 'application/secevent+jwt', accept: 'application/json' },
    body: issuer.sign(claims(extra), { typ: 'secevent+jwt', ...header }),
  });
}
const user = (sub: string) => ({ format: 'iss_sub', iss: issuer.issuer, sub });

describe('security events', () => {
  test.each([
    ['session-revoked', { [REVOKED]: {} }],
    ['credential-change', { [CHANGED]: { credential_type: 'password', change_type: 'update' } }],
  ])('%s ends the tokens of its user that were issued before', async (name, events) => {
    const [token, other] = [tokenOf(name), tokenOf('other')];
    expect([await connect(token), await connect(other)]).toEqual(['open', 'open']);
    const moment = { event_timestamp: now() - 2 };
    const timed = Object.fromEntries(Object.entries(events).map(([event, value]) => [event, { ...value, ...moment }]));
    const response = await push({ sub_id: user(name), events: timed });
    expect([response.status, await response.text()]).toEqual([202, '']);
    expect([await connect(token), await connect(newerTokenOf(name)), await connect(other)]).toEqual([
      'INVALID_TOKEN',
      'open',
      'open',
    ]);
  });

  test('one session of a user ends, the other does not', async () => {
    const [first, second] = [tokenOf('sam', { sid: 's1' }), tokenOf('sam', { sid: 's2' })];
    const subId = { format: 'complex', user: user('sam'), session: { format: 'opaque', id: 's1' } };
    expect((await push({ sub_id: subId, events: { [REVOKED]: {} } })).status).toBe(202);
    expect([await connect(first), await connect(second)]).toEqual(['INVALID_TOKEN', 'open']);
  });

  test('are listed as revocations, and in the audit log, which stays whole', async () => {
    await push({ sub_id: user('lisa'), events: { [REVOKED]: {} } });
    const { items } = await adminOk(dev, 'GET', 'revocations?limit=500');
    expect(items).toContainEqual(expect.objectContaining({ provider: id, sub: 'lisa' }));
    const log = await adminOk(dev, 'GET', 'audit-log?kind=change&limit=500');
    expect(log.items).toContainEqual(expect.objectContaining({ action: 'signal.session-revoked', target: 'lisa' }));
    const verified = await runCommand(['audit', 'verify', '--json', '--data', dev.data]);
    expect([verified.code, JSON.parse(verified.stdout).ok], verified.stderr).toEqual([0, true]);
  });

  test('that nobody signed are refused by RFC 8935, and end nothing', async () => {
    const response = await push({ sub_id: user('fred'), events: { [REVOKED]: {} } }, { kid: 'unknown' });
    expect([response.status, await response.json()]).toEqual([
      400,
      { err: 'invalid_key', description: expect.any(String) },
    ]);
    expect(await connect(tokenOf('fred'))).toBe('open');
  });
});

describe('logout tokens', () => {
  const logOut = (extra: Record<string, unknown>, header: Record<string, unknown> = {}): Promise<Response> => {
    const token = issuer.sign(claims({ exp: now() + 120, events: { [LOGOUT]: {} }, ...extra }), {
      typ: 'logout+jwt',
      ...header,
    });
    return fetch(url('backchannel-logout'), { method: 'POST', ...form({ logout_token: token }) });
  };

  test('end the tokens of their user', async () => {
    const token = tokenOf('lou');
    expect(await connect(token)).toBe('open');
    expect((await logOut({ sub: 'lou' })).status).toBe(200);
    expect(await connect(token)).toBe('INVALID_TOKEN');
  });

  test('are no ID tokens', async () => {
    const response = await logOut({ sub: 'ida', nonce: 'n' }, { typ: 'JWT' });
    expect([response.status, await response.json()]).toEqual([
      400,
      { error: 'invalid_request', error_description: expect.any(String) },
    ]);
    expect(await connect(tokenOf('ida'))).toBe('open');
  });
});
