/** The command in this process, against a service in this process. */
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLog } from '../listener/index.ts';
import { compose, type Service } from './compose.ts';
import { loadConfig } from './config/index.ts';
import { devFile, readDevData, writeDevData } from './dev-data.ts';
import { type FakeIo, fakeIo } from './io.fixture.ts';
import { run } from './run.ts';

const folder = mkdtempSync(join(tmpdir(), 'centrali-run-'));
let service: Service;

beforeAll(async () => {
  const { config } = loadConfig({
    flags: { data: folder, port: '0', 'internal.port': '0', 'tokens.algorithm': 'ES256', devTokens: 'true' },
    env: {},
  });
  service = await compose({ config, internalCredential: undefined, log: createLog('silent'), loopbackOrigins: true });
  const { baseUrl, internalUrl, iam } = service;
  await iam?.ensureWorkspace('demo');
  const account = await iam?.createAccount({ workspace: 'demo', name: 'dev', role: 'developer' });
  const admin = await iam?.issueAdminToken({ workspace: 'demo' });
  writeDevData(folder, {
    workspace: 'demo',
    clientId: account?.account.clientId ?? '',
    clientSecret: account?.clientSecret ?? '',
    baseUrl,
    internalUrl,
    adminToken: admin?.token ?? '',
  });
});
afterAll(async () => {
  await service.stop(0);
  rmSync(folder, { recursive: true, force: true });
});

/** Runs a command beside the service; its exit code and output. */
async function centrali(
  args: readonly string[],
  options: Parameters<typeof fakeIo>[0] = {},
): Promise<{ code: number; out: string; err: string; io: FakeIo }> {
  const io = fakeIo({ ...options, env: { CENTRALI_DATA: folder, ...options.env } });
  const code = await run(args, io);
  return { code, out: io.out(), err: io.err(), io };
}

/** Starts `subscribe` and waits until it is connected. */
async function subscribing(...args: string[]): Promise<{ io: FakeIo; code: Promise<number> }> {
  const io = fakeIo({ env: { CENTRALI_DATA: folder } });
  const code = run(['subscribe', ...args], io);
  while (!io.err().includes('Connected')) await new Promise((resolve) => io.stderr.once('data', resolve));
  return { io, code };
}

