// A resume over many events: what it costs others, and the server's memory; then many resumes at once.
// node bench/resume.mjs [--events 100000] [--pairs 7] [--streams 2000] ...
import { setTimeout as sleep } from 'node:timers/promises';
import { temporaryFolder } from '../test/support/centrali.ts';
import { readMetrics } from '../test/support/metrics.ts';
import { readOptions } from './options.mjs';
import { load, median, preload, quantile, residentMiB, resumeElsewhere, startProbe, startServer } from './parts.mjs';

const options = readOptions('Resumes', { events: 100_000, pairs: 7, rate: 200, streams: 2000, behind: 1000 });
const server = await startServer();
try {
  const cursor = await preload(server, options.events + 1, 'old');
  const probe = await startProbe(server, options.rate);
  await sleep(2000);
  const rows = [];
  const peaks = [];
  const before = residentMiB(server.dev.pid);
  for (let pair = 0; pair < options.pairs; pair++) {
    probe.take();
    await sleep(3000);
    const quiet = probe.take();
    let peak = 0;
    const watch = setInterval(() => (peak = Math.max(peak, residentMiB(server.dev.pid))), 20);
    const ms = await resumeElsewhere(server, cursor, 1, options.events, '?structures=old');
    const busy = probe.take();
    clearInterval(watch);
    peaks.push(peak);
    rows.push({
      'p99 quiet': quantile(quiet, 0.99),
      'p99 resuming': quantile(busy, 0.99),
      more: quantile(busy, 0.99) - quantile(quiet, 0.99),
      'p50 quiet': median(quiet),
      'p50 resuming': median(busy),
      'events/s': (options.events / ms) * 1000,
      'peak MiB': peak,
    });
  }
  console.log(`One resume over ${options.events} events beside ${options.rate} live events/s; ms; ${load()}`);
  console.table(
    rows.map((row) =>
      Object.fromEntries(Object.entries(row).map(([name, value]) => [name, Math.round(value * 10) / 10])),
    ),
  );
  console.log(
    `median: p99 ${median(rows.map(({ more }) => more)).toFixed(1)} ms more; memory ${before.toFixed(0)} MiB before, peak ${Math.max(...peaks).toFixed(0)} MiB`,
  );
  await probe.stop();
} finally {
  await server.dev.stop();
}

// Many at once, from a server that has nothing in memory yet: one sweep of the log serves them all.
const folder = temporaryFolder();
const first = await startServer({}, folder.path);
const from = await preload(first, options.behind + 1, 'many');
await first.dev.stop();
const second = await startServer({}, folder.path);
try {
  const reads = async () => (await readMetrics(second.dev.internalUrl)).get('centrali_log_pages_total') ?? Number.NaN;
  const before = await reads();
  const ms = await resumeElsewhere(second, from, options.streams, options.behind);
  console.log(
    `${options.streams} resumes at once over ${options.behind} events: ${(ms / 1000).toFixed(1)} s, ${(await reads()) - before} pages read from the log; ${load()}`,
  );
} finally {
  await second.dev.stop();
  folder.remove();
}
