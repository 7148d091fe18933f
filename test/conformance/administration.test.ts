// Administration by HTTP: what it changes is what streams, publishers and tokens then get.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  admin,
  adminOk,
  bearer,
  devToken,
  eventsUrl,
  form,
  order,
  publish,
  publishRaw,
  serviceToken,
} from '../support/api.ts';
import { type Dev, startDev } from '../support/centrali.ts';
import { expectError } from '../support/error-answer.ts';
import { type EventStream, openStream } from '../support/event-stream.ts';
import { claimsOf, now } from '../support/forge.ts';
import { until } from '../support/wait.ts';

let dev: Dev;
let token: string;

beforeAll(async () => {
  dev = await startDev();
  token = await serviceToken(dev);
});
afterAll(() => dev?.stop());

async function connected(bearerToken: string, query: Record<string, string> = {}): Promise<EventStream> {
  const stream = await openStream(eventsUrl(dev, query), { headers: bearer(bearerToken) });
  expect(stream.response.status, await (stream.response.ok ? '' : stream.response.text())).toBe(200);
  await stream.system('connected');
  return stream;
}

const ask = (bearerToken: string): Promise<Response> => fetch(eventsUrl(dev), { headers: bearer(bearerToken) });

describe('members', () => {
  it('a role opens the stream, a higher one publishing; without one nothing opens', async () => {
    const user = await devToken(dev, { sub: 'member-1' });
    await expectError(await ask(user), 'FORBIDDEN');
    const { revision } = await adminOk(dev, 'PUT', 'members/member-1', { roles: ['viewer'] });
    expect(revision).toBeGreaterThan(0);
    (await connected(user)).close();
    await expectError(await publishRaw(dev, user, JSON.stringify(order('1'))), 'FORBIDDEN');
    await adminOk(dev, 'PUT', 'members/member-1', { roles: ['developer'] });
    await publish(dev, user, order('1'));
    await adminOk(dev, 'DELETE', 'members/member-1');
    await expectError(await ask(user), 'FORBIDDEN');
  });

  it('blocked beats every role', async () => {
    const user = await devToken(dev, { sub: 'blocked-1', role: 'admin' });
    (await connected(user)).close();
    await adminOk(dev, 'PUT', 'members/blocked-1', { roles: ['admin'], blocked: true });
    await expectError(await ask(user), 'FORBIDDEN');
  });

  it('a sub is any text of 255 bytes, percent-encoded in the path', async () => {
    for (const sub of ['auth0|6a7', 'ann@example.org', 'a/b?c#d', 'é中😀', 'x'.repeat(255)]) {
      await adminOk(dev, 'PUT', `members/${encodeURIComponent(sub)}`, { roles: ['viewer'] });
      (await connected(await devToken(dev, { sub }))).close();
    }
    for (const sub of ['x'.repeat(256), 'a\nb', 'é'.repeat(128)]) {
      const { status } = await admin(dev, 'PUT', `members/${encodeURIComponent(sub)}`, { roles: ['viewer'] });
      expect(status, sub.slice(0, 10)).toBe(400);
    }
  });

  it('lists come in pages of {items, next}', async () => {
    for (let i = 0; i < 5; i++) await adminOk(dev, 'PUT', `members/page-${i}`, { roles: ['viewer'] });
    const seen: string[] = [];
    for (let after = ''; ; ) {
      const { items, next } = await adminOk(dev, 'GET', `members?limit=2${after}`);
      expect(items.length).toBeLessThanOrEqual(2);
      seen.push(...items.map(({ sub }: { sub: string }) => sub));
      if (next === null) break;
      after = `&after=${encodeURIComponent(next)}`;
    }
    expect(new Set(seen).size).toBe(seen.length);
    for (let i = 0; i < 5; i++) expect(seen).toContain(`page-${i}`);
  });
});

