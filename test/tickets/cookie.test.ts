// The token in a cookie: off unless the operator says so, for pages that are known, on the stream alone.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventsUrl, serviceToken } from '../support/api.ts';
import { type Dev, runCommand, startDev } from '../support/centrali.ts';

const APP = 'https://app.example.com';
let on: Dev;
let off: Dev;
beforeAll(async () => {
  const env = { CENTRALI_ALLOWED_ORIGINS: APP };
  [on, off] = await Promise.all([startDev({ env: { ...env, CENTRALI_TOKENS_COOKIE: 'true' } }), startDev({ env })]);
});
afterAll(() => Promise.all([on?.stop(), off?.stop()]));

async function ask(dev: Dev, headers: Record<string, string>, path = 'events', method = 'GET'): Promise<string> {
  const cookie = `theme=dark; __Host-centrali-token=${await serviceToken(dev)}`;
  const url = eventsUrl(dev).replace(/events$/, path);
  const response = await fetch(url, { method, headers: { cookie, ...headers } });
  if (response.status !== 200) return ((await response.json()) as { code: string }).code;
  await response.body?.cancel();
  return response.headers.get('access-control-allow-credentials') ?? 'open';
}

describe('the cookie', () => {
  test('opens the stream for a listed origin and for pages of the service itself', async () => {
    expect(await ask(on, { origin: APP })).toBe('true');
    expect(await ask(on, { 'sec-fetch-site': 'same-origin' })).toBe('open');
  });

  test('is nothing for other origins, for unknown pages, and where it is off', async () => {
    for (const headers of [
      {},
      { origin: 'https://evil.example' },
      { origin: 'http://localhost:3000' },
      { origin: 'null' },
    ])
      expect(await ask(on, headers as Record<string, string>)).toBe('MISSING_TOKEN');
    for (const site of ['same-site', 'cross-site', 'none'])
      expect(await ask(on, { 'sec-fetch-site': site })).toBe('MISSING_TOKEN');
    expect(await ask(off, { origin: APP })).toBe('MISSING_TOKEN');
  });

  test('counts no more once another credential is there, and on no other route', async () => {
    expect(await ask(on, { origin: APP, authorization: 'Bearer x' })).toBe('INVALID_TOKEN');
    expect(await ask(on, { origin: APP }, 'events?access_token=x')).toBe('INVALID_TOKEN');
    expect(await ask(on, { origin: APP }, 'events?ticket=x')).toBe('INVALID_TOKEN');
    for (const [path, method] of [
      ['events', 'POST'],
      ['tickets', 'POST'],
      ['connections', 'GET'],
      ['connections/cn_x/token', 'POST'],
    ] as const)
      expect(await ask(on, { origin: APP }, path, method)).toBe('MISSING_TOKEN');
  });

  test('is refused by the configuration while every origin is allowed', async () => {
    const env = { CENTRALI_TOKENS_COOKIE: 'true', CENTRALI_ALLOWED_ORIGINS: '*' };
    const { code, stderr } = await runCommand(['start', '--port', '0'], { env });
    expect(code).toBe(2);
    expect(stderr).toContain('tokens.cookie');
  });
});
