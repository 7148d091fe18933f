import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLog } from '../listener/index.ts';
import { compose, type Service } from './compose.ts';
import { loadConfig } from './config/index.ts';
import { CommandFailure } from './io.ts';
import { startFailure } from './serve.ts';

const credential = 'c'.repeat(40);
let folder = '';
let services: Service[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'centrali-compose-'));
});
afterEach(async () => {
  for (const service of services.toReversed()) await service.stop(0);
  services = [];
  rmSync(folder, { recursive: true, force: true });
});

async function start(flags: Record<string, string> = {}): Promise<Service> {
  const { config, internalCredential } = loadConfig({
    flags: { data: join(folder, 'data'), port: '0', 'internal.port': '0', 'tokens.algorithm': 'ES256', ...flags },
    env: { CENTRALI_INTERNAL_CREDENTIAL: credential },
  });
  const service = await compose({ config, internalCredential, log: createLog('silent') });
  services.push(service);
  return service;
}

/** Waits until the service is ready. */
async function ready(url: string): Promise<void> {
  while ((await fetch(`${url}/readyz`)).status !== 200) await new Promise((resolve) => setTimeout(resolve, 10));
}

async function open(
  url: string,
  token: string,
): Promise<{ status: number; text: Promise<string>; first: Promise<void> }> {
  const answer = await fetch(`${url}/realtime/workspace/demo/events`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const reader = answer.body?.getReader();
  let opened = (): void => {};
  const first = new Promise<void>((resolve) => (opened = resolve));
  const text = (async () => {
    let all = '';
    for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) {
      all += Buffer.from(part.value).toString();
      if (all.includes('connected')) opened();
    }
    return all;
  })();
  return { status: answer.status, text, first };
}

async function tokenOf({ iam }: Service): Promise<string> {
  await iam?.ensureWorkspace('demo');
  const account = await iam?.createAccount({ workspace: 'demo', name: 'a', role: 'developer' });
  const issuer = iam?.services.issuer ?? '';
  const service = services.find((one) => one.iam === iam);
  const basic = Buffer.from(`${account?.account.clientId}:${account?.clientSecret}`).toString('base64');
  const answer = await fetch(`${service?.listenUrl ?? issuer}/oidc/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${basic}`, 'content-type': 'application/x-www-form-urlencoded' },
    body: 'grant_type=client_credentials',
  });
  return ((await answer.json()) as { access_token: string }).access_token;
}

describe('one process', () => {
  it('drains: not ready, nothing new, streams end with a word, then everything is closed', async () => {
    const service = await start();
    await ready(service.baseUrl);
    const token = await tokenOf(service);
    const streams = await Promise.all([1, 2, 3, 4].map(() => open(service.baseUrl, token)));
    await Promise.all(streams.map(({ first }) => first));
    services = [];
    const stopped = service.stop(0.3);
    expect(service.readiness()).toMatchObject({ ready: false, draining: true });
    expect((await fetch(`${service.baseUrl}/readyz`)).status).toBe(503);
    expect((await fetch(`${service.baseUrl}/healthz`)).status).toBe(200);
    const late = await open(service.baseUrl, token);
    expect(late.status).toBe(503);
    for (const { text } of streams) expect(await text).toMatch(/data: \{"type":"closing","reason":"drain"\}\n\n$/);
    await stopped;
    await expect(fetch(`${service.baseUrl}/healthz`)).rejects.toThrow();
    await expect(fetch(`${service.internalUrl}/healthz`)).rejects.toThrow();
  });

  it('starts again on the same folder: nothing is locked, nothing is lost', async () => {
    const first = await start();
    await first.iam?.ensureWorkspace('demo');
    await first.stop(0);
    services = [];
    const second = await start();
    expect((await second.iam?.listWorkspaces())?.map(({ slug }) => slug)).toEqual(['demo']);
  });

  it('closes what it has opened when a part cannot start', async () => {
    const first = await start();
    const failed = await start().catch((error: unknown) => startFailure(error, { port: 0, again: '' }));
    expect(failed).toBeInstanceOf(CommandFailure);
    expect((failed as CommandFailure).message).toBe('The data folder is in use by another process.');
    await first.stop(0);
    services = [];
    await start();
  });

  it('says which port is taken, and the way out', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const { port } = other.address() as { port: number };
    const failed = await start({ port: String(port) }).catch((error: unknown) =>
      startFailure(error, { port, again: 'centrali dev --port 0' }),
    );
    await new Promise((resolve) => other.close(resolve));
    expect(failed).toMatchObject({
      exitCode: 2,
      message: `Port ${port} is taken.`,
      remedy: 'Choose another: centrali dev --port 0',
    });
    const internal = Object.assign(new Error('taken'), { code: 'EADDRINUSE', syscall: 'listen', port: 8081 });
    expect(startFailure(internal, { port: 8080, internalPort: 8081, again: '--port' })).toMatchObject({
      message: 'Port 8081 is taken.',
      remedy: 'It is the internal one; choose another: --internal-port',
    });
  });
});

describe('two processes', () => {
  it('a gateway asks IAM over the internal listener, and lets nobody in when IAM has gone', async () => {
    const publicUrl = 'https://realtime.example.com';
    const iam = await start({ role: 'iam', publicUrl, data: join(folder, 'iam') });
    const gateway = await start({ role: 'gateway', publicUrl, data: join(folder, 'gateway'), iamUrl: iam.internalUrl });
    expect(gateway.iam).toBeUndefined();
    await ready(gateway.listenUrl);
    const token = await tokenOf(iam);
    const stream = await open(gateway.listenUrl, token);
    expect(stream.status).toBe(200);
    await stream.first;
    expect((await fetch(`${gateway.listenUrl}/oidc/jwks`)).status).toBe(404);
    expect((await fetch(`${iam.listenUrl}/realtime/workspace/demo/events`)).status).toBe(404);
    expect((await fetch(`${iam.internalUrl}/internal/jwks`)).status).toBe(401);
    await iam.stop(0);
    services = [gateway];
    const refused = await open(gateway.listenUrl, token);
    expect(refused.status).toBe(503);
    expect(await refused.text).toContain('"AUTH_ERROR"');
    expect((await fetch(`${gateway.listenUrl}/readyz`)).status).toBe(200);
  });
});
