// The cursor in the hands of an application: over restarts of its process, and while it is slow.
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CentraliSDK, type RealtimeEvents } from '@centrali-io/centrali-sdk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { publish, serviceToken } from '../support/api.ts';
import { type Child, type Dev, ROOT, startDev, startProcess, temporaryFolder } from '../support/centrali.ts';
import { until } from '../support/wait.ts';

const folder = temporaryFolder();
let dev: Dev;
let token: string;
beforeAll(async () => {
  dev = await startDev();
  token = await serviceToken(dev);
});
afterAll(async () => {
  await dev?.stop();
  folder.remove();
});

const tick = (n: number, recordSlug: string, data: object = {}): object => ({
  event: 'record_created',
  recordSlug,
  recordId: String(n),
  data,
});

// What it has handled and the cursor are one line of one file, so they are kept together or not at all.
const APPLICATION = `
  import { appendFileSync, readFileSync } from 'node:fs';
  import { CentraliSDK } from '@centrali-io/centrali-sdk';
  const { BASE: baseUrl, TOKEN: token, FILE } = process.env;
  const lines = readFileSync(FILE, 'utf8').split('\\n').filter(Boolean);
  const lastEventId = lines.at(-1)?.split(' ')[1];
  new CentraliSDK({ baseUrl, workspaceId: 'demo', token }).realtime.subscribe({
    lastEventId,
    structures: ['restarted'],
    onEvent: ({ recordId }, { id }) => appendFileSync(FILE, recordId + ' ' + id + '\\n'),
    onConnected: () => console.log('connected'),
    onGap: ({ reason }) => appendFileSync(FILE, 'gap-' + reason + ' -\\n'),
  });
`;

test('an application that keeps the id goes on after it was killed: each event once, in order', {
  timeout: 60_000,
}, async () => {
  const file = join(folder.path, 'handled');
  const handled = (): string[] => readFileSync(file, 'utf8').split('\n').filter(Boolean);
  // Its first position: the application has no cursor before its first event.
  const [first = ''] = await publish(dev, token, tick(0, 'restarted'));
  writeFileSync(file, '');
  appendFileSync(file, `0 ${first}\n`);
  const start = (): Child =>
    startProcess(process.execPath, ['--input-type=module', '-e', APPLICATION], {
      cwd: ROOT,
      env: { BASE: dev.baseUrl, TOKEN: token, FILE: file },
    });
  let n = 1;
  for (let life = 0; life < 4; life++) {
    const application = start();
    await application.line((line) => line === 'connected' || undefined);
    const stop = handled().length + 30;
    const publishing = (async () => {
      while (handled().length < stop) {
        await publish(
          dev,
          token,
          Array.from({ length: 5 }, () => tick(n++, 'restarted')),
        );
      }
    })();
    await publishing;
    await application.kill();
    // What it does not hear of.
    await publish(
      dev,
      token,
      Array.from({ length: 7 }, () => tick(n++, 'restarted')),
    );
  }
  const last = start();
  await until('everything is handled', () => handled().length >= n);
  await last.kill();
  expect(handled().map((line) => line.split(' ')[0])).toEqual(Array.from({ length: n }, (_, i) => String(i)));
});

test('a handler that is slow holds the stream back; cut as slow, it goes on and misses nothing', {
  timeout: 60_000,
}, async () => {
  const sdk = new CentraliSDK({ baseUrl: dev.baseUrl, workspaceId: dev.workspace, token });
  const seen: number[] = [];
  const disconnected: string[] = [];
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const { promise: connected, resolve } = Promise.withResolvers<void>();
  const subscription = sdk.realtime.subscribe({
    structures: ['slow'],
    onConnected: () => resolve(),
    onDisconnected: (reason) => void disconnected.push(reason),
    onGap: () => void seen.push(Number.NaN),
    onEvent: async ({ recordId }) => {
      if (seen.length === 1) await released;
      seen.push(Number(recordId));
    },
  });
  await connected;
  // 30 MB: more than the kernel and the server hold for one stream.
  const padding = 'x'.repeat(10_000);
  for (let i = 0; i < 50; i++) {
    await publish(
      dev,
      token,
      Array.from({ length: 60 }, (_, k) => tick(i * 60 + k, 'slow', { padding })),
    );
  }
  expect(seen).toEqual([0]);
  expect(subscription.lastEventId).not.toBeNull();
  release();
  await until('everything is handled', () => seen.length >= 3000, 40_000);
  expect(seen).toEqual(Array.from({ length: 3000 }, (_, i) => i));
  expect(disconnected.length).toBeGreaterThan(0);
  subscription.unsubscribe();
});

test('a loop over events takes its time, ends when it is left, and another goes on after it', {
  timeout: 60_000,
}, async () => {
  const sdk = new CentraliSDK({ baseUrl: dev.baseUrl, workspaceId: dev.workspace, token });
  const [first = ''] = await publish(dev, token, tick(0, 'loop'));
  await publish(
    dev,
    token,
    Array.from({ length: 200 }, (_, i) => tick(i + 1, 'loop')),
  );
  const seen: number[] = [];
  let cursor: string | null = first;
  for (let turn = 0; turn < 4; turn++) {
    const events: RealtimeEvents = sdk.realtime.events({ structures: ['loop'], lastEventId: cursor });
    for await (const { recordId } of events) {
      // The one in hand is not handled yet: whoever leaves here gets it again.
      cursor = events.lastEventId;
      if (turn < 3 && seen.length === (turn + 1) * 40) break;
      seen.push(Number(recordId));
      if (seen.length % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      if (seen.length === 200) break;
    }
  }
  expect(seen).toEqual(Array.from({ length: 200 }, (_, i) => i + 1));
});
