// How streams end when nothing is wrong, what policies change, and what the process says about itself.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { adminOk, bearer, devToken, eventsUrl, order, publish, serviceToken } from '../support/api.ts';
import { type Dev, startDev } from '../support/centrali.ts';
import { expectError } from '../support/error-answer.ts';
import { openStream } from '../support/event-stream.ts';
import { readMetrics } from '../support/metrics.ts';
import { until } from '../support/wait.ts';

describe('a short-lived service', () => {
  let dev: Dev;
  let token: string;
  beforeAll(async () => {
    dev = await startDev({
      env: {
        CENTRALI_STREAM_LIFETIME_SECONDS: '2',
        CENTRALI_LIMITS_CONNECTIONS_PER_PRINCIPAL: '2',
        CENTRALI_TOKENS_QUERY: 'short-lived',
        CENTRALI_ALLOWED_ORIGINS: 'https://app.example',
      },
    });
    token = await serviceToken(dev);
  });
  afterAll(() => dev?.stop());

  it('ends streams at 80 to 100 % of their lifetime with closing, and a resume misses nothing', async () => {
    const opened = performance.now();
    const stream = await openStream(eventsUrl(dev, { structures: 'life' }), { headers: bearer(token) });
    const { id: start } = await stream.system('connected');
    const [first] = await publish(dev, token, { ...order('1'), recordSlug: 'life' });
    const closing = await stream.system('closing');
    const lived = performance.now() - opened;
    expect(closing.json).toEqual({ type: 'closing', reason: 'lifetime' });
    expect(await stream.end()).toEqual([]);
    expect(lived).toBeGreaterThan(1550);
    expect(lived).toBeLessThan(2500);
    expect(stream.text()).toContain(`id: ${first}\n`);
    const [second] = await publish(dev, token, { ...order('2'), recordSlug: 'life' });
    const again = await openStream(eventsUrl(dev, { structures: 'life' }), {
      headers: { ...bearer(token), 'last-event-id': start ?? '' },
    });
    expect([(await again.message()).id, (await again.message()).id]).toEqual([first, second]);
    again.close();
  });

  it('over the limit of a principal, a request with a cursor takes the place of the oldest stream', async () => {
    const headers = bearer(await devToken(dev, { sub: 'replacer', role: 'viewer' }));
    const oldest = await openStream(eventsUrl(dev), { headers });
    const { id: cursor = '' } = await oldest.system('connected');
    const second = await openStream(eventsUrl(dev), { headers });
    await second.system('connected');
    await expectError(await fetch(eventsUrl(dev), { headers }), 'RATE_LIMIT_EXCEEDED');
    const third = await openStream(eventsUrl(dev), { headers: { ...headers, 'last-event-id': cursor } });
    expect((await third.system('connected')).json.resumed).toBe(true);
    expect((await oldest.system('closing')).json.reason).toBe('replaced');
    expect(second.text()).not.toContain('closing');
    for (const stream of [second, third]) stream.close();
  });

  it('short-lived: a token with a long life may not come in the query', async () => {
    await expectError(await fetch(eventsUrl(dev, { access_token: token })), 'BAD_REQUEST', {
      challenge: 'invalid_request',
    });
    const short = await devToken(dev, { sub: 'short', role: 'viewer', ttl: 60 });
    const stream = await openStream(eventsUrl(dev, { access_token: short }));
    await stream.system('connected');
    stream.close();
  });

  it('a listed origin may read, beside those of this machine that dev allows', async () => {
    for (const [origin, allowed] of [
      ['https://app.example', 'https://app.example'],
      ['http://localhost:5173', 'http://localhost:5173'],
      ['https://app.example.evil', null],
      ['https://app.example:444', null],
      ['http://app.example', null],
    ] as const) {
      const response = await fetch(eventsUrl(dev), { headers: { origin } });
      expect(response.headers.get('access-control-allow-origin'), origin).toBe(allowed);
    }
    expect(dev.stderr()).toContain('--allow-origin https://app.example.evil');
  });
});

