// A reader that stops reading for a minute beside a full rate of events: what it costs, that it is cut, and that
// it misses nothing. Its receive buffer is 64 KiB, so that what it does not read is the server's.
// node bench/slow-reader.mjs [--seconds 60] [--rate 2000]
import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { RawPublisher } from '../test/chaos/raw-publisher.ts';
import { readOptions } from './options.mjs';
import { event, load, residentMiB, startServer } from './parts.mjs';

const options = readOptions('A slow reader', { seconds: 60, rate: 2000 });
const server = await startServer();
const { port, path, token, dev } = server;
const got = new Set();
let doubles = 0;
let cursor;
let streams = 0;
let closing = '';
let expected = 0;

// Node cannot set a socket's receive buffer; perl, which every Debian has, can. It reads a little, stops, reads on.
const SLOW = `
use Socket; my ($port, $stop, $head) = @ARGV; $| = 1;
socket(my $s, PF_INET, SOCK_STREAM, 0) or die; setsockopt($s, SOL_SOCKET, SO_RCVBUF, pack('l', 65536)) or die;
connect($s, pack_sockaddr_in($port, inet_aton('127.0.0.1'))) or die; syswrite($s, $head);
my ($total, $stopped) = (0, 0);
while ((my $n = sysread($s, my $data, 16384)) > 0) {
  print $data; $total += $n;
  if (!$stopped && $total > 30000) { $stopped = 1; sleep($stop); }
}`;

/** Reads blocks until the connection ends, from the cursor; with `stopSeconds` it stops reading for so long. */
function read(stopSeconds) {
  streams++;
  const header = cursor === undefined ? '' : `Last-Event-ID: ${cursor}\r\n`;
  const head = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n${header}\r\n`;
  return new Promise((resolve) => {
    const socket = stopSeconds === 0 ? connect({ port, host: '127.0.0.1' }) : undefined;
    socket?.write(head);
    const source =
      socket ??
      spawn('perl', ['-e', SLOW, String(port), String(stopSeconds), head], { stdio: ['ignore', 'pipe', 'inherit'] })
        .stdout;
    let rest = '';
    source.setEncoding('utf8');
    source.on('data', (chunk) => {
      rest += chunk;
      const blocks = rest.split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) take(block);
      if (finished && got.size >= expected) socket?.destroy();
    });
    source.on('error', () => {});
    source.on('close', resolve);
  });
}

function take(block) {
  const id = /^id: (.+)$/m.exec(block)?.[1];
  if (id !== undefined) cursor = id;
  closing = /"type":"closing","reason":"(\w+)"/.exec(block)?.[1] ?? closing;
  const n = /"recordId":"(\d+)"/.exec(block)?.[1];
  if (n === undefined) return;
  if (got.has(n)) doubles++;
  got.add(n);
}

/** A token that may list connections. */
async function watcher() {
  const response = await fetch(`${dev.baseUrl}/workspace/${dev.workspace}/api/v1/dev-tokens`, {
    method: 'POST',
    headers: { authorization: `Bearer ${dev.adminToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({ sub: 'watcher', role: 'admin' }),
  });
  return (await response.json()).token;
}

let finished = false;
const stopped = new AbortController();
try {
  const watching = await watcher();
  const before = residentMiB(dev.pid);
  const first = read(options.seconds);
  await sleep(500);
  const publishers = Array.from({ length: 16 }, () => new RawPublisher(server));
  const began = performance.now();
  const loops = publishers.map(async (publisher, i) => {
    const every = (1000 / options.rate) * publishers.length;
    for (let next = performance.now() + (every * i) / publishers.length; !stopped.signal.aborted; next += every) {
      const early = next - performance.now();
      if (early > 0) await sleep(early);
      const answer = await publisher.send(JSON.stringify(event('slow', expected++)));
      if (answer?.status !== 202) throw new Error(`publish: ${answer?.status}`);
    }
  });
  let unsent = 0;
  const list = async () => {
    const response = await fetch(`${dev.baseUrl}/realtime/workspace/demo/connections`, {
      headers: { authorization: `Bearer ${watching}` },
    });
    if (!response.ok) throw new Error(`connections: ${response.status}`);
    const { items = [] } = await response.json();
    for (const item of items) unsent = Math.max(unsent, item.unsentBytes ?? 0);
  };
  const listed = setInterval(() => void list(), 20);
  let peak = 0;
  const watch = setInterval(() => (peak = Math.max(peak, residentMiB(dev.pid))), 100);
  await first;
  console.log(`first stream over: ${closing || 'without a word (reset)'}, ${got.size} of ${expected} events`);
  stopped.abort();
  await Promise.all(loops);
  const rate = (expected / (performance.now() - began)) * 1000;
  finished = true;
  while (got.size < expected) await read(0);
  clearInterval(listed);
  clearInterval(watch);
  for (const publisher of publishers) publisher.close();
  console.log(
    `${expected} published at ${rate.toFixed(0)}/s, ${got.size} received, ${doubles} twice, ${streams} streams`,
  );
  console.log(
    `most unsent bytes seen ${unsent}; memory ${before.toFixed(0)} MiB before, peak ${peak.toFixed(0)} MiB; ${load()}`,
  );
  process.exitCode = got.size === expected && doubles === 0 ? 0 : 1;
} finally {
  await dev.stop();
}
