import { generateKeyPair } from 'jose';
import { afterEach, describe, expect, it } from 'vitest';
import { Refusal } from '../resource-server/index.ts';
import { allow, gatewayOf, JWKS, lineOf, NOW, SUB, tokenOf } from './gateway.fixture.ts';

type World = Awaited<ReturnType<typeof gatewayOf>>;
let world: World;
afterEach(() => world.close());

const bearer = async (claims: Record<string, unknown> = {}): Promise<Record<string, string>> => ({
  Authorization: `Bearer ${await tokenOf(claims)}`,
});
const answer = (code: 'forbidden' | 'revoked') => () => ({ decision: code, revision: 1, reason: 'because' }) as const;

describe('the connection flow', () => {
  it('opens a stream by header and by query, with all that the stream is bound to', async () => {
    world = await gatewayOf();
    expect(
      await lineOf(
        await world.send({ headers: await bearer({ scope: 'realtime:subscribe', cred: 'cr_1', sid: 's1' }) }),
      ),
    ).toBe('200 stream');
    expect(
      await lineOf(await world.send({ query: `access_token=${await tokenOf()}&structures=order&last_event_id=e-1` })),
    ).toBe('200 stream');
    expect(world.seen.checks[0]).toEqual({
      workspace: 'acme',
      permission: 'realtime:subscribe',
      provider: 'centrali',
      sub: SUB,
      clientId: SUB,
      jti: 'jti-1',
      iat: NOW - 10,
      kid: 'k1',
      cred: 'cr_1',
      sid: 's1',
      scope: ['realtime:subscribe'],
      mappedRoles: [],
      attributes: {},
      atLeast: 1,
    });
    const [first, second] = world.seen.streams;
    expect(first?.access).toMatchObject({
      workspace: 'acme',
      principal: { provider: 'centrali', kind: 'service', sub: SUB },
      grants: [{ permission: 'realtime:subscribe' }],
      revision: 1,
      token: { kid: 'k1', jti: 'jti-1', cred: 'cr_1', sid: 's1', expiresAt: (NOW + 600) * 1000 },
    });
    // No grant has a placeholder, so no stream carries their values along.
    expect(first?.access.placeholders.size).toBe(0);
    expect(JSON.stringify(first?.access)).not.toContain(await tokenOf());
    expect(second).toMatchObject({
      selection: { structures: ['order'], events: [] },
      cursor: 'e-1',
      address: '192.0.2.1',
    });
  });

  it('ends at the first step that fails, each with its code, and asks IAM only in step 4', async () => {
    world = await gatewayOf();
    const { privateKey } = await generateKeyPair('RS256');
    const rows: [string, { query?: string; headers?: Record<string, string> }, string?][] = [
      ['401 MISSING_TOKEN', {}],
      ['400 BAD_REQUEST invalid_request', { headers: await bearer(), query: 'access_token=x' }],
      ['400 BAD_REQUEST', { headers: await bearer(), query: 'unknown=1' }],
      ['400 INVALID_FILTER', { headers: await bearer(), query: 'filter=:' }],
      ['401 INVALID_TOKEN invalid_token', { query: 'access_token=x' }],
      ['401 INVALID_TOKEN invalid_token', { headers: { Authorization: `Bearer ${await tokenOf({}, privateKey)}` } }],
      ['401 INVALID_TOKEN invalid_token', { headers: await bearer({ iss: 'https://nobody.example' }) }],
      ['401 TOKEN_EXPIRED invalid_token', { headers: await bearer({ exp: NOW }) }],
      ['403 WORKSPACE_MISMATCH insufficient_scope', { headers: await bearer({ workspaces: ['other'] }) }],
    ];
    for (const [line, init] of rows) expect(await lineOf(await world.send(init))).toBe(line);
    expect(world.seen.checks).toEqual([]);
    world.behind.check = answer('revoked');
    expect(await lineOf(await world.send({ headers: await bearer() }))).toBe('401 INVALID_TOKEN invalid_token');
    world.behind.check = answer('forbidden');
    expect(await lineOf(await world.send({ headers: await bearer() }))).toBe('403 FORBIDDEN insufficient_scope');
    world.behind.check = () => Promise.reject(new Error('down'));
    expect(await lineOf(await world.send({ headers: await bearer() }))).toBe('503 AUTH_ERROR');
    expect(world.seen.streams).toEqual([]);
  });

  it('answers for a workspace that is not there as for one that the token does not name', async () => {
    world = await gatewayOf();
    const notNamed = (await world.send({ headers: await bearer({ workspaces: [] }) })) as Response;
    for (const reason of ['workspace_unknown', 'workspace_deleted']) {
      world.behind.check = () => ({ decision: 'forbidden', revision: 1, reason });
      const absent = (await world.send({ headers: await bearer() })) as Response;
      expect([...absent.headers]).toEqual([...notNamed.headers]);
      expect(await absent.text()).toBe(await notNamed.clone().text());
    }
  });

  it('names the missing permission in the challenge of FORBIDDEN', async () => {
    world = await gatewayOf();
    world.behind.check = answer('forbidden');
    const reply = (await world.send({ headers: await bearer() })) as Response;
    expect(reply.headers.get('www-authenticate')).toContain('scope="realtime:subscribe"');
    expect(await reply.text()).not.toContain('because');
  });

  it('lets nobody in on an answer about another principal, or without a grant', async () => {
    world = await gatewayOf();
    world.behind.check = (request) => allow()({ ...request, sub: 'someone-else' });
    expect(await lineOf(await world.send({ headers: await bearer() }))).toBe('503 AUTH_ERROR');
    world.behind.check = allow([]);
    expect(await lineOf(await world.send({ headers: await bearer() }))).toBe('403 FORBIDDEN insufficient_scope');
    world.behind.check = allow([{ permission: 'realtime:publish' }]);
    expect(await lineOf(await world.send({ headers: await bearer() }))).toBe('403 FORBIDDEN insufficient_scope');
  });

  it('takes the token from the cookie where the operator allows it, for pages that are known', async () => {
    const cookie = `__Host-centrali-token=${await tokenOf()}`;
    const from = (origin: string) => ({ headers: { Cookie: cookie, Origin: origin } });
    world = await gatewayOf();
    expect(await lineOf(await world.send(from('https://app.example')))).toBe('401 MISSING_TOKEN');
    await world.close();
    world = await gatewayOf({ cookieOrigins: ['https://app.example'] });
    expect(await lineOf(await world.send(from('https://app.example')))).toBe('200 stream');
    expect(await lineOf(await world.send(from('https://evil.example')))).toBe('401 MISSING_TOKEN');
    // Another credential is the one that counts, good or bad.
    const both = await world.send({ ...from('https://app.example'), query: 'access_token=x' });
    expect(await lineOf(both)).toBe('401 INVALID_TOKEN invalid_token');
    for (const rest of ['tickets', 'connections', 'events'])
      expect(
        await lineOf(
          await world.send({ ...from('https://app.example'), method: rest === 'connections' ? 'GET' : 'POST' }, rest),
        ),
      ).toBe('401 MISSING_TOKEN');
  });

  it('says AUTH_ERROR before the first snapshot: who is trusted is not known yet', async () => {
    world = await gatewayOf({}, 'silent');
    expect(world.gateway.status()).toMatchObject({ ready: false, feed: 'starting' });
    expect(await lineOf(await world.send({ headers: await bearer() }))).toBe('503 AUTH_ERROR');
    expect(await lineOf(await world.send({ query: 'access_token=x' }))).toBe('401 INVALID_TOKEN invalid_token');
  });

  it('is ready after it', async () => {
    world = await gatewayOf();
    expect(world.gateway.status()).toEqual({
      ready: true,
      feed: 'live',
      broker: { ready: true },
      streams: 0,
      draining: false,
    });
  });

  it('takes long-lived tokens in the header only, where the URL is for short-lived ones', async () => {
    world = await gatewayOf({ queryTokens: 'short-lived' });
    const short = await tokenOf({ iat: NOW, exp: NOW + 3600 });
    const long = await tokenOf({ iat: NOW, exp: NOW + 3601 });
    expect(await lineOf(await world.send({ query: `access_token=${short}` }))).toBe('200 stream');
    expect(await lineOf(await world.send({ query: `access_token=${long}` }))).toBe('400 BAD_REQUEST invalid_request');
    expect(await lineOf(await world.send({ headers: { Authorization: `Bearer ${long}` } }))).toBe('200 stream');
  });
});

