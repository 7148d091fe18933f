/**
 * Starts the built command as an operator would, as a child process, and stops it by its pid. Nothing of
 * the server's sources is imported: what the tests know, they know from its output and over HTTP.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository. */
export const ROOT: string = fileURLToPath(new URL('../..', import.meta.url));
/** The committed entry of the command. */
export const COMMAND: string = join(ROOT, 'packages/server/bin/centrali.js');
const START_MS = 20_000;

/** The one line that `dev --json` prints when it is ready. */
export interface DevReady {
  readonly ready: true;
  readonly baseUrl: string;
  readonly internalUrl: string;
  readonly workspace: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly adminToken: string;
}

/** A child process with its output kept. */
export interface Child {
  readonly pid: number;
  /** Everything on stdout so far. */
  stdout(): string;
  /** Everything on stderr so far. */
  stderr(): string;
  /** Resolves with the first line on stdout for which `accept` gives a value; rejects when the process ends first. */
  line<T>(accept: (line: string) => T | undefined, timeoutMs?: number): Promise<T>;
  /** Sends a signal. */
  signal(name: NodeJS.Signals): void;
  /** Resolves when the process is over. */
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** SIGTERM, then SIGKILL after 10 s; resolves when it is over. */
  stop(): Promise<void>;
  /** SIGKILL; resolves when it is over. */
  kill(): Promise<void>;
}

/** How to start a process. */
export interface ChildOptions {
  /** Added to the environment; `undefined` removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Written to stdin, which is then closed. */
  readonly input?: string;
  /** Signals reach its children too: for programs such as `npx` that do not hand them on. */
  readonly group?: boolean;
}

interface Target {
  readonly child: ChildProcess;
  readonly group: boolean;
}

const children = new Set<Target>();
// A worker that dies leaves no process behind.
process.once('exit', () => {
  for (const target of children) send(target, 'SIGKILL');
});

/** Sends a signal to a process, or to its group. */
function send({ child, group }: Target, signal: NodeJS.Signals): void {
  if (!group || child.pid === undefined) {
    child.kill(signal);
    return;
  }
  try {
    process.kill(-child.pid, signal);
  } catch {
    // All of it is gone.
  }
}

/** The environment of the tests without any `CENTRALI_…` of whoever runs them. */
function environment(extra: ChildOptions['env']): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {};
  for (const [name, value] of Object.entries(process.env)) if (!name.startsWith('CENTRALI_')) env[name] = value;
  for (const [name, value] of Object.entries(extra ?? {})) {
    if (value === undefined) delete env[name];
    else env[name] = value;
  }
  delete env.NODE_OPTIONS;
  delete env.VITEST;
  env.NO_COLOR = '1';
  return env;
}

/** Starts any program. */
export function startProcess(program: string, args: readonly string[], options: ChildOptions = {}): Child {
  const child = spawn(program, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: environment(options.env),
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: options.group === true,
  });
  const target = { child, group: options.group === true };
  children.add(target);
  child.stdin.on('error', () => {});
  child.stdin.end(options.input ?? '');
  let stdout = '';
  let stderr = '';
  let wake = (): void => {};
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk;
    wake();
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk;
    wake();
  });
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      children.delete(target);
      resolve({ code, signal });
      wake();
    });
  });
  exited.catch(() => {});
  const over = (): boolean => child.exitCode !== null || child.signalCode !== null;
  return {
    pid: child.pid ?? -1,
    stdout: () => stdout,
    stderr: () => stderr,
    exited,
    signal: (name) => send(target, name),
    async line(accept, timeoutMs = START_MS) {
      let timer: NodeJS.Timeout | undefined;
      const timeout = new Promise<never>((_, reject) => {
        timer = setTimeout(
          () =>
            reject(new Error(`no such line within ${timeoutMs} ms\n${stdout.slice(-2000)}\n${stderr.slice(-4000)}`)),
          timeoutMs,
        );
      });
      try {
        for (let from = 0; ; ) {
          const change = new Promise<void>((resolve) => (wake = resolve));
          for (let end = stdout.indexOf('\n', from); end !== -1; end = stdout.indexOf('\n', from)) {
            const value = accept(stdout.slice(from, end));
            from = end + 1;
            if (value !== undefined) return value;
          }
          if (over())
            throw new Error(`the process ended (${child.exitCode ?? child.signalCode})\n${stdout}\n${stderr}`);
          await Promise.race([change, timeout, exited]);
        }
      } finally {
        clearTimeout(timer);
      }
    },
    async stop() {
      if (over()) return;
      send(target, 'SIGTERM');
      const timer = setTimeout(() => send(target, 'SIGKILL'), 10_000);
      await exited;
      clearTimeout(timer);
    },
    async kill() {
      if (over()) return;
      send(target, 'SIGKILL');
      await exited;
    },
  };
}

/** Starts `centrali …`. */
export function startCommand(args: readonly string[], options: ChildOptions = {}): Child {
  return startProcess(process.execPath, [COMMAND, ...args], options);
}

/** Runs `centrali …` to its end. */
export async function runCommand(
  args: readonly string[],
  options: ChildOptions = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = startCommand(args, options);
  const timer = setTimeout(() => child.signal('SIGKILL'), 25_000);
  const { code } = await child.exited;
  clearTimeout(timer);
  return { code, stdout: child.stdout(), stderr: child.stderr() };
}

/** A new folder below the system's for temporary files, and the function that removes it. */
export function temporaryFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'centrali-black-box-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }) };
}

/** A running `centrali dev`. */
export interface Dev extends DevReady, Child {
  /** Its data folder. */
  readonly data: string;
}

/** How to start `dev`. */
export interface DevOptions extends ChildOptions {
  /** Kept by `stop` when given, so that another `dev` can go on with it. */
  readonly data?: string;
  readonly port?: number;
  readonly args?: readonly string[];
}

/** What every `dev` of a test has: all tests are one address, and no test waits for a drain of 25 s. */
const TEST_ENV = {
  CENTRALI_DRAIN_SECONDS: '1',
  CENTRALI_LIMITS_CONNECTS_PER_SECOND_PER_ADDRESS: '0',
  CENTRALI_LIMITS_REQUESTS_PER_SECOND_PER_PRINCIPAL: '0',
};

/** Starts `centrali dev --port 0 --json` on a data folder of its own; resolves when it is ready. */
export async function startDev(options: DevOptions = {}): Promise<Dev> {
  const folder = options.data === undefined ? temporaryFolder() : undefined;
  const data = options.data ?? join(folder?.path ?? '', 'data');
  const child = startCommand(
    ['dev', '--port', String(options.port ?? 0), '--json', '--data', data, ...(options.args ?? [])],
    { ...options, env: { ...TEST_ENV, ...options.env } },
  );
  const after = async (end: () => Promise<void>): Promise<void> => {
    await end();
    folder?.remove();
  };
  try {
    const ready = await child.line((line) => {
      const value: unknown = line.startsWith('{') ? JSON.parse(line) : undefined;
      return (value as DevReady | undefined)?.ready === true ? (value as DevReady) : undefined;
    });
    return {
      ...child,
      ...ready,
      data,
      stop: () => after(() => child.stop()),
      kill: () => after(() => child.kill()),
    };
  } catch (error) {
    await after(() => child.kill());
    throw error;
  }
}
