/**
 * Outside parts that some suites need. A missing part is skipped out loud; with CENTRALI_TEST_REQUIRE=all it
 * is a failure, so that a machine that should have everything cannot pass by lacking it.
 */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const COMMANDS = {
  chromium: 'chromium',
  curl: 'curl',
  npm: 'npm',
  nginx: 'nginx',
  caddy: 'caddy',
  haproxy: 'haproxy',
  strace: 'strace',
} as const;

/** The parts that suites may require. */
export type Part = keyof typeof COMMANDS;

/** The path of a command in PATH, if it is there. */
export function commandPath(part: Part): string | undefined {
  for (const folder of [...(process.env.PATH ?? '').split(delimiter), '/usr/bin', '/usr/sbin']) {
    const path = join(folder, COMMANDS[part]);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // The next folder.
    }
  }
  return undefined;
}

/** Whether the part is there, for `describe.skipIf(!requirePart('chromium'))`. */
export function requirePart(part: Part): boolean {
  if (commandPath(part) !== undefined) return true;
  if (process.env.CENTRALI_TEST_REQUIRE === 'all') throw new Error(`${part} is missing, and CENTRALI_TEST_REQUIRE=all`);
  console.warn(`SKIPPED for want of ${part}: install it to run this suite`);
  return false;
}

/**
 * Whether this machine lets a test do something that no installation brings, such as mounting: `attempt` throws
 * when it does not. Skipped out loud in any case.
 */
export function hasRight(name: string, attempt: () => void): boolean {
  try {
    attempt();
    return true;
  } catch (error) {
    console.warn(`SKIPPED, since this machine does not allow ${name}: ${String(error).split('\n')[0]}`);
    return false;
  }
}
