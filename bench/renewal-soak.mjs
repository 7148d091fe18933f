#!/usr/bin/env node
// A service account whose tokens live some seconds, renewed in place: counts lost and doubled events, and
// reconnects. Starts its own `centrali dev` from the built command.
//
//   node bench/renewal-soak.mjs --minutes 10 --rate 50 --token-seconds 5
//
// Prints one JSON object; exit code 1 when anything was lost, doubled, out of order, or reconnected.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CentraliSDK } from '@centrali-io/centrali-sdk';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    rate: { type: 'string', default: '50' },
    'token-seconds': { type: 'string', default: '5' },
    delivery: { type: 'string', default: 'header' },
  },
});
const minutes = Number(values.minutes);
const rate = Number(values.rate);

const COMMAND = fileURLToPath(new URL('../packages/server/bin/centrali.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'centrali-soak-'));
const server = spawn(
  process.execPath,
  [
    ...[COMMAND, 'dev', '--port', '0', '--json', '--data', join(folder, 'data')],
    ...['--tokens-service-lifetime-seconds', values['token-seconds']],
  ],
  {
    stdio: ['ignore', 'pipe', 'inherit'],
    // Reader and writer are one principal here, at the rate of its limit.
    env: { ...process.env, CENTRALI_DRAIN_SECONDS: '1', CENTRALI_LIMITS_REQUESTS_PER_SECOND_PER_PRINCIPAL: '0' },
  },
);
process.once('exit', () => server.kill('SIGKILL'));
const ready = await new Promise((resolve, reject) => {
  createInterface(server.stdout).once('line', (line) => resolve(JSON.parse(line)));
  server.once('exit', (code) => reject(new Error(`dev ended with ${code}`)));
});
const { baseUrl, internalUrl, workspace, clientId, clientSecret } = ready;
const credentials = { baseUrl, workspaceId: workspace, clientId, clientSecret };

/** Numbers that came, in order; each event carries its own. */
const received = [];
const connects = [];
const disconnects = [];
const errors = [];
const reader = new CentraliSDK({ ...credentials, tokenRefresh: 'beforeExpiry', tokenDelivery: values.delivery });
const connected = Promise.withResolvers();
const subscription = reader.realtime.subscribe({
  onEvent: ({ data }) => void received.push(data.n),
  onConnected({ connectionId }) {
    connects.push(connectionId);
    connected.resolve();
  },
  onDisconnected: (reason) => void disconnects.push(reason),
  onError: ({ code }) => void errors.push(code),
});
await connected.promise;

const writer = new CentraliSDK({ ...credentials, tokenRefresh: 'beforeExpiry' });
const began = performance.now();
const total = Math.round(minutes * 60 * rate);
let sent = 0;
const failures = [];
while (sent < total) {
  const due = Math.min(total, Math.floor(((performance.now() - began) / 1000) * rate));
  for (; sent < due; sent++) {
    const n = sent;
    // A publish whose token died on the way is repeated under its key, as any client would.
    for (let attempt = 0; ; attempt++) {
      try {
        await writer.realtime.publish({ event: 'counted', data: { n } }, { idempotencyKey: `soak-${n}` });
        break;
      } catch (error) {
        failures.push(error.code);
        if (attempt >= 5) throw error;
        await writer.fetchServiceAccountToken().then((token) => writer.setToken(token));
      }
    }
  }
  await pause(1000 / rate);
}
const publishedAt = performance.now();
while (received.length < total && performance.now() - publishedAt < 10_000) await pause(20);
const metrics = await (await fetch(`${internalUrl}/metrics`)).text();
const renewals = [...metrics.matchAll(/^centrali_http_answers_total\{(.*)\} (\d+)$/gm)]
  .filter(([, labels]) => labels.includes('connections/{id}/token'))
  .map(([, labels, count]) => ({ status: /status="(\d+)"/.exec(labels)?.[1], count: Number(count) }));
subscription.unsubscribe();
server.kill('SIGTERM');
await new Promise((resolve) => server.once('exit', resolve));
rmSync(folder, { recursive: true, force: true });

const seen = new Set(received);
const result = {
  minutes,
  rate,
  tokenSeconds: Number(values['token-seconds']),
  published: total,
  received: received.length,
  lost: total - seen.size,
  doubled: received.length - seen.size,
  outOfOrder: received.filter((n, i) => i > 0 && n < received[i - 1]).length,
  connects: connects.length,
  disconnects: disconnects.filter((reason) => reason !== 'unsubscribed'),
  errors,
  renewals,
  publishesRepeated: failures.length,
};
process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
const good =
  result.lost === 0 && result.doubled === 0 && result.outOfOrder === 0 && result.connects === 1 && errors.length === 0;
process.exitCode = good ? 0 : 1;
