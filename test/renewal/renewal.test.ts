// Renewal in place against the built command: what the HTTP contract promises of it, and what the SDK makes of it.
import { CentraliSDK } from '@centrali-io/centrali-sdk';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { admin, adminOk, bearer, devToken, eventsUrl, order, publish, serviceToken } from '../support/api.ts';
import { type Dev, startDev } from '../support/centrali.ts';
import { type EventStream, openStream } from '../support/event-stream.ts';
import { claimsOf } from '../support/forge.ts';
import { until } from '../support/wait.ts';

let dev: Dev;
beforeAll(async () => {
  dev = await startDev();
});
afterAll(() => dev?.stop());

const connectionsUrl = (rest: string): string => `${eventsUrl(dev).replace(/events$/, 'connections')}${rest}`;

/** Opens a stream for a user; the stream and its id. */
async function open(token: string): Promise<{ stream: EventStream; id: string }> {
  const stream = await openStream(eventsUrl(dev), { headers: bearer(token) });
  const { json } = await stream.system('connected');
  return { stream, id: json.connectionId };
}

async function renew(id: string, token: string, init: RequestInit = {}): Promise<{ status: number; code?: string }> {
  const response = await fetch(connectionsUrl(`/${id}/token`), { method: 'POST', headers: bearer(token), ...init });
  const text = await response.text();
  return { status: response.status, ...(text === '' ? {} : { code: JSON.parse(text).code as string }) };
}

/** For what only the passing of time brings about. */
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Resolves at the beginning of the next second, so that the next token has another `iat`. */
const nextSecond = (): Promise<void> => pause(1010 - (Date.now() % 1000));

describe('POST connections/{id}/token', () => {
  test('keeps the stream open past the end of its first token, and says so on it', async () => {
    const { stream, id } = await open(await devToken(dev, { sub: 'rita', role: 'viewer', ttl: 4 }));
    const expiring = await stream.system('expiring');
    expect(Date.parse(expiring.json.at) - Date.now()).toBeGreaterThan(0);
    const next = await devToken(dev, { sub: 'rita', ttl: 60 });
    expect(await renew(id, next)).toEqual({ status: 204 });
    const renewed = await stream.system('renewed');
    const { exp } = JSON.parse(Buffer.from(next.split('.')[1] ?? '', 'base64url').toString());
    expect(renewed).toMatchObject({ id: undefined, json: { tokenExpiresAt: new Date(exp * 1000).toISOString() } });
    await pause(Date.parse(expiring.json.at) - Date.now() + 300);
    await publish(dev, await serviceToken(dev), order('after-the-first-token'));
    expect((await stream.message()).json.recordId).toBe('after-the-first-token');
    stream.close();
  });

  test('an unrenewed stream ends at exp', async () => {
    const { stream } = await open(await devToken(dev, { sub: 'rita', role: 'viewer', ttl: 2 }));
    expect((await stream.system('error')).json).toMatchObject({ code: 'TOKEN_EXPIRED', recoverable: true });
    await stream.end();
  });

  test('CONFLICT for an older token or one that dies before; the stream goes on', async () => {
    const older = await devToken(dev, { sub: 'rita', role: 'viewer', ttl: 600 });
    await nextSecond();
    const { stream, id } = await open(await devToken(dev, { sub: 'rita', ttl: 300 }));
    expect(await renew(id, older)).toEqual({ status: 409, code: 'CONFLICT' });
    expect(await renew(id, await devToken(dev, { sub: 'rita', ttl: 30 }))).toEqual({ status: 409, code: 'CONFLICT' });
    await publish(dev, await serviceToken(dev), order('still-here'));
    expect((await stream.message()).json.recordId).toBe('still-here');
    expect(stream.text()).not.toContain('renewed');
    stream.close();
  });

  test("one identical NOT_FOUND for unknown ids, another user's stream, and one of another kind of token", async () => {
    const { stream, id } = await open(await devToken(dev, { sub: 'rita', role: 'viewer' }));
    const other = await devToken(dev, { sub: 'otto', role: 'owner' });
    const answers = [];
    for (const [name, token] of [
      [id, other],
      [id, await serviceToken(dev)],
      ['cn_00000000000000000000000000000000', other],
      ['x', other],
      ['%2e%2e', other],
    ] as const) {
      const response = await fetch(connectionsUrl(`/${name}/token`), { method: 'POST', headers: bearer(token) });
      const { requestId: _, ...body } = (await response.json()) as { requestId: string };
      answers.push(JSON.stringify([response.status, body, response.headers.get('www-authenticate')]));
    }
    expect(new Set(answers).size).toBe(1);
    expect(answers[0]).toContain('NOT_FOUND');
    stream.close();
  });

  test('a token that is revoked, out of rights, in the query, or not there renews nothing', async () => {
    const { stream, id } = await open(await devToken(dev, { sub: 'rita', role: 'viewer' }));
    await nextSecond();
    const token = await devToken(dev, { sub: 'rita' });
    const { jti } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    await adminOk(dev, 'POST', 'revocations', { jti });
    expect(await renew(id, token)).toEqual({ status: 401, code: 'INVALID_TOKEN' });
    const good = await devToken(dev, { sub: 'rita' });
    expect(await renew(id, good, { headers: {} })).toEqual({ status: 401, code: 'MISSING_TOKEN' });
    const response = await fetch(connectionsUrl(`/${id}/token?access_token=${good}`), { method: 'POST' });
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([401, 'MISSING_TOKEN']);
    expect(await renew(id, good, { body: '{}' })).toEqual({ status: 400, code: 'BAD_REQUEST' });
    expect(await renew(id, good)).toEqual({ status: 204 });
    await stream.system('renewed');
    stream.close();
  });

  test.each(['first', 'second'])(
    'a stream stays bound to each token that it has lived on: the %s is revoked',
    async (which) => {
      const first = await devToken(dev, { sub: 'nora', role: 'viewer', ttl: 60 });
      const { stream, id } = await open(first);
      await nextSecond();
      const second = await devToken(dev, { sub: 'nora', ttl: 120 });
      expect(await renew(id, second)).toEqual({ status: 204 });
      await adminOk(dev, 'POST', 'revocations', { jti: claimsOf(which === 'first' ? first : second).jti });
      expect((await stream.system('error')).json.code).toBe('INVALID_TOKEN');
      await stream.end();
    },
  );

  test('the grants of the moment of renewal hold from then on', async () => {
    await adminOk(dev, 'PUT', 'roles/small', {
      grants: [{ permission: 'realtime:subscribe', filter: 'data.n:lt:10' }],
    });
    const { stream, id } = await open(await devToken(dev, { sub: 'gina', role: 'viewer' }));
    await adminOk(dev, 'PUT', 'members/gina', { roles: ['small'] });
    await nextSecond();
    expect(await renew(id, await devToken(dev, { sub: 'gina' }))).toEqual({ status: 204 });
    await publish(dev, await serviceToken(dev), [order('large', { n: 11 }), order('small', { n: 9 })]);
    expect((await stream.message()).json.recordId).toBe('small');
    stream.close();
  });
});

