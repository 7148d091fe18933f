import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { allow, gatewayOf, lineOf, NOW, SUB, tokenOf } from './gateway.fixture.ts';

type World = Awaited<ReturnType<typeof gatewayOf>>;
let world: World;
afterEach(() => world.close());

const bearer = async (claims: Record<string, unknown> = {}): Promise<Record<string, string>> => ({
  Authorization: `Bearer ${await tokenOf(claims)}`,
});
const make = async (claims: Record<string, unknown> = {}): Promise<Response> =>
  (await world.send({ method: 'POST', headers: await bearer(claims) }, 'tickets')) as Response;
const ticketOf = async (claims: Record<string, unknown> = {}): Promise<string> =>
  ((await (await make(claims)).json()) as { ticket: string }).ticket;
const redeem = async (query: string, workspace = 'acme'): Promise<string> =>
  lineOf(await world.send({ query }, 'events', workspace));

describe('a ticket', () => {
  it('is 256 bits for 60 s, kept as a hash with what the token said, never with the token', async () => {
    world = await gatewayOf();
    const claims = { cred: 'cr_1', sid: 's1', scope: 'realtime:subscribe', plan: 'gold', nested: { a: 1 } };
    const reply = await make(claims);
    expect([reply.status, reply.headers.get('cache-control')]).toEqual([201, 'no-store']);
    const { ticket, expiresIn } = (await reply.json()) as { ticket: string; expiresIn: number };
    expect(Buffer.from(ticket, 'base64url')).toHaveLength(32);
    expect(expiresIn).toBe(60);
    const [[hash, record] = []] = world.tickets;
    expect(hash).toBe(createHash('sha256').update(ticket).digest('hex'));
    expect(record).toMatchObject({
      workspace: 'acme',
      provider: 'centrali',
      sub: SUB,
      kid: 'k1',
      jti: 'jti-1',
      cred: 'cr_1',
      sid: 's1',
      iat: NOW - 10,
      expiresAt: (NOW + 600) * 1000,
      scope: ['realtime:subscribe'],
      claims: { plan: 'gold' },
    });
    expect(JSON.stringify(record)).not.toContain(await tokenOf(claims));
    expect(record?.claims).not.toHaveProperty('nested');
  });

  it('opens one stream that is bound to what its token was bound to, after asking IAM about that token', async () => {
    world = await gatewayOf();
    world.behind.check = allow([{ filter: 'data.plan:{claims.plan}' }]);
    const ticket = await ticketOf({ cred: 'cr_1', plan: 'gold' });
    expect(await redeem(`ticket=${ticket}&structures=order`)).toBe('200 stream');
    const [made, redeemed] = world.seen.checks;
    expect(redeemed).toEqual(made);
    const [{ access, selection } = {}] = world.seen.streams;
    expect(access).toMatchObject({ token: { jti: 'jti-1', cred: 'cr_1', expiresAt: (NOW + 600) * 1000 } });
    expect(access?.placeholders.get('claims.plan')).toBe('gold');
    expect(selection?.structures).toEqual(['order']);
    expect(await redeem(`ticket=${ticket}`)).toBe('401 INVALID_TOKEN invalid_token');
    expect(world.seen.streams).toHaveLength(1);
  });

  it('dies with its token', async () => {
    world = await gatewayOf();
    const reply = await make({ exp: NOW + 30 });
    const { ticket, expiresIn } = (await reply.json()) as { ticket: string; expiresIn: number };
    expect(expiresIn).toBe(30);
    world.behind.clock = (NOW + 30) * 1000;
    expect(await redeem(`ticket=${ticket}`)).toBe('401 INVALID_TOKEN invalid_token');
    world.behind.clock = NOW * 1000;
    const other = await ticketOf();
    world.behind.check = () => ({ decision: 'revoked', revision: 1, reason: 'token_revoked' });
    expect(await redeem(`ticket=${other}`)).toBe('401 INVALID_TOKEN invalid_token');
    // It is spent all the same.
    world.behind.check = allow();
    expect(await redeem(`ticket=${other}`)).toBe('401 INVALID_TOKEN invalid_token');
  });

  it('is refused alike when unknown, spent or no ticket at all', async () => {
    world = await gatewayOf();
    const spent = await ticketOf();
    await redeem(`ticket=${spent}`);
    const answers = new Set<string>();
    for (const ticket of [spent, 'A'.repeat(43), 'x', 'é', `${spent}=`, 'a'.repeat(9000)]) {
      const reply = (await world.send({ query: new URLSearchParams({ ticket }).toString() })) as Response;
      answers.add(JSON.stringify([reply.status, [...reply.headers], await reply.text()]));
    }
    expect(answers.size).toBe(1);
    expect([...answers][0]).toContain('INVALID_TOKEN');
  });

  it('counts as a credential: two are refused, and neither is spent', async () => {
    world = await gatewayOf();
    const ticket = await ticketOf();
    const line = '400 BAD_REQUEST invalid_request';
    expect(await redeem(`ticket=${ticket}&access_token=${await tokenOf()}`)).toBe(line);
    expect(await redeem(`ticket=${ticket}&ticket=${ticket}`)).toBe(line);
    const both = { query: `ticket=${ticket}`, headers: await bearer() };
    expect(await lineOf(await world.send(both))).toBe(line);
    expect(await redeem(`ticket=${ticket}&unknown=1`)).toBe('400 BAD_REQUEST');
    expect(await redeem(`ticket=${ticket}&filter=:`)).toBe('400 INVALID_FILTER');
    expect(await redeem(`ticket=&access_token=${await tokenOf()}`)).toBe('200 stream');
    expect(await redeem(`ticket=${ticket}`)).toBe('200 stream');
  });

  it('is for its workspace, and spent on any other', async () => {
    world = await gatewayOf();
    const ticket = await ticketOf({ workspaces: ['acme', 'other'] });
    expect(await redeem(`ticket=${ticket}`, 'other')).toBe('403 WORKSPACE_MISMATCH insufficient_scope');
    expect(await redeem(`ticket=${ticket}`)).toBe('401 INVALID_TOKEN invalid_token');
  });

  it('is read on the stream alone', async () => {
    world = await gatewayOf();
    const ticket = await ticketOf();
    const post = { method: 'POST', query: `ticket=${ticket}` };
    expect(await lineOf(await world.send(post))).toBe('401 MISSING_TOKEN');
    expect(await lineOf(await world.send(post, 'tickets'))).toBe('401 MISSING_TOKEN');
    const list = { query: `ticket=${ticket}`, headers: await bearer() };
    expect(await lineOf(await world.send(list, 'connections'))).toBe('400 BAD_REQUEST');
    expect(await redeem(`ticket=${ticket}`)).toBe('200 stream');
  });

  it('is not made for who could not subscribe, nor by a token in the URL, nor when there is no room', async () => {
    world = await gatewayOf();
    const inQuery = { method: 'POST', query: `access_token=${await tokenOf()}` };
    expect(await lineOf(await world.send(inQuery, 'tickets'))).toBe('401 MISSING_TOKEN');
    expect(await lineOf(await make({ exp: NOW }))).toBe('401 TOKEN_EXPIRED invalid_token');
    world.behind.full = true;
    const full = await make();
    expect([full.status, full.headers.get('retry-after')]).toEqual([429, '30']);
    world.behind.check = () => ({ decision: 'forbidden', revision: 1, reason: 'no_role' });
    expect(await lineOf(await make())).toBe('403 FORBIDDEN insufficient_scope');
    expect(world.tickets.size).toBe(0);
  });

  it('leaves a row of who got one, without it', async () => {
    world = await gatewayOf();
    const ticket = await ticketOf();
    await world.gateway.close();
    expect(world.seen.audit).toEqual([
      expect.objectContaining({ kind: 'connect', reason: 'ticket_made', sub: SUB, jti: 'jti-1' }),
    ]);
    expect(JSON.stringify(world.seen.audit)).not.toContain(ticket);
  });
});
