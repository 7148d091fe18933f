/** `examples/earthquakes` beside a running `dev`, its page in Chromium: events that are published are drawn. */
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Child, type Dev, ROOT, startDev, startProcess } from '../support/centrali.ts';
import { launchChromium } from '../support/chromium.ts';
import { requirePart } from '../support/parts.ts';
import { until } from '../support/wait.ts';

/** How many earthquakes the data set holds. */
const ALL = 1707;

describe.skipIf(!requirePart('chromium'))('the earthquake example', () => {
  let dev: Dev;
  let browser: Browser;
  let site: Child | undefined;
  let page: Page;
  const faults: string[] = [];

  beforeAll(async () => {
    dev = await startDev();
    browser = await launchChromium();
    page = await browser.newPage({ viewport: { width: 1280, height: 760 } });
    page.on('pageerror', (error) => faults.push(error.message));
  });
  afterAll(async () => {
    await browser?.close();
    await site?.stop();
    await dev?.stop();
  });

  /** Starts the example; its page's URL. */
  async function start(...args: string[]): Promise<string> {
    const script = join(ROOT, 'examples/earthquakes/start.mjs');
    site = startProcess(process.execPath, [script, '--port', '0', ...args], { env: { CENTRALI_DATA: dev.data } });
    return site.line((line) => /^Earthquakes: (\S+)/.exec(line)?.[1]);
  }
  const count = async (): Promise<number> => Number((await page.textContent('#count'))?.replaceAll(/\D/g, ''));
  /** How many pixels of the events' canvas are drawn on. */
  const drawn = (): Promise<number> =>
    page.evaluate(() => {
      const canvas = document.querySelector<HTMLCanvasElement>('#quakes')!;
      const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
      return data.filter((value, i) => i % 4 === 3 && value > 0).length;
    });

  test('draws every earthquake that is published while the page is open', async () => {
    await page.goto(await start('--no-publish'));
    await page.waitForSelector('#state[data-state="open"]');
    expect([await count(), await drawn()]).toEqual([0, 0]);
    await site?.stop();

    // The page stays; another process publishes. `--port 0` gives it another address, which the page does not need.
    await start('--pace', '2000');
    await until(`all ${ALL} earthquakes on the page`, async () => (await count()) === ALL, 20_000);
    expect(await page.textContent('#strongest')).toBe('6.4');
    expect(await page.locator('#list li').count()).toBe(40);
    expect(await drawn()).toBeGreaterThan(5000);
    const picture = process.env.CENTRALI_SCREENSHOT;
    if (picture) await page.screenshot({ path: picture });
  });

  test('lets the server choose by magnitude', async () => {
    await site?.stop();
    await page.goto(await start('--no-publish'));
    await page.getByText('4 and up').click();
    await page.waitForSelector('#state[data-state="open"]');
    await site?.stop();
    await start('--pace', '2000');
    await until('the 128 strong ones', async () => (await count()) === 128, 20_000);
    await site?.line((line) => line.startsWith('All are published') || undefined);
    expect(await count()).toBe(128);
  });

  test('without a fault in the page', () => {
    expect(faults).toEqual([]);
  });
});

test('says what to do when no dev is running', async () => {
  const child = startProcess(process.execPath, [join(ROOT, 'examples/earthquakes/start.mjs')], {
    env: { CENTRALI_DATA: '/nowhere' },
  });
  expect((await child.exited).code).toBe(2);
  expect(child.stderr()).toContain('npm start');
});