describe('connections', () => {
  test('are listed and closed by who holds realtime:connections, in their workspace alone', async () => {
    const { stream, id } = await open(await devToken(dev, { sub: 'rita', role: 'viewer' }));
    const owner = await devToken(dev, { sub: 'olga', role: 'owner' });
    const list = await (await fetch(connectionsUrl(''), { headers: bearer(owner) })).json();
    expect(list).toMatchObject({ next: null, partial: false });
    expect((list as { items: { id: string }[] }).items).toContainEqual(
      expect.objectContaining({ id, principal: 'rita', state: 'live' }),
    );
    const asViewer = await fetch(connectionsUrl(''), { headers: bearer(await devToken(dev, { sub: 'rita' })) });
    expect(asViewer.status).toBe(403);
    const closed = await fetch(connectionsUrl(`/${id}`), { method: 'DELETE', headers: bearer(owner) });
    expect(closed.status).toBe(204);
    expect((await stream.system('closing')).json).toEqual({ type: 'closing', reason: 'closed' });
    await stream.end();
    const again = await fetch(connectionsUrl(`/${id}`), { method: 'DELETE', headers: bearer(owner) });
    expect(again.status).toBe(404);
    await until('the row of who closed', async () => {
      const { json } = await admin(dev, 'GET', 'audit-log?kind=close&sub=olga');
      return json.items.some((row: any) => row.reason === 'closed_by_request' && row.connectionId === id);
    });
  });
});

describe('the SDK with beforeExpiry and tokens of 2 s', () => {
  let short: Dev;
  beforeAll(async () => {
    short = await startDev({ args: ['--tokens-service-lifetime-seconds', '2'] });
  });
  afterAll(() => short?.stop());

  /** Subscribes, publishes numbers for some seconds, and tells what came and what happened. */
  async function run(fetch: typeof globalThis.fetch): Promise<{ seen: number[]; happened: string[] }> {
    const { baseUrl, workspace: workspaceId, clientId, clientSecret } = short;
    const client = { baseUrl, workspaceId, clientId, clientSecret, tokenRefresh: 'beforeExpiry' } as const;
    const seen: number[] = [];
    const happened: string[] = [];
    const connected = Promise.withResolvers<void>();
    const all = Promise.withResolvers<void>();
    const subscription = new CentraliSDK({ ...client, tokenDelivery: 'header', fetch }).realtime.subscribe<{
      n: number;
    }>({
      onEvent({ data }) {
        if (seen.push((data as { n: number }).n) === EVENTS) all.resolve();
      },
      onConnected() {
        happened.push('connected');
        connected.resolve();
      },
      onDisconnected: (reason) => happened.push(reason),
      onError: ({ code }) => happened.push(code),
    });
    await connected.promise;
    const writer = new CentraliSDK(client);
    for (let n = 0; n < EVENTS; n++) {
      await writer.realtime.publish({ event: 'counted', data: { n } });
      await pause(20);
    }
    await all.promise;
    subscription.unsubscribe();
    return { seen, happened };
  }

  const EVENTS = 200;
  const numbers = Array.from({ length: EVENTS }, (_, n) => n);

  test('lives through them on one stream: nothing lost, nothing doubled, no reconnect', async () => {
    const { seen, happened } = await run(fetch);
    expect(seen).toEqual(numbers);
    expect(happened).toEqual(['connected', 'unsubscribed']);
  });

  test('hands over to a new stream where the old one is not known, and still nothing is lost or doubled', async () => {
    let renewals = 0;
    const { seen, happened } = await run((input, init) => {
      const url = input instanceof Request ? input.url : input.toString();
      if (url.endsWith('/token') && url.includes('/connections/')) renewals += 1;
      return fetch(url.replace(/connections\/\w+/, 'connections/cn_of-another-gateway'), init);
    });
    expect(seen).toEqual(numbers);
    expect(renewals).toBeGreaterThan(1);
    expect(happened.at(-1)).toBe('unsubscribed');
    // Each hand-over is told as a connect; no stream was over before the next one was open.
    expect(happened.slice(0, -1)).toEqual(Array(renewals + 1).fill('connected'));
  });
});
