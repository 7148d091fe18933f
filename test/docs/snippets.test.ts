/**
 * What the documentation says to paste, pasted: each page's blocks in their order, in the repository, beside a
 * running `dev`. Only the port is another one. A block that fails, or that prints an error, fails here.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Dev, ROOT, startDev, startProcess } from '../support/centrali.ts';
import { requirePart } from '../support/parts.ts';
import { snippets } from './snippets.ts';

const ready = requirePart('curl');
/** How long a stream that a snippet opens is watched. */
const WATCH_SECONDS = 2;

describe.skipIf(!ready).each([...snippets()])('%s', (page, blocks) => {
  let dev: Dev;
  beforeAll(async () => {
    dev = await startDev();
  });
  afterAll(() => dev?.stop());

  test.each(blocks.map(({ where, text }) => [where, text] as const))('%s', async (_, text) => {
    const script = text
      .replaceAll('http://127.0.0.1:8080', dev.baseUrl)
      // A stream does not end by itself.
      .replace(/^curl -N /gm, `curl -sS --max-time ${WATCH_SECONDS} -N `)
      .replace(/^npx --no centrali subscribe/gm, `timeout ${WATCH_SECONDS} node_modules/.bin/centrali subscribe`);
    const child = startProcess('bash', ['-euo', 'pipefail', '-c', script], {
      cwd: ROOT,
      env: {
        CENTRALI_DATA: dev.data,
        ...(text.includes('$CENTRALI_CLIENT_ID')
          ? { CENTRALI_CLIENT_ID: dev.clientId, CENTRALI_CLIENT_SECRET: dev.clientSecret }
          : {}),
        PATH: `${ROOT}/node_modules/node/bin:${process.env.PATH}`,
      },
    });
    const { code } = await child.exited;
    const output = `${child.stdout()}${child.stderr()}`;
    const watched = script.includes('--max-time') || script.includes('timeout ');
    expect(watched ? [0, 28, 124] : [0], `${page}\n${output}`).toContain(code);
    expect(output).not.toMatch(/unknown (command|option)|INTERNAL_ERROR|not found/i);
    if (watched) expect(output).toMatch(/connected/i);
  });
});

test('there are snippets to run', () => {
  expect([...snippets().values()].flat().length).toBeGreaterThan(12);
});
