/** Debian's Chromium, driven by playwright-core, and a static server for the pages under test. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Browser, chromium } from 'playwright-core';
import { commandPath } from './parts.ts';

/** Starts Chromium with a fresh profile. `extra` are further flags. */
export function launchChromium(extra: readonly string[] = []): Promise<Browser> {
  return chromium.launch({
    executablePath: commandPath('chromium') ?? '/usr/bin/chromium',
    headless: true,
    // As root there is no sandbox; the rest keeps it from calling home.
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...extra,
    ],
  });
}

/** Pages by path. */
export interface PageServer {
  /** `http://localhost:port`: another origin than the service's `http://127.0.0.1:port`. */
  readonly origin: string;
  close(): Promise<void>;
}

/** Serves texts by path: `.js` as a module, the rest as HTML. */
export async function servePages(pages: Readonly<Record<string, string>>): Promise<PageServer> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    const text = Object.hasOwn(pages, path) ? pages[path] : undefined;
    response.writeHead(text === undefined ? 404 : 200, {
      'content-type': path.endsWith('.js') ? 'text/javascript' : 'text/html; charset=utf-8',
    });
    response.end(text ?? '');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://localhost:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