const lines = (text: string): Record<string, unknown>[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('publish and subscribe', () => {
  it('carry an event from one to the other', async () => {
    const { io, code } = await subscribing('--count', '1');
    const published = await centrali([
      ...['publish', '--event', 'record_created', '--structure', 'order', '--id', '42'],
      ...['--data', '{"status":"paid"}'],
    ]);
    expect(published).toMatchObject({ code: 0, err: '' });
    expect(await code).toBe(0);
    expect(lines(io.out())).toEqual([
      {
        id: published.out.trim(),
        event: 'record_created',
        workspaceSlug: 'demo',
        recordSlug: 'order',
        recordId: '42',
        data: { status: 'paid' },
        timestamp: expect.stringMatching(/Z$/),
        createdBy: readDevData(folder)?.clientId,
      },
    ]);
  });

  it('takes NDJSON in the order given, many to a request', async () => {
    const { io, code } = await subscribing('--count', '2500', '--events', 'counted');
    const input = Array.from({ length: 2500 }, (_, i) => `${JSON.stringify({ event: 'counted', data: i })}\n`).join('');
    const { code: published, out } = await centrali(['publish'], {
      input: Readable.from(input.match(/[^]{1,5000}/g) ?? []),
    });
    expect(published).toBe(0);
    expect(out).toBe('2500\n');
    expect(await code).toBe(0);
    expect(lines(io.out()).map(({ data }) => data)).toEqual(Array.from({ length: 2500 }, (_, i) => i));
  });

  it('names the line that is not an event, and publishes those before it', async () => {
    const input = '{"event":"one"}\n\n{"event":"two"}\nnonsense\n{"event":"three"}\n';
    const { io, code } = await subscribing('--count', '2');
    expect(await centrali(['publish'], { input })).toMatchObject({
      code: 1,
      err: expect.stringMatching(/2 events were published before[\s\S]*Line 4 of stdin is not JSON/),
    });
    expect(await code).toBe(0);
    expect(lines(io.out()).map(({ event }) => event)).toEqual(['one', 'two']);
    const system = await centrali(['publish'], { input: '{"event":"system.x"}' });
    expect(system).toMatchObject({ code: 1, err: expect.stringContaining('Line 1: event is a name') });
  });

  it('goes on with a long input under its key: what is stored already is not stored again', async () => {
    const { io, code } = await subscribing('--count', '2601', '--events', 'imported,last');
    const row = (i: number): string => `${JSON.stringify({ event: 'imported', data: { i } })}\n`;
    const rows = Array.from({ length: 2600 }, (_, i) => row(i));
    // In pieces of any size, so that timing cannot decide where a request ends.
    const pieces = (all: readonly string[], size: number): Readable =>
      Readable.from(all.join('').match(new RegExp(`[^]{1,${size}}`, 'g')) ?? []);
    const broken = [...rows.slice(0, 2300), 'nonsense\n', ...rows.slice(2300)];
    const args = ['publish', '--idempotency-key', 'import-7'];
    expect(await centrali(args, { input: pieces(broken, 700) })).toMatchObject({
      code: 1,
      err: expect.stringMatching(/2000 events were published before the failure\. Line 2001 .*same key goes on there/),
    });
    expect(await centrali(args, { input: pieces(rows, 90_000) })).toMatchObject({ code: 0, out: '2600\n' });
    expect(await centrali(args, { input: pieces(rows, 3000) })).toMatchObject({ code: 0, out: '2600\n' });
    await centrali(['publish', '--event', 'last']);
    expect(await code).toBe(0);
    const seen = lines(io.out());
    expect(seen.slice(0, -1).map(({ data }) => (data as { i: number }).i)).toEqual(rows.map((_, i) => i));
    expect(seen.at(-1)?.event).toBe('last');
  });

  it('ends subscribe by a signal, as a success', async () => {
    const { io, code } = await subscribing();
    io.interrupt();
    expect(await code).toBe(0);
  });

  it('says why a subscription is refused, and what to do', async () => {
    const token = 'e'.repeat(20);
    const refused = await centrali(['subscribe', '--json'], { env: { CENTRALI_TOKEN: token } });
    expect(refused).toMatchObject({ code: 1, err: expect.stringContaining('INVALID_TOKEN') });
    expect(JSON.parse(refused.out)).toMatchObject({ code: 'INVALID_TOKEN', recoverable: false });
    expect(refused.err + refused.out).not.toContain(token);
    const filter = await centrali(['subscribe', '--filter', 'status:(']);
    expect(filter).toMatchObject({ code: 1, err: expect.stringContaining('INVALID_FILTER') });
  });

  it.each([
    [['publish'], 'No event is given'],
    [['publish', '--event', 'record_created'], 'recordSlug'],
    [['publish', '--event', 'Bad Name'], 'event is a name'],
    [['publish', '--event', 'x', '--data', '{'], '--data is not JSON'],
    [['publish', '--structure', 'order'], '--structure needs --event'],
    [['subscribe', '--count', 'many'], 'whole number'],
  ])('%j is wrong usage', async (args, text) => {
    expect(await centrali(args)).toMatchObject({ code: 2, err: expect.stringContaining(text) });
  });
});

describe('administration', () => {
  it('makes, lists, rotates and deletes service accounts', async () => {
    const made = await centrali(['service-account', 'create', 'shop', '--role', 'viewer', '--json']);
    const { id, clientId, clientSecret } = JSON.parse(made.out) as Record<string, string>;
    expect(clientSecret).toMatch(/^sk_[0-9a-f]{64}$/);
    const list = await centrali(['service-account', 'list']);
    expect(list.out).toContain(clientId);
    expect(list.out).not.toContain('sk_');
    const rotated = await centrali(['service-account', 'rotate', String(id), '--grace-seconds', '60']);
    expect(rotated.out).toMatch(/sk_[0-9a-f]{64}/);
    const env = {
      CENTRALI_URL: service.baseUrl,
      CENTRALI_WORKSPACE: 'demo',
      CENTRALI_CLIENT_ID: clientId ?? '',
      CENTRALI_CLIENT_SECRET: clientSecret ?? '',
    };
    expect(await centrali(['publish', '--event', 'x'], { env })).toMatchObject({
      code: 1,
      err: expect.stringContaining('FORBIDDEN'),
    });
    expect((await centrali(['service-account', 'disable', String(id)])).code).toBe(0);
    expect(await centrali(['publish', '--event', 'x'], { env })).toMatchObject({
      code: 1,
      err: expect.stringContaining('invalid_client'),
    });
    expect((await centrali(['service-account', 'enable', String(id)])).code).toBe(0);
    expect((await centrali(['service-account', 'delete', String(id)])).code).toBe(0);
    expect(await centrali(['service-account', 'delete', String(id)])).toMatchObject({
      code: 1,
      err: expect.stringContaining('NOT_FOUND'),
    });
  });

  it('makes a token, explains it, revokes it', async () => {
    const { out: token, code } = await centrali(['token', '--sub', 'alice', '--role', 'viewer']);
    expect(code).toBe(0);
    const good = await centrali(['explain'], { input: token });
    expect(good).toMatchObject({ code: 0, out: expect.stringMatching(/^Allowed\n/) });
    const denied = await centrali(['explain', '--permission', 'realtime:publish', '--json'], { input: token });
    expect(denied.code).toBe(1);
    expect(JSON.parse(denied.out.split('\n')[0] ?? '')).toMatchObject({ allowed: false, code: 'FORBIDDEN' });
    expect((await centrali(['revoke', '--sub', 'alice'])).code).toBe(0);
    expect((await centrali(['explain'], { input: token })).out).toContain('INVALID_TOKEN');
    expect((await centrali(['revoke'])).code).toBe(2);
    expect((await centrali(['explain'])).code).toBe(2);
  });

  it('sets members and roles', async () => {
    const role = await centrali([
      'role',
      'put',
      'orders',
      '--permission',
      'realtime:subscribe',
      '--structures',
      'order,invoice',
    ]);
    expect(role).toMatchObject({ code: 0, err: '' });
    expect((await centrali(['role', 'list', '--json'])).out).toContain('"structures":["order","invoice"]');
    expect((await centrali(['member', 'put', 'auth0|7 ä', '--role', 'orders'])).code).toBe(0);
    expect((await centrali(['member', 'list'])).out).toContain('auth0|7 ä');
    expect((await centrali(['member', 'delete', 'auth0|7 ä'])).code).toBe(0);
    expect((await centrali(['role', 'delete', 'orders'])).code).toBe(0);
    expect((await centrali(['role', 'put', 'x'])).code).toBe(2);
  });

  it('shows the audit log as a table and as JSON', async () => {
    expect((await centrali(['audit'])).out.split('\n')[0]).toMatch(/^at\s+kind\s+action\s+target\s+code\s+reason/);
    const { out } = await centrali(['audit', '--limit', '3', '--json']);
    expect((JSON.parse(out) as { items: unknown[] }).items).toHaveLength(3);
  });
});

describe('connections', () => {
  it('are listed and closed beside a running dev, by a short token of its operator', { timeout: 20_000 }, async () => {
    const { io, code } = await subscribing('--count', '1');
    const { items } = JSON.parse((await centrali(['connections', 'list', '--json'])).out) as {
      items: { id: string; principal: string }[];
    };
    expect(items).toEqual([
      {
        id: expect.stringMatching(/^cn_[0-9a-f]{32}$/),
        principal: readDevData(folder)?.clientId,
        kind: 'service',
        clientId: readDevData(folder)?.clientId,
        address: '127.0.0.1',
        openedAt: expect.stringMatching(/Z$/),
        expiresAt: expect.stringMatching(/Z$/),
        state: 'live',
        unsentBytes: 0,
        requestId: expect.stringMatching(/^req_/),
      },
    ]);
    const table = await centrali(['connections', 'list']);
    expect(table).toMatchObject({ code: 0, err: '' });
    expect(table.out).toContain(items[0]?.id);
    const closed = await centrali(['connections', 'close', items[0]?.id ?? '']);
    expect(closed).toMatchObject({ code: 0, out: `Connection ${items[0]?.id} is closed.\n` });
    const again = await centrali(['connections', 'close', items[0]?.id ?? '']);
    expect(again.code).toBe(1);
    expect(again.err).toContain('NOT_FOUND');
    // The subscription comes back by itself, and misses nothing.
    await centrali(['publish', '--event', 'closed_meanwhile']);
    expect(await code).toBe(0);
    expect(io.out()).toContain('closed_meanwhile');
  });
});

describe('where and who', () => {
  it('needs a server, a workspace and credentials, and says how to give them', async () => {
    const lost = async (env: Record<string, string>): Promise<string> => {
      const { code, err } = await centrali(['publish', '--event', 'x'], {
        env: { CENTRALI_DATA: join(folder, 'none'), ...env },
      });
      expect(code).toBe(2);
      return err;
    };
    expect(await lost({})).toContain('CENTRALI_URL');
    const CENTRALI_URL = service.baseUrl;
    expect(await lost({ CENTRALI_URL })).toContain('--workspace');
    expect(await lost({ CENTRALI_URL, CENTRALI_WORKSPACE: 'demo' })).toContain('CENTRALI_TOKEN');
    expect(await lost({ CENTRALI_URL, CENTRALI_WORKSPACE: 'demo', CENTRALI_CLIENT_ID: 'x' })).toContain(
      'CENTRALI_CLIENT_SECRET',
    );
    expect(await lost({ CENTRALI_URL, CENTRALI_WORKSPACE: 'Demo' })).toContain('slug');
    expect(await lost({ CENTRALI_URL: 'http://realtime.example.com' })).toContain('https');
  });

  it('never sends the secrets of dev to another server', async () => {
    const { code, err } = await centrali([
      'publish',
      '--event',
      'x',
      '--url',
      'http://127.0.0.1:1',
      '--workspace',
      'demo',
    ]);
    expect(code).toBe(2);
    expect(err).toContain('Nothing says who you are at http://127.0.0.1:1');
  });

  it('reads secrets from files', async () => {
    const path = join(folder, 'secret');
    writeFileSync(path, `${readDevData(folder)?.clientSecret}\n`);
    const args = ['--client-id', readDevData(folder)?.clientId ?? '', '--client-secret-file', path];
    expect((await centrali(['publish', '--event', 'x', ...args])).code).toBe(0);
    expect(await centrali(['publish', '--event', 'x', '--token-file', join(folder, 'none')])).toMatchObject({
      code: 2,
      err: expect.stringContaining('ENOENT'),
    });
  });

  it('says that nobody answers', async () => {
    const env = { CENTRALI_URL: 'http://127.0.0.1:1', CENTRALI_WORKSPACE: 'demo', CENTRALI_TOKEN: 'x' };
    expect(await centrali(['member', 'list'], { env })).toMatchObject({
      code: 1,
      err: expect.stringContaining('No answer came'),
    });
  });

  it('keeps dev.json to its owner', () => {
    expect(statSync(devFile(folder)).mode & 0o777).toBe(0o600);
  });
});

describe('the rest', () => {
  it.each([
    [['--help'], 0, /Usage: centrali/],
    [['--version'], 0, /^\d+\.\d+\.\d+/],
    [['publish', '--help'], 0, /Examples:/],
    [['init', '--output', '-'], 0, /"publicUrl"/],
  ] as [string[], number, RegExp][])('%j', async (args, code, out) => {
    expect(await centrali(args)).toMatchObject({ code, out: expect.stringMatching(out) });
  });

  it.each([
    [['nonsense']],
    [['publish', '--nonsense']],
    [['token']],
    [['start', '--role', 'boss']],
    [['dev', '--port', 'x']],
  ])('%j is wrong usage', async (args) => expect(await centrali(args)).toMatchObject({ code: 2, out: '' }));

  it('tests filters', async () => {
    const input = '{"event":"record_created","data":{"status":"paid"}}';
    expect((await centrali(['filter', 'test', 'data.status:paid'], { input })).code).toBe(0);
    expect((await centrali(['filter', 'test', 'data.status:open', '--json'], { input })).out).toContain(
      '{"match":false}',
    );
    expect((await centrali(['filter', 'test', 'data.status:('], { input })).code).toBe(2);
  });

  it('makes workspaces in a data folder', async () => {
    const data = ['--data', join(folder, 'other')];
    const made = await centrali(['workspace', 'create', 'acme', '--owner', 'ann', '--json', ...data]);
    expect(JSON.parse(made.out)).toMatchObject({
      workspace: 'acme',
      clientId: expect.stringMatching(/^ci_/),
      owner: 'ann',
    });
    expect(await centrali(['workspace', 'create', 'acme', ...data])).toMatchObject({
      code: 1,
      err: expect.stringContaining('exists'),
    });
    expect(await centrali(['workspace', 'create', 'A', ...data])).toMatchObject({ code: 2 });
    expect((await centrali(['workspace', 'suspend', 'acme', ...data])).code).toBe(0);
    expect((await centrali(['workspace', 'list', ...data])).out).toMatch(/acme\s+suspended/);
    expect((await centrali(['workspace', 'delete', 'acme', ...data])).code).toBe(0);
    expect(await centrali(['workspace', 'create', 'acme', ...data])).toMatchObject({
      code: 1,
      err: expect.stringContaining('never used twice'),
    });
    expect(await centrali(['workspace', 'resume', 'nobody', ...data])).toMatchObject({ code: 1 });
    expect((await centrali(['keys', 'rotate', ...data])).code).toBe(0);
    expect(JSON.parse((await centrali(['keys', 'list', '--json', ...data])).out).items).toHaveLength(2);
    expect((await centrali(['migrate', ...data])).code).toBe(0);
  });

  it('copies the data folder of a running service, so that a service can go on with the copy', async () => {
    const copy = join(folder, 'copy');
    await centrali(['publish', '--event', 'kept']);
    expect(await centrali(['backup', copy, '--data', folder])).toMatchObject({ code: 0, err: '' });
    expect(statSync(join(copy, 'state.db')).mode & 0o077).toBe(0);
    expect(statSync(join(copy, 'log.db')).mode & 0o077).toBe(0);
    expect(await centrali(['backup', copy, '--data', folder])).toMatchObject({
      code: 2,
      err: expect.stringContaining('there already'),
    });
    expect(await centrali(['backup', join(folder, 'x'), '--data', join(folder, 'none')])).toMatchObject({ code: 2 });
    expect((await centrali(['workspace', 'list', '--data', copy])).out).toMatch(/demo\s+active/);
    expect((await centrali(['migrate', '--data', copy])).code).toBe(0);
  });

  it('writes a configuration once, which check accepts', async () => {
    const path = join(folder, 'centrali.jsonc');
    expect((await centrali(['init', '--output', path, '--public-url', 'http://127.0.0.1:8080'])).code).toBe(0);
    expect(await centrali(['init', '--output', path])).toMatchObject({
      code: 2,
      err: expect.stringContaining('there already'),
    });
    const checked = await centrali(['check', '--config', path, '--data', folder, '--json']);
    expect(checked.code).toBe(0);
    expect(JSON.parse(checked.out)).toMatchObject({ ok: true });
  });
});
