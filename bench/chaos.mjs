// kill -9 of the server again and again under load: what was acknowledged, what each handler got.
// node bench/chaos.mjs [--kills 50] [--seconds 10] [--seed N] ...
import { runCrashes } from '../test/chaos/crash.ts';
import { faults, total } from '../test/chaos/ledger.ts';
import { readOptions } from './options.mjs';

const options = readOptions('Crash tests of the whole service', {
  seed: Math.floor(Math.random() * 2 ** 32),
  kills: 50,
  seconds: 10,
  workspaces: 10,
  subscribers: 20,
  sdk: 4,
  rate: 2000,
});
console.log(`seed ${options.seed}`);
const { ledgers, kills, seconds, streams } = await runCrashes({
  ...options,
  withinMs: options.seconds * 1000,
  perSecond: options.rate,
  log: console.log,
});
const counts = total(ledgers);
const rate = Math.round(counts.acknowledged / seconds);
console.log(
  `${kills} kills in ${seconds.toFixed(0)} s, ${streams} streams opened, ${rate} acknowledged/s with the starts`,
);
console.table(counts);
const wrong = faults(ledgers);
console.log(wrong.length === 0 ? 'every acknowledged event once, in order' : `FAILED\n${wrong.join('\n')}`);
process.exit(wrong.length === 0 ? 0 : 1);
