// Signing keys turned round every other second by the command, under connects, against the built command.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bearer, eventsUrl, serviceToken } from '../support/api.ts';
import { type Dev, runCommand, startDev } from '../support/centrali.ts';

const ROTATIONS = 5;
const EVERY_MS = 2_000;
const LEAD = { CENTRALI_KEYS_PUBLISH_LEAD_SECONDS: '1' };

let dev: Dev;
beforeAll(async () => {
  dev = await startDev({ env: LEAD });
});
afterAll(() => dev?.stop());

const kidOf = (token: string): string =>
  (JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as { kid: string }).kid;

async function connect(token: string): Promise<number> {
  const stop = new AbortController();
  const { status } = await fetch(eventsUrl(dev), { headers: bearer(token), signal: stop.signal });
  stop.abort();
  return status;
}

test('no good token is refused while keys are turned round', { timeout: 60_000 }, async () => {
  const oldest = await serviceToken(dev);
  const kids = new Set<string>();
  const statuses = new Map<number, number>();
  const over = new AbortController();
  /** Gets a token, then connects with it and with the oldest one a few times, again and again. */
  const client = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const token = await serviceToken(dev);
      kids.add(kidOf(token));
      for (const held of Array.from({ length: 20 }, (_, turn) => (turn % 4 === 0 ? oldest : token))) {
        const status = await connect(held);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    }
  };
  const rotating = async (): Promise<void> => {
    for (let round = 0; round < ROTATIONS; round++) {
      // The rhythm is what is tested, not how long the command takes.
      const next = new Promise((resolve) => setTimeout(resolve, EVERY_MS));
      const { code, stderr } = await runCommand(['keys', 'rotate', '--data', dev.data], { env: LEAD });
      expect(code, stderr).toBe(0);
      await next;
    }
  };
  const clients = Array.from({ length: 4 }, client);
  await Promise.all([rotating().finally(() => over.abort()), ...clients]);
  expect([...statuses.keys()]).toEqual([200]);
  expect(statuses.get(200)).toBeGreaterThan(100);
  expect(kids.size).toBeGreaterThanOrEqual(ROTATIONS - 1);
  const { keys } = (await (await fetch(`${dev.baseUrl}/oidc/jwks`)).json()) as { keys: unknown[] };
  expect(keys).toHaveLength(ROTATIONS + 1);
});
