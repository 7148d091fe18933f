import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (name: string): string => fileURLToPath(new URL(`./packages/${name}/src/index.ts`, import.meta.url));

// `unit` runs the sources; `black-box` runs what `npm run build` made, over HTTP.
export default defineConfig({
  test: {
    projects: [
      {
        resolve: { alias: { '@centrali-io/protocol': source('protocol'), '@centrali-io/centrali-sdk': source('sdk') } },
        test: { name: 'unit', include: ['packages/*/src/**/*.test.{ts,tsx}', 'scripts/**/*.test.ts'] },
      },
      {
        test: {
          name: 'black-box',
          include: ['test/**/*.test.ts'],
          testTimeout: 30_000,
          hookTimeout: 60_000,
          fileParallelism: true,
          maxWorkers: 2,
        },
      },
    ],
  },
});