describe('a service that takes no tokens in the query', () => {
  it('deny: BAD_REQUEST, and the header works', async () => {
    const dev = await startDev({ env: { CENTRALI_TOKENS_QUERY: 'deny' } });
    try {
      const token = await serviceToken(dev);
      await expectError(await fetch(eventsUrl(dev, { access_token: token })), 'BAD_REQUEST', {
        challenge: 'invalid_request',
      });
      const stream = await openStream(eventsUrl(dev), { headers: bearer(token) });
      await stream.system('connected');
      stream.close();
    } finally {
      await dev.stop();
    }
  });
});

describe('the process', () => {
  let dev: Dev;
  let token: string;
  beforeAll(async () => {
    dev = await startDev();
    token = await serviceToken(dev);
  });
  afterAll(() => dev?.stop());

  it('lists open streams and closes one, for whoever may', async () => {
    const owner = await adminOk(dev, 'POST', 'service-accounts', { name: 'operator', role: 'owner' });
    const operator = await serviceToken({ ...dev, ...owner });
    const connections = eventsUrl(dev).replace('/events', '/connections');
    await expectError(await fetch(connections, { headers: bearer(token) }), 'FORBIDDEN');
    const stream = await openStream(eventsUrl(dev), { headers: bearer(token) });
    const { json } = await stream.system('connected');
    const listed = (await (await fetch(connections, { headers: bearer(operator) })).json()) as { items: any[] };
    const mine = listed.items.find(({ id }) => id === json.connectionId);
    expect(mine).toBeDefined();
    expect(JSON.stringify(mine)).not.toContain(token.split('.')[2]);
    const one = await fetch(`${connections}/${json.connectionId}`, { headers: bearer(operator) });
    expect(await one.json()).toMatchObject({ id: json.connectionId });
    const closed = await fetch(`${connections}/${json.connectionId}`, { method: 'DELETE', headers: bearer(operator) });
    expect(closed.status).toBe(204);
    expect((await stream.system('closing')).json).toEqual({ type: 'closing', reason: 'closed' });
    await stream.end();
    await expectError(await fetch(`${connections}/${json.connectionId}`, { headers: bearer(operator) }), 'NOT_FOUND');
    await expectError(
      await fetch(`${connections}/cn_unknown`, { method: 'DELETE', headers: bearer(operator) }),
      'NOT_FOUND',
    );
  });

  it('gives back what a stream held when its client goes', async () => {
    const streams = await Promise.all(
      Array.from({ length: 10 }, () => openStream(eventsUrl(dev), { headers: bearer(token) })),
    );
    await Promise.all(streams.map((stream) => stream.system('connected')));
    const open = async (): Promise<number> => (await readMetrics(dev.internalUrl)).get('centrali_open_streams') ?? -1;
    expect(await open()).toBeGreaterThanOrEqual(10);
    for (const stream of streams) stream.close();
    await until('no stream is left over', async () => (await open()) === 0);
  });

  it('is alive and ready, says so without a token, and tells nobody more than that', async () => {
    for (const path of ['/healthz', '/readyz']) {
      const response = await fetch(dev.baseUrl + path);
      expect(response.status).toBe(200);
      expect(response.headers.get('cache-control')).toMatch(/no-store/);
      expect(await response.text()).not.toContain(dev.data);
    }
    expect((await fetch(`${dev.baseUrl}/healthz`, { method: 'HEAD' })).status).toBe(200);
  });

  it('labels metrics by closed sets: nothing that a client wrote', async () => {
    const marker = 'marker-of-a-client';
    await fetch(`${dev.baseUrl}/${marker}`);
    await fetch(`${dev.baseUrl}/realtime/workspace/${marker}/events?${marker}=1`, { headers: bearer(marker) });
    await fetch(eventsUrl(dev), { method: 'PROPFIND' });
    await fetch(eventsUrl(dev));
    const metrics = await (await fetch(`${dev.internalUrl}/metrics`)).text();
    expect(metrics).not.toContain(marker);
    expect(metrics).toMatch(/^centrali_refusals_total\{[^}]*code="MISSING_TOKEN"/m);
    expect(metrics).toMatch(/^centrali_http_answers_total\{/m);
  });
});
