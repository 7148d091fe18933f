import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { writeDevData } from '../dev-data.ts';
import { fakeIo } from '../io.fixture.ts';
import { findTarget } from './target.ts';

const folder = mkdtempSync(join(tmpdir(), 'centrali-target-'));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('takes a token of the environment nowhere that only a data folder names, but to this machine', () => {
  const dev = { workspace: 'demo', clientId: 'ci_1', clientSecret: 'sk_1', internalUrl: 'http://127.0.0.1:2' };
  const find = (env: Record<string, string>) => findTarget(fakeIo({ env }), { devData: folder }, 'principal');
  writeDevData(folder, { ...dev, baseUrl: 'https://evil.example' });
  expect(() => find({ CENTRALI_TOKEN: 't' })).toThrow('names a server that is not on this machine');
  expect(() => find({ CENTRALI_CLIENT_ID: 'ci_2', CENTRALI_CLIENT_SECRET: 's' })).toThrow('not on this machine');
  expect(find({ CENTRALI_TOKEN: 't', CENTRALI_URL: 'https://evil.example' }).baseUrl).toBe('https://evil.example');
  writeDevData(folder, { ...dev, baseUrl: 'http://127.0.0.1:1' });
  expect(find({ CENTRALI_TOKEN: 't' })).toMatchObject({ baseUrl: 'http://127.0.0.1:1', credentials: { token: 't' } });
});
