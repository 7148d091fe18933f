// The guide's React component in real Chromium, with React 18 and with React 19, over TLS at the host that the
// page names.
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { devToken } from '../support/api.ts';
import { ROOT } from '../support/centrali.ts';
import { launchChromium, type PageServer, servePages } from '../support/chromium.ts';
import { requirePart } from '../support/parts.ts';
import { until } from '../support/wait.ts';
import { bundle } from './samples.ts';
import { type Seed, startSeed } from './setup.ts';

const HTML = '<!doctype html><meta charset="utf-8"><div id="root"></div>';
const FOLDERS = { 18: join(ROOT, 'test/react-18/node_modules'), 19: join(ROOT, 'node_modules') } as const;

describe.skipIf(!requirePart('chromium'))('the React component', () => {
  let seed: Seed;
  let browser: Browser;
  let pages: PageServer;

  beforeAll(async () => {
    // Node must not judge the certificate that the server has just made for itself.
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
    seed = await startSeed({ args: ['--tls'] });
    pages = await servePages({
      '/': HTML,
      '/18.js': await bundle('react-component', FOLDERS[18]),
      '/19.js': await bundle('react-component', FOLDERS[19]),
    });
    const port = new URL(seed.dev.baseUrl).port;
    browser = await launchChromium([
      `--host-resolver-rules=MAP api.centrali.io:443 127.0.0.1:${port}`,
      '--ignore-certificate-errors',
    ]);
  });
  afterAll(async () => {
    await browser?.close();
    await pages?.close();
    await seed?.stop();
    delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  });

  const seen = (page: Page): Promise<string[]> =>
    page.evaluate(() => (globalThis as any).seed.events.map((event: any) => event.recordId));

  async function gets(page: Page): Promise<void> {
    const ids: string[] = [];
    await until(
      'the page gets an event',
      async () => {
        ids.push(await seed.publishOne());
        return (await seen(page)).some((id) => ids.includes(id));
      },
      10_000,
    );
  }

  it.each([18, 19] as const)(
    'of React %i gets events, over the end of its token, and stops when it is unmounted',
    async (version) => {
      const page = await browser.newPage({ ignoreHTTPSErrors: true });
      const faults: string[] = [];
      page.on('pageerror', (error) => faults.push(String(error)));
      const requests: string[] = [];
      page.on('request', (request) => {
        if (request.url().includes('/realtime/') && request.method() === 'GET') requests.push(request.url());
      });
      const sub = `react-${version}`;
      await devToken(seed.dev, { sub, role: 'viewer' });
      const short = await devToken(seed.dev, { sub, ttl: 3 });
      await page.exposeFunction('newToken', () => devToken(seed.dev, { sub, ttl: 600 }));
      await page.goto(pages.origin);
      await page.evaluate((token) => {
        const shared = globalThis as any;
        shared.seed = {
          events: [],
          refreshes: 0,
          auth: {
            token,
            refreshToken: async () => {
              shared.seed.refreshes++;
              const next = await shared.newToken();
              // The provider's hook gives the new token at the next drawing.
              shared.seed.auth = { ...shared.seed.auth, token: next };
              setTimeout(() => shared.seed.render(), 0);
              return next;
            },
          },
        };
      }, short);
      await page.addScriptTag({ type: 'module', url: `${pages.origin}/${version}.js` });
      await gets(page);
      expect(await page.evaluate(() => (globalThis as any).seed.version)).toMatch(new RegExp(`^${version}\\.`));
      await until('the token is refreshed', () => page.evaluate(() => (globalThis as any).seed.refreshes > 0), 10_000);
      await gets(page);
      expect(await page.evaluate(() => (globalThis as any).seed.refreshes)).toBe(1);
      // One stream, then one more for the new token: StrictMode's second mount makes no second stream.
      expect(requests.length).toBe(2);
      await page.evaluate(() => (globalThis as any).seed.unmount());
      const before = (await seen(page)).length;
      await seed.publishOne();
      await seed.publishOne();
      await page.waitForTimeout(200);
      expect((await seen(page)).length).toBe(before);
      expect(faults).toEqual([]);
      await page.close();
    },
  );
});