describe('roles and grants', () => {
  it("a grant's structures, events and filter decide what is delivered, live and replayed", async () => {
    await adminOk(dev, 'PUT', 'roles/night', {
      grants: [
        {
          permission: 'realtime:subscribe',
          structures: ['granted'],
          events: ['record_created'],
          filter: 'data.owner:{sub}',
        },
      ],
    });
    const user = await devToken(dev, { sub: 'grantee', role: 'night' });
    const live = await connected(user);
    const event = (recordId: string, change: Record<string, unknown> = {}): Record<string, unknown> => ({
      event: 'record_created',
      recordSlug: 'granted',
      recordId,
      data: { owner: 'grantee' },
      ...change,
    });
    const [first = ''] = await publish(dev, token, { event: 'start', recordSlug: 'elsewhere' });
    await publish(dev, token, [
      event('other-structure', { recordSlug: 'not-granted' }),
      event('other-owner', { data: { owner: 'someone' } }),
      event('no-owner', { data: {} }),
      event('other-event', { event: 'record_deleted' }),
      event('mine'),
    ]);
    expect((await live.message()).json.recordId).toBe('mine');
    live.close();
    const replay = await openStream(eventsUrl(dev), { headers: { ...bearer(user), 'last-event-id': first } });
    expect((await replay.message()).json.recordId).toBe('mine');
    replay.close();
  });

  it('a publish grant binds the publisher', async () => {
    await adminOk(dev, 'PUT', 'roles/feeder', { grants: [{ permission: 'realtime:publish', structures: ['fed'] }] });
    const user = await devToken(dev, { sub: 'feeder-1', role: 'feeder' });
    await publish(dev, user, { ...order('1'), recordSlug: 'fed' });
    await expectError(await publishRaw(dev, user, JSON.stringify(order('1'))), 'FORBIDDEN');
    // All or nothing.
    const both = [{ ...order('1'), recordSlug: 'fed' }, order('2')];
    await expectError(await publishRaw(dev, user, JSON.stringify(both)), 'FORBIDDEN');
    await expectError(await ask(user), 'FORBIDDEN');
  });

  it.each([
    ['an unknown permission', { grants: [{ permission: 'realtime:everything' }] }],
    ['a filter that is none', { grants: [{ permission: 'realtime:subscribe', filter: '(((' }] }],
    ['an unknown placeholder', { grants: [{ permission: 'realtime:subscribe', filter: 'data.a:{env}' }] }],
    ['an unknown field', { grants: [{ permission: 'realtime:subscribe', colour: 'red' }] }],
    ['no grants', {}],
  ])('%s is refused', async (_, body) => {
    const { status, json } = await admin(dev, 'PUT', 'roles/bad', body);
    expect(status, JSON.stringify(json)).toBe(400);
    expect((await admin(dev, 'GET', 'roles/bad')).status).toBe(404);
  });

  it('built-in roles cannot be changed, the last owner cannot go, and nobody grants above themselves', async () => {
    expect((await admin(dev, 'PUT', 'roles/owner', { grants: [] })).status).toBeGreaterThanOrEqual(400);
    expect((await admin(dev, 'DELETE', 'roles/viewer')).status).toBeGreaterThanOrEqual(400);
    const operator = claimsOf(dev.adminToken).sub;
    expect((await admin(dev, 'DELETE', `members/${operator}`)).status).toBe(409);
    expect((await admin(dev, 'PUT', `members/${operator}`, { roles: ['viewer'] })).status).toBe(409);
    const account = await adminOk(dev, 'POST', 'service-accounts', { name: 'an-admin', role: 'admin' });
    const target = { ...dev, clientId: account.clientId, clientSecret: account.clientSecret };
    const asAdmin = { ...dev, adminToken: await serviceToken(target, { scope: 'iam:manage' }) };
    await adminOk(asAdmin, 'PUT', 'members/by-admin', { roles: ['admin'] });
    for (const [method, path, body] of [
      ['PUT', 'members/by-admin', { roles: ['owner'] }],
      ['POST', 'service-accounts', { name: 'x', role: 'owner' }],
      ['PUT', 'roles/over', { grants: [{ permission: 'realtime:publish-as' }] }],
      ['POST', 'dev-tokens', { sub: 'x', role: 'owner' }],
    ] as const) {
      expect((await admin(asAdmin, method, path, body)).status, `${method} ${path}`).toBe(403);
    }
  });
});

