/** What the measurements here have in common: a server of their own, a probe of latency, and numbers for people. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { RawPublisher } from '../test/chaos/raw-publisher.ts';
import { RawSubscriber } from '../test/chaos/raw-subscriber.ts';
import { eventsPath, tokenOf } from '../test/chaos/workspaces.ts';
import { startDev } from '../test/support/centrali.ts';

/** Starts a server, on a folder of its own unless one is given; `env` are its options. */
export async function startServer(env = {}, data) {
  const dev = await startDev({
    ...(data === undefined ? {} : { data }),
    env: {
      CENTRALI_LIMITS_CONNECTIONS_PER_PRINCIPAL: '0',
      CENTRALI_LIMITS_CONNECTIONS_PER_WORKSPACE: '0',
      CENTRALI_LIMITS_CONNECTIONS_PER_ADDRESS: '0',
      ...env,
    },
  });
  const token = await tokenOf(dev, dev);
  return { dev, token, port: Number(new URL(dev.baseUrl).port), path: eventsPath(dev) };
}

/** The value below which a part of them lies. */
export function quantile(values, part) {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

/** The middle one. */
export function median(values) {
  return quantile(values, 0.5);
}

/** Events as one body of JSON. */
export function batch(count, make) {
  return `[${Array.from({ length: count }, (_, i) => JSON.stringify(make(i))).join(',')}]`;
}

/** Publishes `count` events in requests of 1,000; the first id. */
export async function preload({ port, path, token }, count, slug) {
  const publisher = new RawPublisher({ port, path, token });
  let first;
  for (let at = 0; at < count; at += 1000) {
    const body = batch(Math.min(1000, count - at), (i) => event(slug, at + i));
    const answer = await publisher.send(body);
    if (answer?.status !== 202) throw new Error(`preload: ${answer?.status} ${answer?.body}`);
    first ??= JSON.parse(answer.body).ids[0];
  }
  publisher.close();
  return first;
}

/** An event of about 300 bytes on the wire. */
export function event(recordSlug, n, data = {}) {
  return { event: 'record_created', recordSlug, recordId: String(n), data: { status: 'paid', total: n, ...data } };
}

/** Publishes `perSecond` single events and measures the time to a live subscriber, in ms. */
export async function startProbe({ port, path, token }, perSecond) {
  let latencies = [];
  const stopped = new AbortController();
  const { promise: connected, resolve } = Promise.withResolvers();
  const subscriber = new RawSubscriber({
    port,
    path: `${path}?structures=probe`,
    token,
    onSystem: (type) => type === 'connected' && resolve(),
    onEvent: (text) => latencies.push(performance.now() - JSON.parse(text).data.at),
  });
  await connected;
  const publishers = Array.from({ length: 8 }, () => new RawPublisher({ port, path, token }));
  const loops = publishers.map(async (publisher, i) => {
    let next = performance.now() + (1000 / perSecond) * i;
    for (; !stopped.signal.aborted; next += (1000 / perSecond) * publishers.length) {
      const early = next - performance.now();
      if (early > 0) await sleep(early);
      await publisher.send(JSON.stringify(event('probe', i, { at: performance.now() })));
    }
  });
  return {
    /** What was measured since the last time. */
    take() {
      const taken = latencies;
      latencies = [];
      return taken;
    },
    async stop() {
      stopped.abort();
      await Promise.all(loops);
      for (const publisher of publishers) publisher.close();
      subscriber.stop();
    },
  };
}

/** Resident memory of a process, in MiB. */
export function residentMiB(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

// Counts blocks with an id beside the measuring process, so that its own reading is not measured.
const READER = `
const [port, path, token, cursor, streams, wanted, header] = process.argv.slice(1);
const NEEDLE = Buffer.from('\\nevent: message');
let done = 0;
for (let i = 0; i < Number(streams); i++) {
  const socket = require('node:net').connect(Number(port), '127.0.0.1');
  socket.write('GET ' + path + ' HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\nAuthorization: Bearer ' + token + '\\r\\nLast-Event-ID: ' + cursor + '\\r\\n\\r\\n');
  let count = 0, rest = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    const data = rest.length ? Buffer.concat([rest, chunk]) : chunk;
    let at = 0;
    for (let found; (found = data.indexOf(NEEDLE, at)) !== -1; at = found + NEEDLE.length) count++;
    rest = data.subarray(Math.max(at, data.length - NEEDLE.length + 1));
    if (count >= Number(wanted)) { socket.destroy(); if (++done === Number(streams)) process.exit(0); }
  });
  socket.on('error', () => process.exit(1));
  socket.on('close', () => { if (count < Number(wanted)) process.exit(1); });
}`;

/** Resumes `streams` times from a cursor in another process; resolves with the ms until each has `wanted` events. */
export function resumeElsewhere({ port, path, token }, cursor, streams, wanted, query = '') {
  const began = performance.now();
  const child = spawn(
    process.execPath,
    ['-e', READER, String(port), `${path}${query}`, token, cursor, String(streams), String(wanted)],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
  return new Promise((resolve, reject) => {
    child.on('exit', (code) => (code === 0 ? resolve(performance.now() - began) : reject(new Error('a stream ended'))));
  });
}

/** The load of the machine beside the figures: they mean little without it. */
export function load() {
  return `load average ${loadavg()[0].toFixed(1)}`;
}
