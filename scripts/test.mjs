#!/usr/bin/env node
// `npm test`: every suite, then one line with the real counts. A suite whose outside part (Chromium,
// a proxy, ...) is missing is skipped out loud; with CENTRALI_TEST_REQUIRE=all that is a failure.
// `npm test -- <vitest arguments>` runs a part.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
// An old Node, or packages that are not built: the command says what to do, and nothing else needs to be tried.
const ready = spawnSync(process.execPath, [join(root, 'packages/server/bin/centrali.js'), '--version'], {
  stdio: ['ignore', 'ignore', 'inherit'],
});
if (ready.status !== 0) process.exit(2);

const folder = mkdtempSync(join(tmpdir(), 'centrali-test-'));
const report = join(folder, 'report.json');
const args = ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...process.argv.slice(2)];
const child = spawn(join(root, 'node_modules', '.bin', 'vitest'), args, { cwd: root, stdio: 'inherit' });
child.on('close', (code) => {
  let counts = { numPassedTests: 0, numFailedTests: 1, numPendingTests: 0, numFailedTestSuites: 0 };
  try {
    counts = JSON.parse(readFileSync(report, 'utf8'));
  } catch (error) {
    console.error(`test: no report was written (${error.message})`);
  }
  rmSync(folder, { recursive: true, force: true });
  const failed = Math.max(counts.numFailedTests, code === 0 ? 0 : 1);
  const skipped = counts.numPendingTests + (counts.numTodoTests ?? 0);
  console.log(`${counts.numPassedTests} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}`);
  process.exit(failed === 0 && counts.numPassedTests > 0 ? 0 : 1);
});