describe('the change feed', () => {
  const ISS = 'https://login.example';
  const provider = {
    id: 'pr_1',
    name: 'login',
    workspaces: ['acme'],
    issuer: ISS,
    audiences: ['api'],
    typ: ['at+jwt'],
    algorithms: ['RS256'],
    jwksUri: `${ISS}/jwks`,
    mapping: { defaultRole: 'viewer', attributes: [{ jwtPath: 'team', attribute: 'team', required: false }] },
    maxLifetimeSeconds: 86_400,
  };

  it('brings providers, lets their keys be loaded anew, and takes them away', async () => {
    let set: unknown = JWKS;
    const fetched: string[] = [];
    world = await gatewayOf({
      get: async (url) => {
        fetched.push(url);
        return { status: 200, cacheControl: '', body: Buffer.from(JSON.stringify(set)) };
      },
    });
    world.behind.check = allow([{ filter: 'data.owner:{sub}' }]);
    const connect = async (): Promise<string> =>
      lineOf(
        await world.send({ headers: await bearer({ iss: ISS, aud: 'api', sub: 'u1', team: 'red', cred: 'cr_1' }) }),
      );
    const invalid = '401 INVALID_TOKEN invalid_token';
    expect(await connect()).toBe(invalid);
    await world.change({ type: 'change', revision: 1, change: { kind: 'provider', id: 'pr_1', provider } });
    expect(await connect()).toBe('200 stream');
    expect(world.seen.checks).toMatchObject([
      { provider: 'pr_1', sub: 'u1', mappedRoles: ['viewer'], attributes: { ext_team: 'red' } },
    ]);
    expect([...(world.seen.streams[0]?.access.placeholders ?? [])]).toEqual([
      ['sub', 'u1'],
      ['claims.ext_team', 'red'],
    ]);
    expect(world.seen.checks[0]).not.toHaveProperty('cred');
    expect(fetched).toHaveLength(1);
    set = { keys: [{ ...JWKS.keys[0], kid: 'k2' }] };
    await world.change({ type: 'change', revision: 1, change: { kind: 'provider', id: 'pr_1', provider } });
    expect(await connect()).toBe(invalid);
    // The stream that the key opened has ended with it.
    expect(world.seen.ended).toEqual([['cn_1', expect.objectContaining({ code: 'INVALID_TOKEN' })]]);
    set = JWKS;
    await world.change({ type: 'change', revision: 1, change: { kind: 'provider', id: 'pr_1', provider } });
    expect(await connect()).toBe('200 stream');
    await world.change({ type: 'change', revision: 1, change: { kind: 'provider', id: 'pr_1', provider: null } });
    expect(await connect()).toBe(invalid);
  });

  it('withdraws a key of ours at once', async () => {
    world = await gatewayOf();
    const connect = async (): Promise<string> => lineOf(await world.send({ headers: await bearer() }));
    expect(await connect()).toBe('200 stream');
    await world.change({ type: 'change', revision: 1, change: { kind: 'key', kid: 'k1', withdrawn: true } });
    expect(await connect()).toBe('401 INVALID_TOKEN invalid_token');
    expect(world.seen.checks).toHaveLength(1);
  });
});

