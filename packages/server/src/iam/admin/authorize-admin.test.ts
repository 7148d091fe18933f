import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AdminFixture, errorOf, openAdmin } from './admin.fixture.ts';

let fixture: AdminFixture;
beforeAll(async () => {
  fixture = await openAdmin();
});
afterAll(() => fixture.close());

const code = async (sent: Parameters<AdminFixture['send']>[2], path = '/roles'): Promise<string> => {
  const response = await fixture.send('GET', path, sent);
  return response.statusCode === 200 ? '200' : errorOf(response).split(':')[0]!;
};

describe('who may administer', () => {
  it('lets an owner and an admin in, whose scope names iam:manage', async () => {
    expect(await code({ token: fixture.owner })).toBe('200');
    expect(await code({ token: fixture.admin })).toBe('200');
  });

  it.each(['developer', 'viewer'])('refuses a %s, whatever the scope says', async (role) => {
    expect(await code({ token: await fixture.memberWith(role) })).toBe('403 FORBIDDEN');
  });

  it.each([undefined, 'openid', 'realtime:subscribe', 'iam:manageX', 'IAM:MANAGE', 'iam:*'])(
    'refuses an owner whose scope is %s',
    async (scope) => {
      expect(await code({ token: await fixture.userToken('olga', scope) })).toBe('403 FORBIDDEN');
    },
  );

  it('says which permission is missing (RFC 6750 section 3)', async () => {
    const response = await fixture.send('GET', '/roles', { token: await fixture.userToken('olga', 'openid') });
    expect(response.headers['www-authenticate']).toContain('error="insufficient_scope"');
    expect(response.headers['www-authenticate']).toContain('scope="iam:manage"');
  });

  it('takes the token from the header only', async () => {
    expect(await code({}, `/roles?access_token=${fixture.owner}`)).toBe('401 MISSING_TOKEN');
    expect(await code({ headers: { cookie: `__Host-centrali-token=${fixture.owner}` } })).toBe('401 MISSING_TOKEN');
    expect(await code({ headers: { authorization: `Basic ${fixture.owner}` } })).toBe('401 MISSING_TOKEN');
  });

  it('answers without a token with a bare challenge, before it looks at the body', async () => {
    const response = await fixture.send('PUT', '/roles/x', { body: '{{{' });
    expect(errorOf(response)).toContain('401 MISSING_TOKEN');
    expect(response.headers['www-authenticate']).not.toContain('error=');
    expect(response.headers['cache-control']).toBe('no-store');
    expect(response.headers['referrer-policy']).toBe('no-referrer');
  });

  it("refuses an owner of another workspace, and another workspace's URL", async () => {
    const other = await fixture.memberWith('owner', 'otto', 'other');
    expect(await code({ token: other, workspace: 'other' })).toBe('200');
    expect(await code({ token: other })).toBe('403 WORKSPACE_MISMATCH');
    expect(await code({ token: fixture.owner, workspace: 'other' })).toBe('403 WORKSPACE_MISMATCH');
  });

  it('refuses an owner here whose token names a workspace where it is nobody', async () => {
    const token = await fixture.userToken('olga', 'iam:manage', ['demo', 'other']);
    expect(await code({ token, workspace: 'other' })).toBe('403 FORBIDDEN');
  });

  it.each(['nowhere', 'Demo', 'demo.', '%64emo%00', '..%2fdemo', 'demo%2f..%2fother'])(
    'answers for the workspace %s as for a foreign one',
    async (workspace) => {
      expect(await code({ token: fixture.owner, workspace })).toBe('403 WORKSPACE_MISMATCH');
    },
  );

  it('refuses garbage, an expired token and one whose signature is another', async () => {
    expect(await code({ token: 'x.y.z' })).toBe('401 INVALID_TOKEN');
    const [head, payload, signature] = fixture.owner.split('.') as [string, string, string];
    const changed = `${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
    expect(await code({ token: [head, payload, changed].join('.') })).toBe('401 INVALID_TOKEN');
    const brief = await openAdmin();
    brief.advance(3600_000);
    const response = await brief.send('GET', '/roles', { token: brief.owner });
    expect(errorOf(response)).toContain('401 TOKEN_EXPIRED');
    await brief.close();
  });

  it('refuses a blocked owner and a revoked token at once', async () => {
    const second = await fixture.memberWith('owner', 'second');
    expect(await code({ token: second })).toBe('200');
    await fixture.send('PUT', '/members/second', { token: fixture.owner, body: { roles: ['owner'], blocked: true } });
    expect(await code({ token: second })).toBe('403 FORBIDDEN');
    const third = await fixture.memberWith('owner', 'third');
    await fixture.send('POST', '/revocations', { token: fixture.owner, body: { sub: 'third' } });
    expect(await code({ token: third })).toBe('401 INVALID_TOKEN');
  });

  it('refuses the token of a withdrawn key at once', async () => {
    const own = await openAdmin();
    expect((await own.send('GET', '/roles', { token: own.owner })).statusCode).toBe(200);
    const [key] = await own.iam.listKeys();
    await own.iam.withdrawKey(key!.kid);
    expect(errorOf(await own.send('GET', '/roles', { token: own.owner }))).toContain('401 INVALID_TOKEN');
    await own.close();
  });
});

describe('the shape of answers', () => {
  it('is the table of error codes, with the id of the request', async () => {
    const response = await fixture.send('GET', '/roles');
    expect(response.json()).toMatchObject({
      error: 'Unauthorized',
      code: 'MISSING_TOKEN',
      recoverable: false,
      requestId: expect.stringMatching(/^req_/),
    });
  });

  it('tells an unknown path from a wrong method', async () => {
    expect(errorOf(await fixture.send('GET', '/nonsense', { token: fixture.owner }))).toContain('404 NOT_FOUND');
    const response = await fixture.send('PATCH', '/roles/x', { token: fixture.owner, body: {} });
    expect(errorOf(response)).toContain('405 METHOD_NOT_ALLOWED');
    expect(response.headers.allow).toBe('DELETE, GET, HEAD, PUT');
    expect((await fixture.send('POST', '/members', {})).statusCode).toBe(405);
  });

  it('names an unknown, repeated or wrong field, and never what it held', async () => {
    const token = fixture.owner;
    const put = async (body: unknown): Promise<string> =>
      errorOf(await fixture.send('PUT', '/members/ann', { token, body }));
    expect(await put({ roles: ['viewer'], colour: 'hush' })).toBe('400 BAD_REQUEST: colour: is not known here.');
    expect(await put('{"roles":["viewer"],"roles":["owner"]}')).toBe('400 BAD_REQUEST: The body names a field twice.');
    expect(await put({ roles: 'hush' })).toMatch(/^400 BAD_REQUEST: roles: /);
    expect(await put({ roles: ['ha ha hush'] })).toMatch(/^400 BAD_REQUEST: roles\.0: must match/);
    expect(await put({ roles: [], 'hush <script>': 1 })).toBe('400 BAD_REQUEST: a field: is not known here.');
    expect(await put('{"roles":[],"__proto__":{"x":1}}')).toContain('400 BAD_REQUEST');
    expect(await put('hush')).toBe('400 BAD_REQUEST: The body is not JSON.');
    for (const body of [{ roles: 'hush' }, { roles: ['ha ha hush'] }]) expect(await put(body)).not.toContain('hush');
    expect((await fixture.send('GET', '/members/ann', { token })).statusCode).toBe(404);
  });

  it('refuses unknown and repeated query parameters', async () => {
    const { owner: token } = fixture;
    expect(errorOf(await fixture.send('GET', '/members?x=1', { token }))).toBe(
      '400 BAD_REQUEST: x: is not known here.',
    );
    expect(errorOf(await fixture.send('GET', '/members?limit=1&limit=2', { token }))).toMatch(
      /400 BAD_REQUEST: limit:/,
    );
    for (const limit of ['0', '501', '-1', '1e2', '', '01']) {
      expect(errorOf(await fixture.send('GET', `/members?limit=${limit}`, { token }))).toContain('400 BAD_REQUEST');
    }
    expect(errorOf(await fixture.send('GET', '/members?after=nonsense', { token }))).toContain('400 BAD_REQUEST');
  });

  it('takes JSON only, and little of it', async () => {
    const { owner: token } = fixture;
    const form = { token, body: 'roles=viewer', headers: { 'content-type': 'application/x-www-form-urlencoded' } };
    expect(errorOf(await fixture.send('PUT', '/members/ann', form))).toContain('Content-Type must be application/json');
    const big = { token, body: { roles: [], blocked: 'x'.repeat(70_000) } };
    expect(errorOf(await fixture.send('PUT', '/members/ann', big))).toContain('413 PAYLOAD_TOO_LARGE');
    const deep = { token, body: `${'['.repeat(100)}${']'.repeat(100)}` };
    expect(errorOf(await fixture.send('PUT', '/members/ann', deep))).toContain('400 BAD_REQUEST');
    expect(errorOf(await fixture.send('DELETE', '/members/ann', { token, body: { x: 1 } }))).toContain(
      '400 BAD_REQUEST',
    );
  });

  it('is never cached or sniffed', async () => {
    const { headers } = await fixture.send('GET', '/roles', { token: fixture.owner });
    expect(headers['cache-control']).toBe('no-store');
    expect(headers['x-content-type-options']).toBe('nosniff');
  });
});
