import { afterEach, describe, expect, it } from 'vitest';
import { SILENT } from '../resource-server/index.ts';
import { createInternalListener, type InternalListener } from './internal.ts';
import { createMetrics } from './metrics.ts';

let listener: InternalListener | undefined;
afterEach(() => listener?.close(0));

const credential = 'c'.repeat(32);

async function start(
  given: string | undefined = credential,
  body?: ReadableStream,
): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  listener = createInternalListener({
    host: '127.0.0.1',
    port: 0,
    credential: given,
    log: SILENT,
    metrics: createMetrics(),
  });
  const { url } = await listener.listen();
  listener.mount({
    readiness: () => ({ ready: false, feed: 'lost' }),
    iam: {
      async handleInternal({ method, path }) {
        asked.push(`${method} ${path}`);
        return new Response(body ?? '[]');
      },
    },
  });
  return { url, asked };
}

describe('the internal listener', () => {
  it.each([
    ['nothing', {}],
    ['another credential', { authorization: `Bearer ${'d'.repeat(32)}` }],
    ['a part of it', { authorization: `Bearer ${credential.slice(1)}` }],
    ['another scheme', { authorization: `Basic ${credential}` }],
  ])('answers the RPC with 401 to %s', async (_, headers) => {
    const { url, asked } = await start();
    for (const path of ['/internal/check', '/internal/changes', '/internal/jwks', '/internal/nothing', '/anything']) {
      expect((await fetch(`${url}${path}`, { headers })).status, path).toBe(401);
    }
    expect(asked).toEqual([]);
  });

  it('lets nobody in when there is no credential', async () => {
    const { url } = await start('');
    expect((await fetch(`${url}/internal/check`, { headers: { authorization: 'Bearer ' } })).status).toBe(401);
    await listener?.close(0);
    listener = createInternalListener({
      host: '127.0.0.1',
      port: 0,
      credential: undefined,
      log: SILENT,
      metrics: createMetrics(),
    });
    const second = await listener.listen();
    expect(
      (await fetch(`${second.url}/internal/check`, { headers: { authorization: 'Bearer undefined' } })).status,
    ).toBe(401);
  });

  it('passes the RPC on with it', async () => {
    const { url, asked } = await start();
    const answer = await fetch(`${url}/internal/check`, {
      method: 'POST',
      body: '[]',
      headers: { authorization: `Bearer ${credential}` },
    });
    expect(await answer.json()).toEqual([]);
    expect(asked).toEqual(['POST /internal/check']);
  });

  it('passes an endless body on chunk by chunk, and cancels it when the reader goes', async () => {
    let cancelled = (): void => {};
    const over = new Promise<void>((resolve) => (cancelled = resolve));
    let line = 0;
    const { url } = await start(
      credential,
      new ReadableStream({
        pull(controller) {
          if (line < 2) controller.enqueue(Buffer.from(`${(line += 1)}\n`));
        },
        cancel: () => cancelled(),
      }),
    );
    const abort = new AbortController();
    const answer = await fetch(`${url}/internal/changes`, {
      headers: { authorization: `Bearer ${credential}` },
      signal: abort.signal,
    });
    const reader = answer.body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toContain('1\n');
    abort.abort();
    await over;
  });

  it('shows metrics and health without a credential', async () => {
    const { url } = await start();
    expect(await (await fetch(`${url}/metrics`)).text()).toContain('centrali_open_streams 0');
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    const ready = await fetch(`${url}/readyz`);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toEqual({ ready: false, feed: 'lost' });
  });
});
