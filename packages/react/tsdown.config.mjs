import { defineConfig } from 'tsdown';

export default defineConfig({
  entry: ['src/index.ts'],
  format: 'esm',
  platform: 'neutral',
  target: 'es2022',
  dts: { oxc: true },
  sourcemap: true,
  minify: false,
  logLevel: 'warn',
  // Hooks run in the browser: frameworks with server components want to be told.
  banner: { js: "'use client';" },
  outExtensions: () => ({ js: '.js', dts: '.d.ts' }),
});
