// What `dev` prints works as it is printed: a newcomer pastes two commands and sees an event arrive.
import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Child, ROOT, runCommand, startCommand, startProcess, temporaryFolder } from '../support/centrali.ts';
import { freePort } from '../support/free-port.ts';
import { requirePart } from '../support/parts.ts';
import { until } from '../support/wait.ts';

const folder = temporaryFolder();
const running: Child[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((child) => child.kill()));
});
afterAll(() => folder.remove());

/** Runs what is printed, in a shell, in the newcomer's folder. */
function paste(command: string, cwd: string): Child {
  const child = startProcess('/bin/bash', ['-c', `exec ${command}`], {
    cwd,
    group: true,
    env: { PATH: `${join(ROOT, 'node_modules/node/bin')}:${process.env.PATH}` },
  });
  running.push(child);
  return child;
}

describe('dev', () => {
  let cwd: string;
  let dev: Child;
  let printed: string;

  beforeAll(async () => {
    // A checkout as a newcomer has it: the command is found through node_modules.
    cwd = join(folder.path, 'checkout');
    mkdirSync(cwd);
    symlinkSync(join(ROOT, 'node_modules'), join(cwd, 'node_modules'));
    dev = startCommand(['dev', '--port', '0'], { cwd });
    await until('all is printed', () => dev.stdout().includes('Ctrl-C'));
    printed = dev.stdout();
  });
  afterAll(() => dev?.stop());

  const command = (verb: string): string => {
    const line = printed.split('\n').find((text) => text.trim().startsWith(`npx --no centrali ${verb}`));
    expect(line, `${verb} in\n${printed}`).toBeDefined();
    return line?.trim() ?? '';
  };

  it.skipIf(!requirePart('npm'))('prints a subscriber and a publisher which, pasted, deliver an event', async () => {
    const subscriber = paste(command('subscribe'), cwd);
    await until('the subscriber is connected', () => /connected/i.test(subscriber.stderr() + subscriber.stdout()));
    const publisher = paste(command('publish'), cwd);
    expect((await publisher.exited).code, publisher.stderr()).toBe(0);
    const event = await subscriber.line((line) => (line.startsWith('{') ? JSON.parse(line) : undefined));
    expect(event).toMatchObject({ event: 'record_created', recordSlug: 'order', recordId: '42' });
  });

  it.skipIf(!requirePart('npm') || !requirePart('curl'))(
    'prints a way without the command that works too',
    async () => {
      const lines = printed.split('\n').map((line) => line.trim());
      const token = lines.find((line) => line.startsWith('TOKEN='));
      const curl = lines.find((line) => line.startsWith('curl -N'));
      const script = `${token}\n${curl?.replace('curl -N', 'exec curl -sN')}`;
      const child = startProcess('/bin/bash', ['-c', script], {
        cwd,
        env: { PATH: `${join(ROOT, 'node_modules/node/bin')}:${process.env.PATH}` },
      });
      running.push(child);
      await child.line((line) => (line.includes('"connected"') ? line : undefined));
    },
  );

  it('keeps its account in a file that only its user can read', () => {
    const file = join(cwd, '.centrali/dev.json');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const { clientId, clientSecret } = JSON.parse(readFileSync(file, 'utf8'));
    expect(printed).toContain(clientId);
    expect(printed).toContain(clientSecret);
  });

  it('says what to do when its port is taken, and ends with 2', async () => {
    const port = /127\.0\.0\.1:(\d+)/.exec(printed)?.[1] ?? '';
    const second = await runCommand(['dev', '--port', port, '--data', join(folder.path, 'second')]);
    expect(second.code).toBe(2);
    expect(second.stderr).toContain(`Port ${port} is taken`);
    expect(second.stderr).toMatch(/--port/);
  });

  it('says that its data is in use by another process, and ends with 2', async () => {
    const second = await runCommand(['dev', '--port', '0', '--data', join(cwd, '.centrali')]);
    expect(second.code).toBe(2);
    expect(second.stderr).toMatch(/in use/);
  });

  it('subscribes and publishes by flags and by NDJSON, with exit codes', async () => {
    const data = ['--dev-data', join(cwd, '.centrali')];
    const subscriber = startCommand(['subscribe', '--structures', 'flags', '--count', '3', ...data]);
    running.push(subscriber);
    await until('connected', () => /connected/i.test(subscriber.stderr()));
    const one = ['publish', '--event', 'record_created', '--structure', 'flags', '--id', '1', '--data', '{"a":1}'];
    expect((await runCommand([...one, ...data])).code).toBe(0);
    const lines = [2, 3].map((n) =>
      JSON.stringify({ event: 'record_created', recordSlug: 'flags', recordId: String(n), data: {} }),
    );
    expect((await runCommand(['publish', ...data], { input: `${lines.join('\n')}\n` })).code).toBe(0);
    expect((await subscriber.exited).code).toBe(0);
    const ids = subscriber
      .stdout()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).recordId);
    expect(ids).toEqual(['1', '2', '3']);
    const refused = await runCommand([...one, ...data], { env: { CENTRALI_TOKEN: 'nonsense' } });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('INVALID_TOKEN');
    expect((await runCommand(['publish', '--event', 'Not A Name', ...data])).code).toBe(2);
    expect((await runCommand(['publish', '--colour', 'red', ...data])).code).toBe(2);
    const filter = await runCommand(['subscribe', '--filter', '(((', ...data]);
    expect(filter.code).toBe(1);
    expect(filter.stderr).toContain('INVALID_FILTER');
  });
});

