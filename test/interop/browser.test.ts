// The native EventSource of Chromium, on a page of another origin, and with errors=stream; and the built SDK as
// an ES module in a page, straight from dev.
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventsUrl, order, publish, serviceToken } from '../support/api.ts';
import { type Dev, startDev } from '../support/centrali.ts';
import { launchChromium, type PageServer, servePages } from '../support/chromium.ts';
import { requirePart } from '../support/parts.ts';
import { until } from '../support/wait.ts';

describe.skipIf(!requirePart('chromium'))('Chromium', () => {
  let dev: Dev;
  let token: string;
  let browser: Browser;
  let pages: PageServer;
  let page: Page;

  beforeAll(async () => {
    [dev, browser, pages] = await Promise.all([startDev(), launchChromium(), servePages({ '/': '<!doctype html>' })]);
    token = await serviceToken(dev);
    page = await browser.newPage();
    await page.goto(pages.origin);
    expect(new URL(dev.baseUrl).origin).not.toBe(pages.origin);
  });
  afterAll(async () => {
    await browser?.close();
    await Promise.all([dev?.stop(), pages?.close()]);
  });

  /** Opens an EventSource in the page; its number. */
  const open = (url: string): Promise<number> =>
    page.evaluate((address) => {
      const sources = ((globalThis as any).sources ??= []);
      const entry = { messages: [] as unknown[], system: [] as unknown[], source: new EventSource(address), errors: 0 };
      entry.source.addEventListener('message', ({ data, lastEventId }) =>
        entry.messages.push({ id: lastEventId, ...JSON.parse(data) }),
      );
      entry.source.addEventListener('system', (event) => entry.system.push(JSON.parse(event.data)));
      entry.source.addEventListener('error', () => entry.errors++);
      return sources.push(entry) - 1;
    }, url);
  const state = (index: number): Promise<{ messages: any[]; system: any[]; errors: number; readyState: number }> =>
    page.evaluate((i) => {
      const { messages, system, errors, source } = (globalThis as any).sources[i];
      return { messages, system, errors, readyState: source.readyState };
    }, index);
  const close = (index: number): Promise<void> =>
    page.evaluate((i) => (globalThis as any).sources[i].source.close(), index);

  it("a native EventSource of another origin's page gets events", async () => {
    const source = await open(eventsUrl(dev, { access_token: token, structures: 'native' }));
    await until('connected', async () => (await state(source)).system.length > 0);
    const ids = await publish(
      dev,
      token,
      [1, 2, 3].map((n) => ({ ...order(String(n)), recordSlug: 'native' })),
    );
    await until('three events', async () => (await state(source)).messages.length === 3);
    expect((await state(source)).messages.map(({ id }) => id)).toEqual(ids);
    await close(source);
  });

  it('a native EventSource cannot read a refusal, and does not come again', async () => {
    const source = await open(eventsUrl(dev, { access_token: 'nonsense' }));
    await until('closed', async () => (await state(source)).readyState === 2);
    expect((await state(source)).system).toEqual([]);
  });

  it('with errors=stream it reads the code, and does not hammer', async () => {
    let requests = 0;
    const count = (request: { url(): string }): void => {
      if (request.url().includes('errors=stream')) requests++;
    };
    page.on('request', count);
    const source = await open(eventsUrl(dev, { access_token: 'nonsense', errors: 'stream' }));
    await until('the error', async () => (await state(source)).system.length > 0);
    expect((await state(source)).system[0]).toMatchObject({ type: 'error', code: 'INVALID_TOKEN', recoverable: false });
    await until('the stream is over', async () => (await state(source)).errors > 0);
    await page.waitForTimeout(500);
    expect(requests).toBe(1);
    page.off('request', count);
    await close(source);
  });

  it('the SDK is an ES module in the page, from dev itself', async () => {
    // As text: the test runner would rewrite an import in a function.
    await page.addScriptTag({
      type: 'module',
      content: `
        import { CentraliSDK } from '${dev.baseUrl}/-/centrali-sdk.js';
        const sdk = (globalThis.sdk = { events: [], connected: 0, errors: [] });
        const options = { baseUrl: '${dev.baseUrl}', workspaceId: 'demo' };
        for (const tokenDelivery of ['query', 'header']) {
          new CentraliSDK({ ...options, token: '${token}', tokenDelivery }).realtime.subscribe({
            structures: ['page'],
            onConnected: () => sdk.connected++,
            onEvent: (event) => sdk.events.push(event.recordId),
            onError: (error) => sdk.errors.push(error.code),
          });
        }
        new CentraliSDK({ ...options, token: 'nonsense' }).realtime.subscribe({
          onEvent: () => {},
          onError: (error) => (sdk.bad = error.code),
        });`,
    });
    const sdk = (): Promise<any> => page.evaluate(() => (globalThis as any).sdk);
    await until('both connected', async () => (await sdk())?.connected === 2);
    await publish(
      dev,
      token,
      [1, 2].map((n) => ({ ...order(String(n)), recordSlug: 'page' })),
    );
    await until('four events', async () => (await sdk()).events.length === 4);
    await until('the code of the bad one', async () => (await sdk()).bad);
    expect(await sdk()).toMatchObject({ errors: [], bad: 'INVALID_TOKEN' });
  });
});
