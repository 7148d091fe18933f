import { afterEach, describe, expect, it } from 'vitest';
import type { Access } from './access/access.ts';
import { Bound } from './access/bound.ts';
import type { Delivery, StreamInfo } from './delivery/port.ts';
import { allow, gatewayOf, lineOf, NOW, SUB, tokenOf } from './gateway.fixture.ts';

type World = Awaited<ReturnType<typeof gatewayOf>>;
let world: World;
afterEach(() => world.close());

/** A gateway with one open stream `cn_1`, on a token that dies in 10 minutes. */
async function worldWithStream(change: { workspace?: string; provider?: string; sub?: string; kind?: 'user' } = {}) {
  const { workspace = 'acme', provider = 'centrali', sub = SUB, kind = 'service' } = change;
  const access = {
    permission: 'realtime:subscribe',
    workspace,
    principal: { provider, kind, sub },
    roles: ['viewer'],
    token: { kid: 'k1', iat: NOW - 10, expiresAt: (NOW + 600) * 1000 },
  } as Pick<StreamInfo['access'], 'workspace'> as StreamInfo['access'];
  const hold = new Bound(access, { lastFrameAt: 0 }, 0);
  hold.connectionId = 'cn_1';
  const streams = new Map<string, StreamInfo>([
    [
      'cn_1',
      {
        connectionId: 'cn_1',
        serial: 1,
        access,
        hold,
        address: '192.0.2.1',
        requestId: 'req_0',
        openedAt: NOW * 1000,
        unsentBytes: 0,
        state: 'live',
      },
    ],
  ]);
  const redecided: [string, Access, string][] = [];
  const delivery: Delivery = {
    openStream: () => Promise.reject(new Error('none here')),
    end: (id) => streams.delete(id),
    redecide: (id, access, told) => redecided.push([id, access, told]) > 0,
    find: (id) => streams.get(id),
    list: () => streams.values(),
    drain: async () => {},
    close: async () => {},
    streams: 1,
  };
  world = await gatewayOf({ delivery });
  const renew = async (claims: Record<string, unknown> = {}, id = 'cn_1', more: object = {}): Promise<string> => {
    const token = await tokenOf({ iat: NOW, exp: NOW + 900, jti: 'jti-2', ...claims });
    const headers = { Authorization: `Bearer ${token}` };
    const reply = (await world.send({ method: 'POST', headers, ...more }, `connections/${id}/token`)) as Response;
    return reply.status === 204 ? '204' : lineOf(reply);
  };
  return { streams, redecided, renew };
}

describe('renewal in place', () => {
  it('puts the new decision in the place of the old one, and records it', async () => {
    const { redecided, renew } = await worldWithStream();
    world.behind.check = allow([{ filter: 'data.n:1' }]);
    expect(await renew()).toBe('204');
    expect(redecided).toEqual([
      [
        'cn_1',
        expect.objectContaining({
          permission: 'realtime:subscribe',
          grants: [{ permission: 'realtime:subscribe', filter: 'data.n:1' }],
          token: expect.objectContaining({ jti: 'jti-2', expiresAt: (NOW + 900) * 1000 }),
        }),
        'renewed',
      ],
    ]);
    await world.gateway.close();
    expect(world.seen.audit).toEqual([
      expect.objectContaining({ kind: 'connect', reason: 'renewed', connectionId: 'cn_1', jti: 'jti-2', sub: SUB }),
    ]);
  });

  it('takes a token with the same times: a retry of a renewal that was answered too late', async () => {
    const { renew } = await worldWithStream();
    expect(await renew({ iat: NOW - 10, exp: NOW + 600 })).toBe('204');
  });

  it.each([
    ['an older one', { iat: NOW - 11 }],
    ['one that dies before', { exp: NOW + 599 }],
  ])('refuses %s with CONFLICT and leaves the stream alone', async (_name, claims) => {
    const { redecided, renew } = await worldWithStream();
    expect(await renew(claims)).toBe('409 CONFLICT');
    expect(redecided).toEqual([]);
    expect(world.seen.checks).toEqual([]);
  });

  it('answers alike for a stream that is unknown, of another workspace, provider, principal or kind', async () => {
    const answers = new Set<string>();
    const note = async (
      renew: (claims?: Record<string, unknown>, id?: string) => Promise<string>,
      id?: string,
    ): Promise<void> => {
      answers.add(await renew({}, id));
      await world.close();
    };
    await note((await worldWithStream()).renew, 'cn_2');
    for (const change of [{ workspace: 'other' }, { provider: 'pr_1' }, { sub: 'ann' }, { kind: 'user' as const }]) {
      const { redecided, renew } = await worldWithStream(change);
      await note(renew);
      expect(redecided).toEqual([]);
    }
    expect([...answers]).toEqual(['404 NOT_FOUND']);
  });

  it('judges the new token like any other, and the stream stays as it is', async () => {
    const { redecided, renew } = await worldWithStream();
    expect(await renew({ exp: NOW - 1, iat: NOW - 100 })).toBe('401 TOKEN_EXPIRED invalid_token');
    expect(await renew({ workspaces: ['other'] })).toBe('403 WORKSPACE_MISMATCH insufficient_scope');
    world.behind.check = () => ({ decision: 'revoked', revision: 1, reason: 'token_revoked' });
    expect(await renew()).toBe('401 INVALID_TOKEN invalid_token');
    world.behind.check = () => ({ decision: 'forbidden', revision: 1, reason: 'no_role' });
    expect(await renew()).toBe('403 FORBIDDEN insufficient_scope');
    world.behind.check = () => Promise.reject(new Error('down'));
    expect(await renew()).toBe('503 AUTH_ERROR');
    expect(redecided).toEqual([]);
  });

  it('takes the token from the header only, no parameter and no body', async () => {
    const { renew } = await worldWithStream();
    const token = await tokenOf({ iat: NOW, exp: NOW + 900 });
    const bare = { method: 'POST', query: `access_token=${token}` };
    expect(await lineOf(await world.send(bare, 'connections/cn_1/token'))).toBe('401 MISSING_TOKEN');
    expect(await renew({}, 'cn_1', { query: 'x=1' })).toBe('400 BAD_REQUEST');
    const headers = { Authorization: `Bearer ${token}`, 'Content-Length': '2' };
    expect(await renew({}, 'cn_1', { headers })).toBe('400 BAD_REQUEST');
  });

  it('touches nothing when the stream ends, or a revocation comes, while IAM is asked', async () => {
    const { streams, redecided, renew } = await worldWithStream();
    const revocation = { workspace: 'acme', provider: 'centrali', jti: 'jti-2' };
    world.behind.check = async (request) => {
      await world.change({ type: 'change', revision: 1, change: { kind: 'revocation', revocation } });
      return allow()(request) as never;
    };
    expect(await renew()).toBe('401 INVALID_TOKEN invalid_token');
    world.behind.check = (request) => {
      streams.clear();
      return allow()(request);
    };
    expect(await renew({ jti: 'jti-3' })).toBe('404 NOT_FOUND');
    expect(redecided).toEqual([]);
  });
});
