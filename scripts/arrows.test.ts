import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkArrows } from './arrows.mjs';

let packages: string;

beforeEach(() => {
  packages = mkdtempSync(join(tmpdir(), 'centrali-arrows-'));
});

afterEach(() => {
  rmSync(packages, { recursive: true, force: true });
});

function source(path: string, text: string): void {
  mkdirSync(dirname(join(packages, path)), { recursive: true });
  writeFileSync(join(packages, path), text);
}

test('an import along an arrow is no breach', () => {
  source('server/src/gateway/index.ts', "import { Refusal } from '../resource-server/index.ts';\n");
  source('server/src/resource-server/index.ts', "export type { Code } from '@centrali-io/protocol';\n");
  expect(checkArrows(packages).breaches).toEqual([]);
  expect(checkArrows(packages).seen).toEqual(new Set(['gateway -> resource-server', 'resource-server -> protocol']));
});

test.each([
  ['gateway and iam never import each other', 'server/src/gateway/a.ts', "import { x } from '../iam/index.ts';"],
  ['the SDK imports nothing of the server', 'sdk/src/a.ts', "import { x } from '../../server/src/gateway/index.ts';"],
  ['protocol imports nothing', 'protocol/src/a.ts', "import { x } from '@centrali-io/centrali-sdk';"],
  ['a part is entered by its index', 'server/src/gateway/a.ts', "import { x } from '../resource-server/verify.ts';"],
  ['a package is not entered deeply', 'sdk/src/a.ts', "import { x } from '@centrali-io/protocol/dist/event.js';"],
  ['types count too', 'server/src/gateway/a.ts', "import type { X } from '../iam/index.ts';"],
  ['re-exports count too', 'server/src/iam/a.ts', "export { x } from '../gateway/index.ts';"],
  ['dynamic imports count too', 'server/src/iam/a.ts', "const x = await import('../gateway/index.ts');"],
  [
    'imports over several lines count too',
    'server/src/iam/a.ts',
    "import {\n  x,\n  y,\n} from '../gateway/index.ts';",
  ],
  ['no folder is called utils', 'sdk/src/utils/a.ts', 'export const x = 1;'],
  ['an unknown part is a breach', 'server/src/misc/a.ts', 'export const x = 1;'],
])('%s', (_, path, text) => {
  source(path, `${text}\n`);
  expect(checkArrows(packages).breaches).toHaveLength(1);
});

test('a cycle is a breach and is named', () => {
  source('sdk/src/a.ts', "import { b } from './b.ts';\n");
  source('sdk/src/b.ts', "import { a } from './a.ts';\n");
  expect(checkArrows(packages).breaches).toEqual(['cycle: sdk/src/a.ts -> sdk/src/b.ts -> sdk/src/a.ts']);
});

test('a commented import is none', () => {
  source('server/src/gateway/a.ts', "/* import { x } from '../iam/index.ts'; */\n");
  expect(checkArrows(packages).breaches).toEqual([]);
});