describe('service accounts', () => {
  const use = (clientId: string, clientSecret: string): Promise<Response> =>
    fetch(`${dev.baseUrl}/oidc/token`, {
      method: 'POST',
      ...form({ grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret }),
    });

  it('begin without a permission, show their secret once, and end when they are disabled', async () => {
    const account = await adminOk(dev, 'POST', 'service-accounts', { name: 'bare' });
    expect(account.clientId).toMatch(/^ci_[0-9a-f]{24}$/);
    expect(account.clientSecret).toMatch(/^sk_[0-9a-f]{64}$/);
    const shown = JSON.stringify(await adminOk(dev, 'GET', `service-accounts/${account.id}`));
    expect(shown).not.toContain(account.clientSecret);
    const bare = await serviceToken({ ...dev, ...account });
    await expectError(await ask(bare), 'FORBIDDEN');
    await adminOk(dev, 'POST', `service-accounts/${account.id}/disable`);
    expect((await use(account.clientId, account.clientSecret)).status).toBe(401);
    await expectError(await ask(bare), 'INVALID_TOKEN');
    await adminOk(dev, 'POST', `service-accounts/${account.id}/enable`);
    expect((await use(account.clientId, account.clientSecret)).status).toBe(200);
    await adminOk(dev, 'DELETE', `service-accounts/${account.id}`);
    expect((await use(account.clientId, account.clientSecret)).status).toBe(401);
  });

  it('rotation leaves the old secret its grace, and then ends it with its tokens', async () => {
    const account = await adminOk(dev, 'POST', 'service-accounts', { name: 'rotated', role: 'viewer' });
    const old = await serviceToken({ ...dev, ...account });
    const rotated = await adminOk(dev, 'POST', `service-accounts/${account.id}/rotate`, { graceSeconds: 2 });
    expect(Date.parse(rotated.previousValidUntil)).toBeGreaterThan(Date.now());
    expect((await use(account.clientId, account.clientSecret)).status).toBe(200);
    expect((await use(account.clientId, rotated.clientSecret)).status).toBe(200);
    (await connected(old)).close();
    await until('the grace is over', async () => (await use(account.clientId, account.clientSecret)).status === 401);
    expect((await use(account.clientId, rotated.clientSecret)).status).toBe(200);
    await expectError(await ask(old), 'INVALID_TOKEN');
  });
});

describe('dev tokens', () => {
  it('name this workspace alone and live as long as asked, an hour by default', async () => {
    const claims = claimsOf(await devToken(dev, { sub: 'dev-1', role: 'viewer', claims: { team: 'blue' } }));
    expect(claims).toMatchObject({
      sub: 'dev-1',
      client_id: 'centrali-dev',
      workspaces: ['demo'],
      team: 'blue',
      iss: dev.baseUrl,
    });
    expect(claims.exp - claims.iat).toBe(3600);
    const { json } = await admin(dev, 'POST', 'dev-tokens', { sub: 'dev-1', ttl: 60 });
    expect(Math.abs(Date.parse(json.expiresAt) / 1000 - now() - 60)).toBeLessThanOrEqual(2);
  });

  it.each([
    ['a registered claim', { sub: 'a', claims: { iss: 'https://evil' } }],
    ['a claim of ours', { sub: 'a', claims: { workspaces: ['other'] } }],
    ['a ttl over a day', { sub: 'a', ttl: 86_401 }],
    ['no ttl', { sub: 'a', ttl: 0 }],
    ['no sub', {}],
    ["a service account's sub", { sub: 'ci_x' }],
    ['an unknown field', { sub: 'a', workspace: 'other' }],
    ['an unknown role', { sub: 'a', role: 'king' }],
  ])('%s is refused', async (_, body) => {
    const { status } = await admin(dev, 'POST', 'dev-tokens', body);
    expect([400, 404]).toContain(status);
  });

  it('a dev token never makes another', async () => {
    const boss = await devToken(dev, { sub: 'dev-boss', role: 'admin' });
    const asBoss = { ...dev, adminToken: boss };
    expect((await admin(asBoss, 'POST', 'dev-tokens', { sub: 'x' })).status).toBe(403);
  });
});

