// What is published works where it is installed: in an empty project, offline, from tarballs and from a running
// dev's URLs; and the command says what to do where it cannot run.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Dev, ROOT, startDev, startProcess, temporaryFolder } from '../support/centrali.ts';
import { commandPath, requirePart } from '../support/parts.ts';

const PACKAGES = ['protocol', 'sdk', 'react', 'server'] as const;

describe.skipIf(!requirePart('npm'))('packages', () => {
  const folder = temporaryFolder();
  const tarballs = new Map<string, string>();
  let dev: Dev;
  let project = 0;

  const npm = async (cwd: string, ...args: string[]): Promise<string> => {
    const child = startProcess(commandPath('npm') ?? 'npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd,
      // What is installed must need nothing from a registry.
      env: {
        npm_config_offline: 'true',
        npm_config_cache: join(folder.path, 'cache'),
        npm_config_workspace: undefined,
      },
    });
    const { code } = await child.exited;
    expect(code, `npm ${args.join(' ')}\n${child.stdout()}\n${child.stderr()}`).toBe(0);
    return child.stdout();
  };

  const emptyProject = (): string => {
    const path = join(folder.path, `project-${++project}`);
    mkdirSync(path);
    writeFileSync(join(path, 'package.json'), '{"name":"empty","private":true,"type":"module"}');
    return path;
  };

  /** Runs a program of the project's; its output. */
  const run = async (cwd: string, program: string, env: Record<string, string> = {}): Promise<string> => {
    writeFileSync(join(cwd, 'main.mjs'), program);
    const child = startProcess(process.execPath, ['main.mjs'], { cwd, env });
    const timer = setTimeout(() => child.signal('SIGKILL'), 20_000);
    const { code } = await child.exited;
    clearTimeout(timer);
    expect(code, child.stdout() + child.stderr()).toBe(0);
    return child.stdout();
  };

  beforeAll(async () => {
    dev = await startDev();
    for (const name of PACKAGES) {
      // `--ignore-scripts`: it is built already.
      const packed = JSON.parse(
        await npm(
          join(ROOT, 'packages', name),
          'pack',
          '--json',
          '--ignore-scripts',
          '--pack-destination',
          folder.path,
        ),
      );
      const [entry] = Array.isArray(packed) ? packed : Object.values(packed);
      tarballs.set(name, join(folder.path, (entry as { filename: string }).filename));
    }
  });
  afterAll(async () => {
    await dev?.stop();
    folder.remove();
  });

  const RECEIVE = `
    import { CentraliSDK } from '@centrali-io/centrali-sdk';
    const centrali = new CentraliSDK({ baseUrl: process.env.BASE, workspaceId: 'demo', clientId: process.env.ID, clientSecret: process.env.SECRET });
    const subscription = centrali.realtime.subscribe({
      structures: ['installed'],
      onConnected: () => void centrali.realtime.publish({ event: 'record_created', recordSlug: 'installed', recordId: '1', data: {} }),
      onEvent: (event) => { console.log(event.event, event.recordId); subscription.unsubscribe(); },
      onError: (error) => { console.error(error.code, error.message); process.exit(1); },
    });`;
  const settings = (): Record<string, string> => ({ BASE: dev.baseUrl, ID: dev.clientId, SECRET: dev.clientSecret });

  it('the SDK, from its tarball, needs nothing else and delivers an event', async () => {
    const path = emptyProject();
    await npm(path, 'install', tarballs.get('sdk') ?? '');
    expect(readdirSync(join(path, 'node_modules', '@centrali-io'))).toEqual(['centrali-sdk']);
    expect(await run(path, RECEIVE, settings())).toBe('record_created 1\n');
  });

  it("the SDK, from dev's URL, delivers an event", async () => {
    const path = emptyProject();
    // npm fetches a tarball's URL also where no registry may be asked: only this host is not offline.
    writeFileSync(join(path, '.npmrc'), 'offline=false\nregistry=http://127.0.0.1:9/\n');
    const child = startProcess(
      commandPath('npm') ?? 'npm',
      ['install', `${dev.baseUrl}/-/centrali-sdk.tgz`, '--no-audit', '--no-fund'],
      {
        cwd: path,
        env: { npm_config_cache: join(folder.path, 'cache') },
      },
    );
    const { code } = await child.exited;
    expect(code, child.stderr()).toBe(0);
    expect(await run(path, RECEIVE, settings())).toBe('record_created 1\n');
  });

  it.each(['centrali-sdk', 'react'])("dev's tarball of %s holds what npm would pack", async (name) => {
    const response = await fetch(`${dev.baseUrl}/-/${name}.tgz`);
    expect(response.status).toBe(200);
    const unpack = async (tarball: string): Promise<string[]> => {
      const child = startProcess('tar', ['-tzf', tarball]);
      await child.exited;
      return child
        .stdout()
        .trim()
        .split('\n')
        .filter((file) => !file.endsWith('.map'))
        .sort();
    };
    const file = join(folder.path, `${name}-from-dev.tgz`);
    writeFileSync(file, Buffer.from(await response.arrayBuffer()));
    expect(await unpack(file)).toEqual(await unpack(tarballs.get(name === 'react' ? 'react' : 'sdk') ?? ''));
  });

  it('no tarball holds tests, sources or secrets', async () => {
    for (const [name, tarball] of tarballs) {
      const child = startProcess('tar', ['-tzf', tarball]);
      await child.exited;
      const files = child.stdout().trim().split('\n');
      expect(files.length, name).toBeGreaterThan(2);
      for (const file of files) expect(file).not.toMatch(/\.test\.|\.contract\.|\/src\/|\.centrali|\.db$|\.env/);
    }
  });

  it('types are there for whoever imports', async () => {
    const path = emptyProject();
    await npm(path, 'install', tarballs.get('sdk') ?? '');
    const { exports } = JSON.parse(
      readFileSync(join(path, 'node_modules/@centrali-io/centrali-sdk/package.json'), 'utf8'),
    );
    expect(exports['.'].types).toMatch(/\.d\.ts$/);
    const types = readFileSync(join(path, 'node_modules/@centrali-io/centrali-sdk', exports['.'].types), 'utf8');
    expect(types).toContain('CentraliSDK');
    // The protocol's types come with it: no package is missing.
    expect(types).not.toContain('@centrali-io/protocol');
  });

  it('the same SDK reads a stream in the oldest Node that it names, if that is here', async () => {
    const old = startProcess('/usr/bin/node', ['--version']);
    const { code } = await old.exited.catch(() => ({ code: 1 }));
    if (code !== 0 || Number(/^v(\d+)/.exec(old.stdout())?.[1]) < 20) return;
    const path = emptyProject();
    await npm(path, 'install', tarballs.get('sdk') ?? '');
    writeFileSync(join(path, 'main.mjs'), RECEIVE);
    const child = startProcess('/usr/bin/node', ['main.mjs'], { cwd: path, env: settings() });
    expect((await child.exited).code, child.stderr()).toBe(0);
    expect(child.stdout()).toBe('record_created 1\n');
  });
});

describe('the command', () => {
  it('says what to do under a Node that is too old', async () => {
    const old = startProcess('/usr/bin/node', [join(ROOT, 'packages/server/bin/centrali.js'), 'dev', '--port', '0']);
    const result = await old.exited.catch(() => undefined);
    // A machine without another Node, or with a new one, has nothing to show here.
    if (result === undefined || result.code === null || !old.stderr().includes('needs Node 24')) {
      const version = startProcess('/usr/bin/node', ['--version']);
      await version.exited.catch(() => {});
      expect(Number(/^v(\d+)/.exec(version.stdout())?.[1] ?? 24)).toBeGreaterThanOrEqual(24);
      return;
    }
    expect(result.code).toBe(2);
    expect(old.stderr()).toContain('npm ci --ignore-scripts=false');
  });
});
