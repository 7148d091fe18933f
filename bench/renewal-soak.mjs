#!/usr/bin/env node
// A service account whose tokens live some seconds, renewed in place: counts lost and doubled events, and
// reconnects. Starts its own servers from the built command.
//
//   node bench/renewal-soak.mjs --minutes 10 --rate 50 --token-seconds 5
//   node bench/renewal-soak.mjs --minutes 10 --trouble cuts       through a proxy that cuts connections
//   node bench/renewal-soak.mjs --minutes 10 --trouble outages    with IAM frozen for 20 s again and again
//
// Prints one JSON object. Exit code 1 when anything was lost, doubled or out of order; without trouble also when
// there was a reconnect or an error.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { CentraliSDK } from '@centrali-io/centrali-sdk';
import { startServer } from './renewal/server.mjs';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    rate: { type: 'string', default: '50' },
    'token-seconds': { type: 'string', default: '5' },
    delivery: { type: 'string', default: 'header' },
    trouble: { type: 'string', default: 'none' },
  },
});
const minutes = Number(values.minutes);
const rate = Number(values.rate);
/** How long one event may take to be published, and the last ones to arrive: longer than an outage. */
const PATIENCE = 60_000;

const folder = mkdtempSync(join(tmpdir(), 'centrali-soak-'));
const server = await startServer(values.trouble, folder, values['token-seconds']);
const { baseUrl, authUrl, internalUrl, workspace: workspaceId, clientId, clientSecret } = server;
const credentials = { baseUrl, authUrl, workspaceId, clientId, clientSecret, tokenRefresh: 'beforeExpiry' };

/** Numbers that came, in order; each event carries its own. */
const received = [];
let connects = 0;
const counts = { disconnects: {}, errors: {}, gaps: {} };
const count = (kind, name) => {
  counts[kind][name] = (counts[kind][name] ?? 0) + 1;
};
const connected = Promise.withResolvers();
const subscription = new CentraliSDK({ ...credentials, tokenDelivery: values.delivery }).realtime.subscribe({
  onEvent: ({ data }) => void received.push(data.n),
  onConnected() {
    connects += 1;
    connected.resolve();
  },
  onDisconnected: (reason) => count('disconnects', reason),
  onError: ({ code }) => count('errors', code),
  onGap: ({ reason }) => count('gaps', reason),
});
await connected.promise;

const writer = new CentraliSDK(credentials);
let repeated = 0;

/** Publishes one event until it is stored: under its key, so that a repetition is harmless. */
async function publish(n) {
  const until = performance.now() + PATIENCE;
  for (;;) {
    try {
      return await writer.realtime.publish({ event: 'counted', data: { n } }, { idempotencyKey: `soak-${n}` });
    } catch (error) {
      if (performance.now() > until) throw error;
      repeated += 1;
      await pause(100);
      if (error.code === 'TOKEN_EXPIRED') {
        await writer.fetchServiceAccountToken().then(
          (token) => writer.setToken(token),
          () => {},
        );
      }
    }
  }
}

const began = performance.now();
const total = Math.round(minutes * 60 * rate);
for (let sent = 0; sent < total; ) {
  const due = Math.min(total, Math.floor(((performance.now() - began) / 1000) * rate));
  for (; sent < due; sent++) await publish(sent);
  await pause(1000 / rate);
}
server.calm();
const publishedAt = performance.now();
while (new Set(received).size < total && performance.now() - publishedAt < PATIENCE) await pause(50);
const metrics = await (await fetch(`${internalUrl}/metrics`)).text();
const renewals = {};
for (const [, labels, answers] of metrics.matchAll(/^centrali_http_answers_total\{(.*)\} (\d+)$/gm)) {
  const status = /status="(\d+)"/.exec(labels)?.[1];
  if (labels.includes('connections/{id}/token')) renewals[status] = Number(answers);
}
subscription.unsubscribe();
await server.stop();
rmSync(folder, { recursive: true, force: true });

delete counts.disconnects.unsubscribed;
const distinct = new Set(received).size;
const result = {
  trouble: values.trouble,
  troubles: server.troubles(),
  minutes,
  rate,
  tokenSeconds: Number(values['token-seconds']),
  published: total,
  received: received.length,
  lost: total - distinct,
  doubled: received.length - distinct,
  outOfOrder: received.filter((n, i) => i > 0 && n < received[i - 1]).length,
  connects,
  ...counts,
  renewals,
  publishesRepeated: repeated,
};
process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
const whole = result.lost === 0 && result.doubled === 0 && result.outOfOrder === 0;
const quiet = connects === 1 && Object.keys(counts.errors).length === 0;
process.exit(whole && (quiet || values.trouble !== 'none') ? 0 : 1);
