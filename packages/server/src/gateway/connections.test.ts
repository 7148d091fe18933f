import { afterEach, describe, expect, it } from 'vitest';
import type { Delivery, StreamEnding, StreamInfo } from './delivery/port.ts';
import { gatewayOf, lineOf, NOW, SUB, tokenOf } from './gateway.fixture.ts';

type World = Awaited<ReturnType<typeof gatewayOf>>;
let world: World;
afterEach(() => world.close());

/** A stream of the list, as far as the routes look at it. */
function streamOf(serial: number, workspace = 'acme'): StreamInfo {
  return {
    connectionId: `cn_${serial}`,
    hold: { until: Number.POSITIVE_INFINITY },
    serial,
    access: {
      workspace,
      principal: { provider: 'pr_1', kind: 'user', sub: `u${serial}` },
      token: { expiresAt: (NOW + 60) * 1000 },
    } as StreamInfo['access'],
    address: '192.0.2.9',
    requestId: `req_${serial}`,
    openedAt: NOW * 1000,
    unsentBytes: 7,
    state: 'live',
  };
}

async function worldWith(streams: readonly StreamInfo[]): Promise<{ ended: [string, StreamEnding][] }> {
  const ended: [string, StreamEnding][] = [];
  const delivery: Delivery = {
    openStream: () => Promise.reject(new Error('none here')),
    end: (id, ending) => ended.push([id, ending]) > 0,
    find: (id) => streams.find(({ connectionId }) => connectionId === id),
    redecide: () => false,
    list: (workspace) => streams.filter(({ access }) => access.workspace === workspace),
    drain: async () => {},
    close: async () => {},
    streams: streams.length,
  };
  world = await gatewayOf({ delivery });
  return { ended };
}

const headers = async (): Promise<Record<string, string>> => ({ Authorization: `Bearer ${await tokenOf()}` });

describe('GET connections', () => {
  it('lists the streams of the workspace, page by page, with nothing secret', async () => {
    await worldWith([streamOf(1), streamOf(2, 'other'), streamOf(3), streamOf(4)]);
    const page = async (query: string) =>
      ((await world.send({ query, headers: await headers() }, 'connections')) as Response).json();
    const first = (await page('limit=2')) as { items: { id: string }[]; next: string };
    expect(first.items[0]).toEqual({
      id: 'cn_1',
      principal: 'pr_1:u1',
      kind: 'user',
      clientId: null,
      address: '192.0.2.9',
      openedAt: '2026-01-01T00:00:00.000Z',
      expiresAt: '2026-01-01T00:01:00.000Z',
      state: 'live',
      unsentBytes: 7,
      requestId: 'req_1',
    });
    expect(first).toMatchObject({ items: [{ id: 'cn_1' }, { id: 'cn_3' }], partial: false });
    expect(await page(`limit=2&after=${first.next}`)).toMatchObject({ items: [{ id: 'cn_4' }], next: null });
    expect(world.seen.checks[0]).toMatchObject({ permission: 'realtime:connections' });
  });

  it('refuses what it does not understand, and who may not', async () => {
    await worldWith([streamOf(1)]);
    for (const query of ['limit=0', 'limit=1001', 'limit=x', 'after=-1', 'unknown=1', 'limit=1&limit=2'])
      expect(await lineOf(await world.send({ query, headers: await headers() }, 'connections'))).toBe(
        '400 BAD_REQUEST',
      );
    expect(await lineOf(await world.send({ query: `access_token=${await tokenOf()}` }, 'connections'))).toBe(
      '401 MISSING_TOKEN',
    );
    world.behind.check = () => ({ decision: 'forbidden', revision: 1, reason: 'permission_missing' });
    expect(await lineOf(await world.send({ headers: await headers() }, 'connections'))).toBe(
      '403 FORBIDDEN insufficient_scope',
    );
  });
});

describe('DELETE connections/{id}', () => {
  it('closes a stream of the workspace and records who did it', async () => {
    const { ended } = await worldWith([streamOf(1)]);
    const reply = (await world.send({ method: 'DELETE', headers: await headers() }, 'connections/cn_1')) as Response;
    expect(reply.status).toBe(204);
    expect(ended).toEqual([['cn_1', { kind: 'closing', reason: 'closed' }]]);
    await world.gateway.close();
    expect(world.seen.audit).toEqual([
      expect.objectContaining({ kind: 'close', reason: 'closed_by_request', sub: SUB, connectionId: 'cn_1' }),
    ]);
  });

  it('answers for a stream of another workspace as for none, byte for byte', async () => {
    const { ended } = await worldWith([streamOf(1, 'other')]);
    const answers = await Promise.all(
      ['cn_1', 'cn_2', '%00'].map(async (id) => {
        const reply = await world.send({ method: 'DELETE', headers: await headers() }, `connections/${id}`);
        return [(reply as Response).status, await (reply as Response).text()];
      }),
    );
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]?.[0]).toBe(404);
    expect(ended).toEqual([]);
  });
});

it('refuses a connection route of an unknown shape as no route', async () => {
  await worldWith([]);
  expect(await lineOf(await world.send({ headers: await headers() }, 'connections/a/b'))).toBe('404 NOT_FOUND');
  expect(await lineOf(await world.send({ method: 'PUT', headers: await headers() }, 'connections/a'))).toBe(
    '405 METHOD_NOT_ALLOWED',
  );
});

it('shows one open stream, and of another workspace none', async () => {
  await worldWith([streamOf(1), streamOf(2, 'other')]);
  const shown = (await world.send({ headers: await headers() }, 'connections/cn_1')) as Response;
  expect(await shown.json()).toMatchObject({ id: 'cn_1', principal: 'pr_1:u1', state: 'live' });
  for (const id of ['cn_2', 'cn_3'])
    expect(await lineOf(await world.send({ headers: await headers() }, `connections/${id}`))).toBe('404 NOT_FOUND');
});
