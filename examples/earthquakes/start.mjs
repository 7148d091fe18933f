/** The example, beside a running `centrali dev`: publishes the earthquakes and serves the page. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { publish } from './publish.mjs';
import { serve } from './serve.mjs';

const USAGE = `Usage: npm run earthquakes -- [--pace N] [--port N] [--no-publish]

  --pace N      earthquakes per second; usually 20
  --port N      where the page is served; usually 8090, 0 = any
  --no-publish  only serve the page`;

const values = readArguments();
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
const pace = Number(values.pace);
const port = Number(values.port);
if (!(pace > 0) || !(port >= 0)) fail('--pace and --port are numbers above 0 (--port 0: any free port).');

function readArguments() {
  try {
    return parseArgs({
      options: {
        pace: { type: 'string', default: '20' },
        port: { type: 'string', default: '8090' },
        publish: { type: 'boolean', default: true },
        help: { type: 'boolean', short: 'h', default: false },
      },
      allowNegative: true,
    }).values;
  } catch (error) {
    return fail(`${error.message}\n\n${USAGE}`);
  }
}

/** What a running `dev` wrote for programs beside it. */
function readDev() {
  try {
    return JSON.parse(readFileSync(join(process.env.CENTRALI_DATA ?? '.centrali', 'dev.json'), 'utf8'));
  } catch {
    return fail('Start Centrali first, in this folder: npm start');
  }
}

function fail(message) {
  console.error(message);
  process.exit(2);
}

const dev = readDev();

/** A token of a viewer for 15 minutes. `dev` makes tokens for anyone; in production your login provider does. */
async function visitorToken() {
  const response = await fetch(`${dev.baseUrl}/workspace/${dev.workspace}/api/v1/dev-tokens`, {
    method: 'POST',
    headers: { authorization: `Bearer ${readDev().adminToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({ sub: 'visitor', role: 'viewer', ttl: 900 }),
  });
  if (!response.ok) throw new Error(`No token for a visitor: ${response.status}. Is Centrali running (npm start)?`);
  return (await response.json()).token;
}

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort());
const site = await serve(dev, { port, visitorToken }).catch((error) =>
  fail(error.code === 'EADDRINUSE' ? `Port ${port} is taken: add -- --port 0` : error.message),
);
stop.signal.addEventListener('abort', site.close);
console.log(`Earthquakes: ${site.url}`);

if (values.publish) {
  const shown = process.stdout.isTTY;
  try {
    await publish(dev, {
      pace,
      signal: stop.signal,
      onProgress: (done, all) => shown && process.stdout.write(`\r${done} of ${all} published`),
    });
    if (!stop.signal.aborted) console.log(`${shown ? '\n' : ''}All are published; the page stays. Ctrl+C ends it.`);
  } catch (error) {
    console.error(`${error.code ?? error.name}: ${error.message} ${error.remedy ?? ''}`);
    site.close();
    process.exitCode = 1;
  }
}
