import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AdminFixture, errorOf, openAdmin } from '../admin/admin.fixture.ts';
import { shellWord } from './remedy.ts';

let fixture: AdminFixture;
beforeAll(async () => {
  fixture = await openAdmin();
  await fixture.memberWith('viewer', 'ann');
});
afterAll(() => fixture.close());

const explain = (body: unknown, token = fixture.owner, workspace = 'demo') =>
  fixture.send('POST', '/access/explain', { token, body, workspace });

describe('explain', () => {
  it('tells why a token is let in', async () => {
    const token = await fixture.userToken('ann', undefined);
    const answer = (await explain({ token })).json();
    expect(answer).toMatchObject({
      allowed: true,
      decidedBy: 'role viewer',
      steps: [
        { step: 'verify', ok: true, detail: { provider: 'centrali', sub: 'ann' } },
        { step: 'workspace', ok: true },
        { step: 'decide', ok: true, detail: { permission: 'realtime:subscribe', roles: ['viewer'] } },
      ],
    });
    expect(answer.code).toBeUndefined();
    expect(answer.remedy).toBeUndefined();
  });

  it('tells why a permission is missing, and the command that mends it', async () => {
    const token = await fixture.userToken('ann', undefined);
    expect((await explain({ token, permission: 'realtime:publish' })).json()).toMatchObject({
      allowed: false,
      code: 'FORBIDDEN',
      decidedBy: 'roles',
      steps: [{ ok: true }, { ok: true }, { step: 'decide', ok: false, reason: 'permission_missing' }],
      remedy: 'npx --no centrali member put ann --role viewer --role developer',
    });
  });

  it('tells of a principal without a token', async () => {
    expect((await explain({ sub: 'ann' })).json()).toMatchObject({ allowed: true, decidedBy: 'role viewer' });
    expect((await explain({ sub: "o'neil x" })).json()).toMatchObject({
      allowed: false,
      decidedBy: 'roles',
      remedy: `npx --no centrali member put 'o'\\''neil x' --role viewer`,
    });
    expect((await explain({ sub: 'olga', permission: 'iam:manage' })).json()).toMatchObject({ allowed: true });
  });

  it('tells of service accounts', async () => {
    const make = { token: fixture.owner, body: { name: 'w', role: 'developer' } };
    const { id, clientId } = (await fixture.send('POST', '/service-accounts', make)).json();
    const question = { sub: clientId, permission: 'realtime:publish' };
    expect((await explain(question)).json()).toMatchObject({ allowed: true, decidedBy: 'role developer' });
    await fixture.send('POST', `/service-accounts/${id}/disable`, { token: fixture.owner });
    expect((await explain(question)).json()).toMatchObject({
      allowed: false,
      code: 'INVALID_TOKEN',
      decidedBy: 'service account',
      remedy: `npx --no centrali service-account enable ${id}`,
    });
  });

  it('tells of blocks, revocations and scopes', async () => {
    const token = await fixture.userToken('ann', 'realtime:publish');
    expect((await explain({ token })).json()).toMatchObject({ code: 'FORBIDDEN', decidedBy: 'scope' });
    const { jti } = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString());
    await fixture.send('POST', '/revocations', { token: fixture.owner, body: { jti } });
    expect((await explain({ token })).json()).toMatchObject({
      code: 'INVALID_TOKEN',
      decidedBy: 'revocation',
      remedy: 'npx --no centrali token --sub ann',
    });
    await fixture.send('PUT', '/members/bad', { token: fixture.owner, body: { roles: ['viewer'], blocked: true } });
    expect((await explain({ sub: 'bad' })).json()).toMatchObject({
      code: 'FORBIDDEN',
      decidedBy: 'member',
      remedy: 'npx --no centrali member put bad --role viewer',
    });
  });

  it('tells what is wrong with a token that is none', async () => {
    expect((await explain({ token: 'nonsense' })).json()).toMatchObject({
      allowed: false,
      code: 'INVALID_TOKEN',
      steps: [{ step: 'verify', ok: false, reason: 'token_form' }],
    });
  });

  it("says one thing of another workspace's token, be it good, expired, revoked or forged", async () => {
    await fixture.memberWith('owner', 'otto', 'other');
    const good = await fixture.userToken('otto', undefined, ['other']);
    const [head, payload] = good.split('.');
    const forged = `${head}.${payload}.AAAA`;
    const revoked = await fixture.userToken('rita', undefined, ['other']);
    const otto = await fixture.userToken('otto', 'iam:manage', ['other']);
    await fixture.send('POST', '/revocations', { token: otto, workspace: 'other', body: { sub: 'rita' } });
    const answers = await Promise.all([good, forged, revoked].map(async (token) => (await explain({ token })).body));
    expect(new Set(answers).size).toBe(1);
    expect(JSON.parse(answers[0]!)).toMatchObject({
      allowed: false,
      code: 'WORKSPACE_MISMATCH',
      steps: [{ step: 'workspace', ok: false, reason: 'workspace_not_named' }],
    });
    for (const text of answers) expect(text).not.toMatch(/otto|rita|other/);
  });

  it("says nothing of another workspace's service account", async () => {
    const otto = await fixture.memberWith('owner', 'otto', 'other');
    const made = await fixture.send('POST', '/service-accounts', {
      token: otto,
      workspace: 'other',
      body: { name: 'theirs', role: 'owner' },
    });
    const { id, clientId } = made.json();
    const theirs = (await explain({ sub: clientId })).json();
    const nobodys = (await explain({ sub: `ci_${'0'.repeat(24)}` })).json();
    expect(theirs).toEqual(nobodys);
    expect(JSON.stringify(theirs)).not.toContain(`enable ${id}`);
  });

  it('leaves no trace', async () => {
    const count = async () =>
      (await fixture.iam.services.store.read((view) => view.audit.list({ workspace: 'demo', limit: 500 }))).length;
    const before = await count();
    const token = await fixture.userToken('ann', undefined);
    await explain({ token });
    await explain({ token: `${token}x` });
    await explain({ sub: 'nobody' });
    await fixture.iam.services.audit.flush();
    expect(await count()).toBe(before);
    expect(fixture.logged.join()).not.toContain(token.split('.')[2]);
  });

  it.each([
    [{}, /exactly one of token, sub/],
    [{ sub: 'a', token: 'b' }, /exactly one of token, sub/],
    [{ token: 'b', provider: 'centrali' }, /provider: goes with sub/],
    [{ sub: 'a', permission: 'realtime:*' }, /permission: /],
    [{ token: 'x'.repeat(8193) }, /token: /],
    [{ sub: 'a', workspace: 'other' }, /workspace: is not known/],
  ])('refuses %j', async (body, expected) => {
    const error = errorOf(await explain(body));
    expect(error).toMatch(/^400 BAD_REQUEST: /);
    expect(error).toMatch(expected);
  });
});

describe('shellWord', () => {
  it('quotes what a shell would read', () => {
    expect(shellWord('ann@x.example')).toBe('ann@x.example');
    expect(shellWord('$(rm -rf /)')).toBe("'$(rm -rf /)'");
    expect(shellWord("a'b")).toBe(`'a'\\''b'`);
    expect(shellWord('')).toBe("''");
  });
});