describe('revocations', () => {
  it.each([
    ['jti', (claims: any) => ({ jti: claims.jti })],
    ['sub', (claims: any) => ({ sub: claims.sub })],
  ] as const)('by %s end the token that they name, and no other', async (name, body) => {
    const victim = await devToken(dev, { sub: `revoked-by-${name}`, role: 'viewer' });
    const other = await devToken(dev, { sub: `not-revoked-by-${name}`, role: 'viewer' });
    (await connected(victim)).close();
    const { revision } = await adminOk(dev, 'POST', 'revocations', body(claimsOf(victim)));
    await expectError(await ask(victim), 'INVALID_TOKEN');
    (await connected(other)).close();
    const { items } = await adminOk(dev, 'GET', 'revocations?limit=100');
    expect(items.map((item: any) => item.revision)).toContain(revision);
    await adminOk(dev, 'DELETE', `revocations/${revision}`);
    (await connected(victim)).close();
  });
});

describe('audit and explain', () => {
  it('a row stands for each grant, decision and end, with who, what and why', async () => {
    const sub = 'audited';
    const user = await devToken(dev, { sub, role: 'viewer' });
    const stream = await connected(user);
    stream.close();
    await expectError(await publishRaw(dev, user, JSON.stringify(order('1'))), 'FORBIDDEN');
    const rows = await until('the rows', async () => {
      const { items } = await adminOk(dev, 'GET', `audit-log?limit=100&sub=${sub}`);
      const kinds = items.map(({ kind }: { kind: string }) => kind);
      return ['connect', 'refuse', 'close'].every((kind) => kinds.includes(kind)) ? (items as any[]) : undefined;
    });
    const refusal = rows.find(({ kind }) => kind === 'refuse');
    expect(refusal).toMatchObject({ code: 'FORBIDDEN', sub });
    expect(refusal.reason).toMatch(/^[a-z_]+$/);
    expect(refusal.requestId).toMatch(/^req_/);
    const refusals = await adminOk(dev, 'GET', `audit-log?limit=100&sub=${sub}&code=FORBIDDEN`);
    expect(refusals.items.length).toBeGreaterThan(0);
    expect(refusals.items.every(({ code }: { code: string }) => code === 'FORBIDDEN')).toBe(true);
  });

  it('explain says why, and what would mend it', async () => {
    const user = await devToken(dev, { sub: 'explained' });
    const denied = await adminOk(dev, 'POST', 'access/explain', { token: user });
    expect(denied).toMatchObject({ allowed: false, code: 'FORBIDDEN' });
    expect(denied.remedy).toMatch(/centrali .*explained/);
    await adminOk(dev, 'PUT', 'members/explained', { roles: ['viewer'] });
    expect(await adminOk(dev, 'POST', 'access/explain', { token: user })).toMatchObject({ allowed: true });
    expect(
      await adminOk(dev, 'POST', 'access/explain', { sub: 'explained', permission: 'realtime:publish' }),
    ).toMatchObject({
      allowed: false,
      code: 'FORBIDDEN',
    });
    expect(await adminOk(dev, 'POST', 'access/explain', { token: 'nonsense' })).toMatchObject({ allowed: false });
  });
});

describe('filters of clients', () => {
  it.each([
    ['data.status:paid', ['1']],
    ['data.total:gte:10 NOT data.status:open', ['1', '4']],
    ['data.status:paid OR data.status:open', ['1', '2', '3']],
    ['(data.status:open OR data.status:void) data.total:lt:10', ['2']],
    ['data.status:in:void,paid', ['1', '4']],
    ['data.name:contains:"a b"', ['3']],
    ['data.name:exists:true', ['3']],
    ['recordId:ne:"1" event:record_created', ['2', '3', '4']],
  ])('%s', async (filter, wanted) => {
    const structure = `filter-${Math.random().toString(36).slice(2)}`;
    const stream = await connected(token, { structures: structure, filter: `(${filter}) OR data.end:true` });
    const event = (recordId: string, data: Record<string, unknown>): unknown => ({
      ...order(recordId, data),
      recordSlug: structure,
    });
    await publish(dev, token, [
      event('1', { status: 'paid', total: 10 }),
      event('2', { status: 'open', total: 5 }),
      event('3', { status: 'open', total: 50, name: 'x a b y' }),
      event('4', { status: 'void', total: 11 }),
      event('end', { end: true }),
    ]);
    const got: string[] = [];
    while (got.at(-1) !== 'end') got.push((await stream.message()).json.recordId);
    expect(got.slice(0, -1)).toEqual(wanted);
    stream.close();
  });
});
