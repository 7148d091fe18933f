// Tickets against the built command: made by a token in the header, good once, for 60 s, and no longer than the token.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CentraliSDK } from '@centrali-io/centrali-sdk';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { adminOk, bearer, devToken, eventsUrl, order, publish, serviceToken } from '../support/api.ts';
import { type Dev, startDev } from '../support/centrali.ts';
import { openStream } from '../support/event-stream.ts';
import { claimsOf } from '../support/forge.ts';
import { until } from '../support/wait.ts';

let dev: Dev;
beforeAll(async () => {
  dev = await startDev();
});
afterAll(() => dev?.stop());

/** Asks for a ticket. */
async function make(token: string): Promise<{ status: number; ticket: string; expiresIn: number; code?: string }> {
  const response = await fetch(eventsUrl(dev).replace(/events$/, 'tickets'), {
    method: 'POST',
    headers: bearer(token),
  });
  return { status: response.status, ...((await response.json()) as { ticket: string; expiresIn: number }) };
}

/** Connects with a ticket: `connected`, or the code of the refusal. */
async function connect(ticket: string): Promise<string> {
  const response = await fetch(eventsUrl(dev, { ticket }));
  if (response.status !== 200) return ((await response.json()) as { code: string }).code;
  await response.body?.cancel();
  return 'connected';
}

describe('a ticket', () => {
  test('opens one stream, which delivers and dies with the token', async () => {
    const token = await devToken(dev, { sub: 'tina', role: 'viewer', ttl: 3 });
    const { status, ticket, expiresIn } = await make(token);
    expect(status).toBe(201);
    expect(ticket).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(expiresIn).toBeLessThanOrEqual(3);
    const stream = await openStream(eventsUrl(dev, { ticket }));
    const { exp } = claimsOf(token) as { exp: number };
    expect((await stream.system('connected')).json.tokenExpiresAt).toBe(new Date(exp * 1000).toISOString());
    await publish(dev, await serviceToken(dev), order('by-ticket'));
    expect((await stream.message()).json.recordId).toBe('by-ticket');
    expect(await connect(ticket)).toBe('INVALID_TOKEN');
    expect((await stream.system('error')).json.code).toBe('TOKEN_EXPIRED');
    await stream.end();
  });

  test('goes to one of fifty who come with it at once', async () => {
    const { ticket } = await make(await devToken(dev, { sub: 'tina', role: 'viewer' }));
    const answers = await Promise.all(Array.from({ length: 50 }, () => connect(ticket)));
    expect(answers.filter((answer) => answer === 'connected')).toHaveLength(1);
    expect(new Set(answers)).toEqual(new Set(['connected', 'INVALID_TOKEN']));
  });

  test('is worth nothing once its token is revoked or its principal is out', async () => {
    const token = await devToken(dev, { sub: 'tom', role: 'viewer' });
    const [first, second] = [await make(token), await make(token)];
    await adminOk(dev, 'POST', 'revocations', { jti: claimsOf(token).jti });
    expect(await connect(first.ticket)).toBe('INVALID_TOKEN');
    expect((await make(token)).code).toBe('INVALID_TOKEN');
    await adminOk(dev, 'PUT', 'members/tom', { roles: [] });
    expect(await connect(second.ticket)).toBe('INVALID_TOKEN');
    const other = await make(await devToken(dev, { sub: 'tess', role: 'viewer' }));
    await adminOk(dev, 'PUT', 'members/tess', { roles: [] });
    expect(await connect(other.ticket)).toBe('FORBIDDEN');
  });

  test('keeps the grants of its principal, placeholders and all', async () => {
    await adminOk(dev, 'PUT', 'roles/own', {
      grants: [{ permission: 'realtime:subscribe', filter: 'data.owner:{sub} data.plan:{claims.plan}' }],
    });
    const token = await devToken(dev, { sub: 'uma', role: 'own', claims: { plan: 'gold' } });
    const stream = await openStream(eventsUrl(dev, { ticket: (await make(token)).ticket }));
    await stream.system('connected');
    await publish(dev, await serviceToken(dev), [
      order('of-others', { owner: 'ann', plan: 'gold' }),
      order('of-another-plan', { owner: 'uma', plan: 'free' }),
      order('own', { owner: 'uma', plan: 'gold' }),
    ]);
    expect((await stream.message()).json.recordId).toBe('own');
    stream.close();
  });

  test('leaves neither itself nor its token in the state, in the log or in what the server says', async () => {
    const token = await devToken(dev, { sub: 'tina', role: 'viewer' });
    const { ticket } = await make(token);
    await connect(ticket);
    const kept = (await make(token)).ticket;
    const files = ['state.db', 'state.db-wal', 'log.db', 'log.db-wal'].map((name) => {
      try {
        return readFileSync(join(dev.data, name)).toString('latin1');
      } catch {
        return '';
      }
    });
    const everything = [...files, dev.stdout(), dev.stderr()].join('\n');
    expect(everything.length).toBeGreaterThan(10_000);
    for (const secret of [ticket, kept, token.split('.')[2] ?? '']) expect(everything).not.toContain(secret);
  });

  test('is bounded in number for one principal, and leaves others their room', async () => {
    const token = await devToken(dev, { sub: 'greedy', role: 'viewer' });
    const made = await Promise.all(Array.from({ length: 130 }, () => make(token)));
    expect(made.filter(({ status }) => status === 201)).toHaveLength(120);
    expect(made.find(({ status }) => status !== 201)).toMatchObject({ status: 429, code: 'RATE_LIMIT_EXCEEDED' });
    expect((await make(await devToken(dev, { sub: 'modest', role: 'viewer' }))).status).toBe(201);
  });
});

test("the SDK with tokenDelivery: 'ticket' takes a new ticket for each connect, and no URL holds a token", async () => {
  const urls: string[] = [];
  const seen: string[] = [];
  const connections: string[] = [];
  const { baseUrl, workspace: workspaceId, clientId, clientSecret } = dev;
  const sdk = new CentraliSDK({
    ...{ baseUrl, workspaceId, clientId, clientSecret, tokenDelivery: 'ticket' },
    fetch: (input, init) => {
      urls.push(input instanceof Request ? input.url : input.toString());
      return fetch(input, init);
    },
  });
  const subscription = sdk.realtime.subscribe({
    structures: ['by-sdk'],
    onEvent: (event) => seen.push('recordId' in event ? event.recordId : ''),
    onConnected: ({ connectionId }) => connections.push(connectionId),
  });
  const owner = bearer(await devToken(dev, { sub: 'olga', role: 'owner' }));
  const token = await serviceToken(dev);
  await until('the first connect', () => connections.length === 1);
  await publish(dev, token, { ...order('1'), recordSlug: 'by-sdk' });
  const url = `${eventsUrl(dev).replace(/events$/, 'connections')}/${connections[0]}`;
  expect((await fetch(url, { method: 'DELETE', headers: owner })).status).toBe(204);
  await publish(dev, token, { ...order('2'), recordSlug: 'by-sdk' });
  await until('both events, over two streams', () => seen.length === 2 && connections.length === 2);
  subscription.unsubscribe();
  expect(seen).toEqual(['1', '2']);
  const tickets = urls.flatMap((text) => new URL(text).searchParams.getAll('ticket'));
  expect(new Set(tickets).size).toBe(2);
  expect(urls.join()).not.toMatch(/access_token|eyJ/);
});
