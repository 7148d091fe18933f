import { afterEach, describe, expect, it } from 'vitest';
import { BrokerUnavailable, IdempotencyConflict } from './broker/port.ts';
import { allow, gatewayOf, lineOf, NOW, type RequestInit, SUB, tokenOf } from './gateway.fixture.ts';

type World = Awaited<ReturnType<typeof gatewayOf>>;
let world: World;
afterEach(() => world.close());

const order = { event: 'record_created', recordSlug: 'order', recordId: '1', data: { total: 5, region: 'eu' } };

async function post(body: unknown, headers: Record<string, string> = {}, more: RequestInit = {}) {
  return world.send({
    method: 'POST',
    headers: { Authorization: `Bearer ${await tokenOf()}`, 'Content-Type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...more,
  });
}

const stored = (): unknown[] =>
  world.seen.batches.flatMap(({ events }) => events.map((json) => JSON.parse(json) as unknown));

describe('publishing', () => {
  it('asks for realtime:publish, completes the events and answers 202 with the ids', async () => {
    world = await gatewayOf();
    const reply = await post([
      order,
      { event: 'ping', timestamp: '2020-01-01T00:00:00Z', workspaceSlug: 'acme', createdBy: SUB },
    ]);
    expect(reply.status).toBe(202);
    expect(await (reply as Response).json()).toEqual({ ids: ['id-0', 'id-1'] });
    expect((reply as Response).headers.get('cache-control')).toBe('no-store');
    expect(world.seen.checks).toMatchObject([
      { workspace: 'acme', permission: 'realtime:publish', provider: 'centrali', sub: SUB },
    ]);
    expect(stored()).toEqual([
      { ...order, workspaceSlug: 'acme', timestamp: new Date(NOW * 1000).toISOString(), createdBy: SUB },
      { event: 'ping', workspaceSlug: 'acme', timestamp: '2020-01-01T00:00:00Z', createdBy: SUB },
    ]);
  });

  it('stores JSON texts without line ends, whatever the data holds', async () => {
    world = await gatewayOf();
    await post({ event: 'ping', data: { text: 'a\r\nb\u2028c\uD800', __proto__x: 1 } });
    expect(world.seen.batches[0]?.events[0]).not.toMatch(/[\r\n]/);
    expect(world.seen.batches[0]?.events[0]).toContain('\\ud800');
  });

  it('refuses the whole request for one bad event, and stores nothing', async () => {
    world = await gatewayOf();
    for (const bad of [{ event: 'system' }, { ...order, workspaceSlug: 'other' }, 7]) {
      expect(await lineOf(await post([order, bad]))).toBe('400 BAD_REQUEST');
    }
    expect(world.seen.batches).toEqual([]);
  });

  it('does not read a token or anything else from the query', async () => {
    world = await gatewayOf();
    expect(await lineOf(await post(order, {}, { query: `access_token=${await tokenOf()}` }))).toBe('400 BAD_REQUEST');
    const query = `access_token=${await tokenOf()}`;
    expect(
      await lineOf(await world.send({ method: 'POST', query, headers: { 'Content-Type': 'application/json' } })),
    ).toBe('401 MISSING_TOKEN');
    expect(world.seen.checks).toEqual([]);
  });

  it('refuses what is not JSON before it asks IAM, and reads the body after', async () => {
    world = await gatewayOf();
    expect(await lineOf(await post(order, { 'Content-Type': 'text/plain' }))).toBe('400 BAD_REQUEST');
    expect(world.seen.checks).toEqual([]);
    world.behind.check = async () => Promise.reject(new Error('down'));
    expect(await lineOf(await post('not json'))).toBe('503 AUTH_ERROR');
  });
});

describe('publishing as another', () => {
  it('needs realtime:publish-as', async () => {
    world = await gatewayOf();
    expect(await lineOf(await post({ ...order, createdBy: 'someone' }))).toBe('403 FORBIDDEN insufficient_scope');
    world.behind.check = allow([{}], ['realtime:publish-as']);
    expect((await post({ ...order, createdBy: 'someone' })).status).toBe(202);
    expect(stored()).toMatchObject([{ createdBy: 'someone' }]);
  });
});

describe('publish grants', () => {
  it.each([
    ['a structure', { structures: ['invoice'] }, { structures: ['order'] }],
    ['events', { events: ['record_updated'] }, { events: ['record_created'] }],
    ['a filter', { filter: 'data.region:us' }, { filter: 'data.region:eu' }],
    ['a filter with the sub', { filter: 'data.total:{sub}' }, { filter: 'createdBy:{sub}' }],
  ])('bind the publisher to %s', async (_what, other, same) => {
    world = await gatewayOf();
    world.behind.check = allow([other]);
    expect(await lineOf(await post(order))).toBe('403 FORBIDDEN insufficient_scope');
    world.behind.check = allow([other, same]);
    expect((await post(order)).status).toBe(202);
  });

  it('are void when a placeholder has no value or the filter cannot be read', async () => {
    world = await gatewayOf();
    for (const filter of ['NOT data.region:{claims.region}', 'data.region:']) {
      world.behind.check = allow([{ filter }]);
      expect(await lineOf(await post(order))).toBe('403 FORBIDDEN insufficient_scope');
    }
  });

  it('for structures do not cover an event about none', async () => {
    world = await gatewayOf();
    world.behind.check = allow([{ structures: ['order'] }]);
    expect(await lineOf(await post({ event: 'ping' }))).toBe('403 FORBIDDEN insufficient_scope');
  });
});

describe('idempotency', () => {
  const keys = (): unknown[] => world.seen.batches.map(({ idempotency }) => idempotency);

  it('hashes workspace, principal and key, and what was sent', async () => {
    world = await gatewayOf();
    await post(order, { 'Idempotency-Key': 'a' });
    world.behind.clock += 1000;
    await post(JSON.stringify(order), { 'Idempotency-Key': 'a' });
    await post({ ...order, recordId: '2' }, { 'Idempotency-Key': 'a' });
    await post(order, { 'Idempotency-Key': 'b' });
    await post({ ...order, id: 'a' });
    const [first, again, otherBody, otherKey, byId] = world.seen.batches.map(({ idempotency }) => idempotency);
    expect(again).toEqual(first);
    expect(otherBody?.key).toBe(first?.key);
    expect(otherBody?.bodyHash).not.toBe(first?.bodyHash);
    expect(otherKey?.key).not.toBe(first?.key);
    expect(byId?.key).not.toBe(first?.key);
    expect(JSON.stringify(keys())).not.toContain('"a"');
  });

  it('is the same for an array and for lines', async () => {
    world = await gatewayOf();
    await post([order, order], { 'Idempotency-Key': 'a' });
    await post(`${JSON.stringify(order)}\n${JSON.stringify(order)}`, {
      'Idempotency-Key': 'a',
      'Content-Type': 'application/x-ndjson',
    });
    expect(keys()[1]).toEqual(keys()[0]);
  });

  it('keeps principals apart', async () => {
    world = await gatewayOf();
    await post(order, { 'Idempotency-Key': 'a' });
    await post(order, { 'Idempotency-Key': 'a', Authorization: `Bearer ${await tokenOf({ sub: 'u1' })}` });
    expect(world.seen.batches[0]?.idempotency?.key).not.toBe(world.seen.batches[1]?.idempotency?.key);
  });

  it('is not asked for by default, and not twice', async () => {
    world = await gatewayOf();
    await post(order);
    expect(keys()).toEqual([undefined]);
    expect(await lineOf(await post({ ...order, id: 'a' }, { 'Idempotency-Key': 'a' }))).toBe('400 BAD_REQUEST');
  });
});

describe('the log', () => {
  it.each([
    ['was given another body', () => Promise.reject(new IdempotencyConflict()), '409 CONFLICT'],
    ['is away', () => Promise.reject(new BrokerUnavailable()), '503 UNAVAILABLE'],
    ['has a fault', () => Promise.reject(new Error('bug')), '500 INTERNAL_ERROR'],
  ])('%s', async (_what, append, line) => {
    world = await gatewayOf();
    world.behind.append = append;
    expect(await lineOf(await post(order))).toBe(line);
  });
});
