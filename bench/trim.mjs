// Retention under load: the latency of live events while old ones are trimmed, beside the same without.
// node bench/trim.mjs [--pairs 5] [--rate 500]
import { setTimeout as sleep } from 'node:timers/promises';
import { RawPublisher } from '../test/chaos/raw-publisher.ts';
import { readOptions } from './options.mjs';
import { batch, event, load, median, preload, quantile, startProbe, startServer } from './parts.mjs';

const options = readOptions('Trimming under load', { pairs: 5, rate: 200, batches: 20, seconds: 6, keep: 50_000 });

/** p99 of live events while batches of 100 come in; with `keep`, as many are trimmed as come. */
async function run(keep) {
  const server = await startServer({ CENTRALI_LOG_MAX_EVENTS: String(keep) });
  try {
    await preload(server, options.keep, 'old');
    const probe = await startProbe(server, options.rate);
    const publisher = new RawPublisher(server);
    const stopped = new AbortController();
    const flood = (async () => {
      for (let next = performance.now(); !stopped.signal.aborted; next += 1000 / options.batches) {
        await sleep(Math.max(0, next - performance.now()));
        await publisher.send(batch(100, (i) => event('flood', i)));
      }
    })();
    await sleep(2000);
    probe.take();
    await sleep(options.seconds * 1000);
    const values = probe.take();
    stopped.abort();
    await flood;
    publisher.close();
    await probe.stop();
    return { p50: median(values), p99: quantile(values, 0.99) };
  } finally {
    await server.dev.stop();
  }
}

const rows = [];
for (let pair = 0; pair < options.pairs; pair++) {
  const kept = await run(0);
  const trimmed = await run(options.keep);
  rows.push({
    'p50 kept': kept.p50,
    'p50 trimming': trimmed.p50,
    'p99 kept': kept.p99,
    'p99 trimming': trimmed.p99,
    more: trimmed.p99 - kept.p99,
  });
}
console.log(`${options.batches * 100} events/s in batches, ${options.rate}/s singly and measured; ms; ${load()}`);
console.table(
  rows.map((row) =>
    Object.fromEntries(Object.entries(row).map(([name, value]) => [name, Math.round(value * 10) / 10])),
  ),
);
console.log(`median: p99 ${median(rows.map(({ more }) => more)).toFixed(1)} ms more`);
