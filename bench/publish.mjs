// Durable publishes per second over HTTP, singly and in batches, with their latency.
// node bench/publish.mjs [--seconds 4] [--repeats 3]
import { setTimeout as sleep } from 'node:timers/promises';
import { RawPublisher } from '../test/chaos/raw-publisher.ts';
import { readOptions } from './options.mjs';
import { batch, event, load, median, quantile, startServer } from './parts.mjs';

const options = readOptions('Durable publishes', { seconds: 4, repeats: 3 });
const CASES = [
  [1, 1],
  [1, 8],
  [1, 32],
  [1, 128],
  [10, 8],
  [100, 1],
  [100, 8],
  [1000, 1],
  [1000, 4],
];
const server = await startServer();

/** As many requests as go, of `size` events from each of `publishers` connections. */
async function run(size, publishers) {
  const body = size === 1 ? JSON.stringify(event('b', 1)) : batch(size, (i) => event('b', i));
  const latencies = [];
  const stopped = new AbortController();
  const began = performance.now();
  const loops = Array.from({ length: publishers }, async () => {
    const publisher = new RawPublisher(server);
    while (!stopped.signal.aborted) {
      const sent = performance.now();
      const answer = await publisher.send(body);
      if (answer?.status !== 202) throw new Error(`publish: ${answer?.status} ${answer?.body}`);
      latencies.push(performance.now() - sent);
    }
    publisher.close();
  });
  await sleep(options.seconds * 1000);
  stopped.abort();
  await Promise.all(loops);
  const seconds = (performance.now() - began) / 1000;
  return { rate: (latencies.length * size) / seconds, p50: median(latencies), p99: quantile(latencies, 0.99) };
}

try {
  const rows = [];
  for (const [size, publishers] of CASES) {
    const runs = [];
    for (let i = 0; i < options.repeats; i++) runs.push(await run(size, publishers));
    const middle = (name) => Math.round(median(runs.map((one) => one[name])) * 10) / 10;
    rows.push({
      'events per request': size,
      connections: publishers,
      'events/s': Math.round(middle('rate')),
      'p50 ms': middle('p50'),
      'p99 ms': middle('p99'),
    });
  }
  console.log(`Medians of ${options.repeats} runs of ${options.seconds} s; ${load()}`);
  console.table(rows);
} finally {
  await server.dev.stop();
}