describe('slots', () => {
  const full = '429 RATE_LIMIT_EXCEEDED';

  it('are given back when a stream ends, when it never began, and when it could not be opened', async () => {
    world = await gatewayOf({ limits: { connectionsPerWorkspace: 1 } });
    const connect = async (): Promise<string> => lineOf(await world.send({ headers: await bearer() }));
    expect(await connect()).toBe('200 stream');
    expect(await connect()).toBe(full);
    world.seen.streams[0]?.onEnd({ connectionId: 'c1', reason: 'client_gone' });
    world.behind.open = () => Promise.reject(new Refusal('UNAVAILABLE', 'overload'));
    expect(await connect()).toBe('503 UNAVAILABLE');
    expect(await connect()).toBe('503 UNAVAILABLE');
  });

  it('are not held by refusals that come as a stream', async () => {
    world = await gatewayOf({ limits: { connectionsPerWorkspace: 1 } });
    for (let i = 0; i < 3; i++) expect((await world.send({ query: 'errors=stream' })).status).toBe(200);
    expect(await lineOf(await world.send({ headers: await bearer() }))).toBe('200 stream');
  });
});

describe('the audit', () => {
  it('has a row for opening, end and refusal, with the principal where it is verified', async () => {
    world = await gatewayOf();
    await world.send({ headers: await bearer() });
    world.seen.streams[0]?.onOpen('c1');
    world.seen.streams[0]?.onEnd({ connectionId: 'c1', code: 'TOKEN_EXPIRED', reason: 'token_expired' });
    world.behind.check = answer('forbidden');
    await world.send({ headers: await bearer() });
    await world.send({ headers: await bearer({ workspaces: ['other'] }) });
    await world.gateway.close();
    const who = {
      workspace: 'acme',
      provider: 'centrali',
      sub: SUB,
      clientId: SUB,
      jti: 'jti-1',
      address: '192.0.2.1',
      requestId: 'req_1',
    };
    expect(world.seen.audit).toEqual([
      { at: NOW * 1000, kind: 'connect', connectionId: 'c1', ...who },
      { at: NOW * 1000, kind: 'close', connectionId: 'c1', code: 'TOKEN_EXPIRED', reason: 'token_expired', ...who },
      { at: NOW * 1000, kind: 'refuse', code: 'FORBIDDEN', reason: 'because', ...who },
      // Whose token it was is nothing that this workspace may learn.
      {
        at: NOW * 1000,
        kind: 'refuse',
        workspace: 'acme',
        code: 'WORKSPACE_MISMATCH',
        count: 1,
        reason: 'workspace_not_named',
        address: '192.0.2.1',
        requestId: 'req_1',
      },
    ]);
  });

  it('is full when IAM takes nothing: then nobody is let in unrecorded', async () => {
    world = await gatewayOf({ auditCapacity: 1 });
    world.behind.record = () => Promise.reject(new Error('down'));
    expect(await lineOf(await world.send({ headers: await bearer() }))).toBe('200 stream');
    world.seen.streams[0]?.onOpen('c1');
    expect(await lineOf(await world.send({ headers: await bearer() }))).toBe('503 AUTH_ERROR');
    expect(world.seen.streams).toHaveLength(1);
  });

  it('holds no token, whatever is refused', async () => {
    world = await gatewayOf();
    const token = await tokenOf({ exp: NOW });
    for (const query of [`access_token=${token}`, `access_token=${token}x`, `unknown=${token}`])
      await world.send({ query });
    await world.gateway.close();
    expect(world.seen.audit).toHaveLength(3);
    expect(JSON.stringify(world.seen.audit)).not.toContain(token.slice(0, 30));
  });
});
