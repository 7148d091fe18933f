// The fixtures are the page's own text, and compile as it stands.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startProcess, temporaryFolder } from '../support/centrali.ts';
import { page, program, SAMPLES, sampleText } from './samples.ts';

describe('the samples', () => {
  it.each(SAMPLES)('%s stands on the page, word for word', (sample) => {
    expect(page()).toContain(sampleText(sample));
    expect(sampleText(sample).split('\n').length).toBeGreaterThan(2);
  });

  it('are all the code that the page has', () => {
    const code = /^(import |const |centrali\.|function |\/\/ (Update|Token|Decode))/;
    const samples = new Set(SAMPLES.flatMap((sample) => sampleText(sample).split('\n')));
    for (const line of page()
      .split('\n')
      .filter((text) => code.test(text)))
      expect(samples).toContain(line);
  });

  it('type-check under their preludes, with the types of React 18', async () => {
    const check = temporaryFolder();
    try {
      const root = join(import.meta.dirname, '../..');
      for (const sample of SAMPLES) {
        const text = program(sample).replaceAll("'./", `'${import.meta.dirname}/`);
        writeFileSync(join(check.path, `${sample}.ts`), sample === 'react-component' ? text : `${text}\nexport {};\n`);
      }
      writeFileSync(
        join(check.path, 'tsconfig.json'),
        JSON.stringify({
          compilerOptions: {
            strict: true,
            noEmit: true,
            target: 'ES2022',
            module: 'ESNext',
            moduleResolution: 'bundler',
            allowImportingTsExtensions: true,
            skipLibCheck: true,
            types: ['node'],
            typeRoots: [join(root, 'node_modules/@types')],
            lib: ['ES2022', 'DOM', 'DOM.Iterable'],
            paths: {
              'your-auth-provider': [join(import.meta.dirname, 'auth-provider.ts')],
              '@centrali-io/centrali-sdk': [join(root, 'packages/sdk/dist/index.d.ts')],
              react: [join(root, 'node_modules/@types/react/index.d.ts')],
              'react-dom/client': [join(import.meta.dirname, 'react-dom-client.d.ts')],
            },
          },
          include: ['*.ts'],
        }),
      );
      const tsc = startProcess(join(root, 'node_modules/.bin/tsc'), ['-p', check.path]);
      expect({ ...(await tsc.exited), output: tsc.stdout() + tsc.stderr() }).toEqual({
        code: 0,
        signal: null,
        output: '',
      });
    } finally {
      check.remove();
    }
  });
});
