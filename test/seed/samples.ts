/**
 * The code samples of the authentication guide, each in a file of its own with its text as it stands on the
 * page, and the preludes of imports and names under which they run.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { ROOT } from '../support/centrali.ts';

/** The samples, in the order of the page. */
export const SAMPLES = [
  'user-token',
  'set-token',
  'service-account',
  'token-expired',
  'switch-over-codes',
  'react-component',
  'service-account-refresh',
  'decode-token',
  'test-connection',
] as const;

/** A sample's name. */
export type Sample = (typeof SAMPLES)[number];

const fixture = (name: string): string => readFileSync(new URL(`fixtures/${name}.txt`, import.meta.url), 'utf8');

/** The page's text. */
export const page = (): string => fixture('page');

/** A sample's text, unaltered. */
export const sampleText = (sample: Sample): string => fixture(sample);

const SDK = "import { CentraliSDK } from '@centrali-io/centrali-sdk';";
const names = (...list: string[]): string => `import { ${list.join(', ')} } from './names.ts';`;

/** What stands before each sample: imports and names, no more. */
const PRELUDES: Readonly<Record<Sample, string>> = {
  'user-token': names('handleEvent', 'userJwtToken'),
  'set-token': `${names('centrali', 'expired', 'newToken')}\nawait expired;`,
  'service-account': `${SDK}\n${names('handleEvent')}`,
  'token-expired': names('centrali', 'handleEvent'),
  'switch-over-codes': names('centrali', 'handleEvent', 'reconnect', 'redirectToLogin', 'refreshToken'),
  'react-component': [
    SDK,
    "import { useEffect, useRef } from 'react';",
    "import { handleEvent, show } from './page-names.ts';",
    'show(MyComponent);',
  ].join('\n'),
  'service-account-refresh': `${SDK}\n${names('handleEvent')}`,
  'decode-token': names('yourToken'),
  'test-connection': names('centrali'),
};

/** The whole text of a sample's program: its prelude, then the sample. */
export function program(sample: Sample): string {
  return `${PRELUDES[sample]}\n${sampleText(sample)}`;
}

/** The folder in which programs are compiled: relative imports begin here. */
export const FOLDER: string = join(ROOT, 'test/seed');

/** Bundles a sample's program for Node, or for a page with the React of a folder. */
export async function bundle(sample: Sample, reactFolder?: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: program(sample), resolveDir: FOLDER, loader: 'ts', sourcefile: `${sample}.ts` },
    bundle: true,
    write: false,
    format: 'esm',
    platform: reactFolder === undefined ? 'node' : 'browser',
    target: 'es2022',
    logLevel: 'silent',
    define: { 'process.env.NODE_ENV': '"production"' },
    alias:
      reactFolder === undefined
        ? {}
        : {
            react: join(reactFolder, 'react'),
            'react-dom': join(reactFolder, 'react-dom'),
            'your-auth-provider': join(FOLDER, 'auth-provider.ts'),
          },
  });
  return outputFiles[0]?.text ?? '';
}
