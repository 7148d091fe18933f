/**
 * What the documentation says to paste, pasted: each page's blocks in their order, in the repository, beside a
 * running `dev`. Only the port is another one. A block that fails, or that prints an error, fails here.
 */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Dev, ROOT, startDev, startProcess } from '../support/centrali.ts';
import { requirePart } from '../support/parts.ts';
import { snippets } from './snippets.ts';

const ready = requirePart('curl');
/** A stream that a snippet opens does not end by itself: it is watched until it says that it is connected, at most so long. */
const WATCH_SECONDS = 20;

describe.skipIf(!ready).each([...snippets()])('%s', (page, blocks) => {
  let dev: Dev;
  beforeAll(async () => {
    dev = await startDev();
  });
  afterAll(() => dev?.stop());

  test.each(blocks.map(({ where, text }) => [where, text] as const))('%s', async (_, text) => {
    const script = text
      .replaceAll('http://127.0.0.1:8080', dev.baseUrl)
      .replace(/^curl -N /gm, `curl -sS --max-time ${WATCH_SECONDS} -N `)
      .replace(/^npx --no centrali subscribe/gm, `timeout ${WATCH_SECONDS} node_modules/.bin/centrali subscribe`);
    const child = startProcess('bash', ['-euo', 'pipefail', '-c', script], {
      cwd: ROOT,
      group: true,
      env: {
        CENTRALI_DATA: dev.data,
        ...(text.includes('$CENTRALI_CLIENT_ID')
          ? { CENTRALI_CLIENT_ID: dev.clientId, CENTRALI_CLIENT_SECRET: dev.clientSecret }
          : {}),
        PATH: `${ROOT}/node_modules/node/bin:${process.env.PATH}`,
      },
    });
    const said = (): string => `${child.stdout()}${child.stderr()}`;
    const watched = script.includes('--max-time') || script.includes('timeout ');
    if (watched) {
      await vi.waitFor(() => expect(said()).toMatch(/connected/i), { timeout: WATCH_SECONDS * 1000 });
      await child.stop();
    } else {
      const { code } = await child.exited;
      expect(code, `${page}\n${said()}`).toBe(0);
    }
    expect(said()).not.toMatch(/unknown (command|option)|INTERNAL_ERROR|not found/i);
  });
});

test('there are snippets to run', () => {
  expect([...snippets().values()].flat().length).toBeGreaterThan(12);
});