describe('dev --json', () => {
  it('prints exactly one line on stdout', async () => {
    const child = startCommand(['dev', '--port', '0', '--json', '--data', join(folder.path, 'json')]);
    running.push(child);
    const ready = await child.line((line) => JSON.parse(line));
    expect(Object.keys(ready).sort()).toEqual(
      ['adminToken', 'baseUrl', 'clientId', 'clientSecret', 'internalUrl', 'ready', 'workspace'].sort(),
    );
    await fetch(`${ready.baseUrl}/healthz`);
    await child.stop();
    expect(child.stdout().trim().split('\n').length).toBe(1);
    expect(await child.exited).toMatchObject({ code: 0 });
  });
});

describe('start', () => {
  it('names every fault of a configuration at once, prints no secret, and ends with 2', async () => {
    const config = join(folder.path, 'bad.jsonc');
    writeFileSync(
      config,
      `{
        // Faults: an unknown key, a number out of range, a wrong type, a secret in the file.
        "colour": "red",
        "port": 99999,
        "limits": { "connectionsPerWorkspace": "many" },
        "internal": { "credential": "canary-secret-canary-secret-canary" },
        "publicUrl": "http://realtime.example.com",
      }`,
    );
    const { code, stdout, stderr } = await runCommand(['start', '--config', config], {
      env: { CENTRALI_STREAM_COLOUR: 'x', CENTRALI_INTERNAL_CREDENTIAL: 'short-canary' },
    });
    expect(code).toBe(2);
    for (const fault of [
      'colour',
      'port',
      'limits.connectionsPerWorkspace',
      'internal.credential',
      'CENTRALI_STREAM_COLOUR',
    ]) {
      expect(stderr).toContain(fault);
    }
    expect(stdout + stderr).not.toContain('canary');
  });

  it('refuses plain HTTP where others can reach it, and says why', async () => {
    const { code, stderr } = await runCommand([
      'start',
      '--host',
      '0.0.0.0',
      '--public-url',
      'https://x.example',
      '--data',
      join(folder.path, 'no'),
    ]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/tls\.certFile|trustedProxies/);
  });

  it('runs what init writes, says how to make a workspace, and check finds it sound', async () => {
    const cwd = join(folder.path, 'production');
    mkdirSync(cwd);
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    expect((await runCommand(['init', '--public-url', url], { cwd })).code).toBe(0);
    const env = { CENTRALI_PORT: String(port), CENTRALI_INTERNAL_PORT: '0', CENTRALI_DATA: join(cwd, 'data') };
    const check = await runCommand(['check', '--config', 'centrali.jsonc'], { cwd, env });
    expect([0, 1]).toContain(check.code);
    expect(check.stdout + check.stderr).toMatch(/durab|synchronous|disk/i);
    const child = startCommand(['start', '--config', 'centrali.jsonc', '--json'], { cwd, env });
    running.push(child);
    await child.line((line) => (line.startsWith('{"ready"') ? line : undefined));
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    await until('the hint', () => child.stderr().includes('workspace create'));
    const made = await runCommand(['workspace', 'create', 'acme', '--config', 'centrali.jsonc', '--json'], {
      cwd,
      env,
    });
    expect(made.code, made.stderr).toBe(0);
    const account = JSON.parse(made.stdout);
    // Made beside the running service, and used at once.
    const published = await runCommand(['publish', '--event', 'hello', '--url', url, '--workspace', 'acme'], {
      env: { CENTRALI_CLIENT_ID: account.clientId, CENTRALI_CLIENT_SECRET: account.clientSecret },
    });
    expect(published.code, published.stderr).toBe(0);
    const again = await runCommand(['workspace', 'create', 'acme', '--config', 'centrali.jsonc'], { cwd, env });
    expect(again.code).toBe(1);
    // dev-tokens are for dev: here they are not there.
    const token = await runCommand(['token', '--sub', 'eve', '--url', url, '--workspace', 'acme'], {
      env: { CENTRALI_CLIENT_ID: account.clientId, CENTRALI_CLIENT_SECRET: account.clientSecret },
    });
    expect(token.code).toBe(1);
  });
});
