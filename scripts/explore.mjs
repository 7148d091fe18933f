#!/usr/bin/env node
// `npm run explore`: schedules of the race explorer, 10,000 by default, each by a seed of its own.
// `-- --schedules N --seed N` runs others; `-- --seed N --schedules 1 --trace` tells one.
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { explore } from '../packages/server/src/gateway/explorer/explore.fixture.ts';

const { values } = parseArgs({
  options: {
    schedules: { type: 'string', default: '10000' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    trace: { type: 'boolean', default: false },
  },
});
const [schedules, first] = [Number(values.schedules), Number(values.seed)];
if (!(Number.isSafeInteger(schedules) && Number.isSafeInteger(first)))
  throw new TypeError('--schedules and --seed are numbers');
console.log(`seeds ${first} to ${first + schedules - 1}`);

const began = performance.now();
const kinds = {};
let failed = 0;
for (let seed = first; seed < first + schedules; seed++) {
  const { world, breaches } = await explore(seed);
  const kind = (kinds[world.weather.name] ??= { schedules: 0, streams: 0, events: 0, 'ended by error': 0, refused: 0 });
  kind.schedules++;
  for (const client of world.clients) {
    if (client.connectedAt !== undefined) kind.streams++;
    if (client.refused) kind.refused++;
    if (client.got.some(({ data }) => data.type === 'error')) kind['ended by error']++;
    kind.events += client.got.filter(({ name }) => name === 'message').length;
  }
  if (values.trace) console.log(world.trace.join('\n'));
  if (breaches.length === 0) continue;
  failed++;
  console.error(`seed ${seed} (${world.weather.name}):\n  ${breaches.join('\n  ')}`);
}
console.table(kinds);
console.log(`${schedules} schedules in ${((performance.now() - began) / 1000).toFixed(1)} s, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
