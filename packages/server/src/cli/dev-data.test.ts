import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { devFile, readDevData, writeDevData } from './dev-data.ts';

const folder = mkdtempSync(join(tmpdir(), 'centrali-dev-'));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('writes secrets for their owner alone, and through no link that was there', () => {
  const elsewhere = join(folder, 'elsewhere');
  symlinkSync(elsewhere, `${devFile(folder)}.${process.pid}`);
  const data = {
    workspace: 'demo',
    clientId: 'ci_1',
    clientSecret: 'sk_1',
    baseUrl: 'http://a',
    internalUrl: 'http://b',
  };
  writeDevData(folder, data);
  expect(existsSync(elsewhere)).toBe(false);
  expect(readDevData(folder)).toEqual(data);
  expect(statSync(devFile(folder)).mode & 0o777).toBe(0o600);
});
