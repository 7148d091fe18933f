// A page of another origin with a native EventSource and a ticket; and what becomes of it when it comes again by itself.
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bearer, devToken, eventsUrl, order, publish, serviceToken } from '../support/api.ts';
import { type Dev, startDev } from '../support/centrali.ts';
import { launchChromium, type PageServer, servePages } from '../support/chromium.ts';
import { requirePart } from '../support/parts.ts';
import { until } from '../support/wait.ts';

describe.skipIf(!requirePart('chromium'))('Chromium', () => {
  let dev: Dev;
  let browser: Browser;
  let pages: PageServer;
  let page: Page;

  beforeAll(async () => {
    [dev, browser, pages] = await Promise.all([startDev(), launchChromium(), servePages({ '/': '<!doctype html>' })]);
    page = await browser.newPage();
    await page.goto(pages.origin);
    expect(new URL(dev.baseUrl).origin).not.toBe(pages.origin);
  });
  afterAll(async () => {
    await browser?.close();
    await Promise.all([dev?.stop(), pages?.close()]);
  });

  it('a native EventSource takes a ticket that its page has got by fetch', async () => {
    const token = await devToken(dev, { sub: 'page', role: 'viewer' });
    // The page does it all itself: a cross-origin POST with a preflight, then an EventSource.
    await page.evaluate(
      async ({ tickets, events, authorization }) => {
        const response = await fetch(tickets, { method: 'POST', headers: { authorization } });
        const { ticket } = (await response.json()) as { ticket: string };
        const state = ((globalThis as any).state = { system: [] as any[], ids: [] as string[], errors: 0, closed: 0 });
        const source = new EventSource(`${events}?ticket=${ticket}&errors=stream`);
        source.addEventListener('system', ({ data }) => state.system.push(JSON.parse(data)));
        source.addEventListener('message', ({ data }) => state.ids.push(JSON.parse(data).recordId));
        source.addEventListener('error', () => state.errors++);
        (globalThis as any).source = source;
      },
      { tickets: eventsUrl(dev).replace(/events$/, 'tickets'), events: eventsUrl(dev), ...bearer(token) },
    );
    const state = (): Promise<any> => page.evaluate(() => (globalThis as any).state);
    await until('connected', async () => (await state()).system.length > 0);
    await publish(dev, await serviceToken(dev), order('to-the-page'));
    await until('the event', async () => (await state()).ids.length === 1);
    expect(await state()).toMatchObject({ system: [{ type: 'connected' }], ids: ['to-the-page'], errors: 0 });

    // The stream ends; the browser comes again with the spent ticket, and is told so once, to stay away for a day.
    const { connectionId } = (await state()).system[0];
    const owner = bearer(await devToken(dev, { sub: 'olga', role: 'owner' }));
    let requests = 0;
    page.on('request', (request) => {
      if (request.url().includes('ticket=')) requests += 1;
    });
    const url = `${eventsUrl(dev).replace(/events$/, 'connections')}/${connectionId}`;
    expect((await fetch(url, { method: 'DELETE', headers: owner })).status).toBe(204);
    await until('the refusal', async () => (await state()).system.length === 3, 15_000);
    expect((await state()).system.slice(1)).toMatchObject([
      { type: 'closing', reason: 'closed' },
      { type: 'error', code: 'INVALID_TOKEN', recoverable: false },
    ]);
    await page.waitForTimeout(500);
    expect(requests).toBe(1);
    await page.evaluate(() => (globalThis as any).source.close());
  });
});
