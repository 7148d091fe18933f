// The SDK behind a proxy that delays, cuts in the middle of chunks, stalls and leaves connections half-open.
// node bench/storm.mjs [--seconds 300] [--seed N] ...
import { faults, total } from '../test/chaos/ledger.ts';
import { runStorm } from '../test/chaos/storm.ts';
import { readOptions } from './options.mjs';

const options = readOptions('The SDK on a bad network', {
  seed: Math.floor(Math.random() * 2 ** 32),
  seconds: 300,
  subscribers: 40,
  publishers: 16,
  rate: 300,
  stall: 20,
  halfOpen: 120,
});
console.log(`seed ${options.seed}`);
const { ledgers, fates, streams } = await runStorm({
  ...options,
  perSecond: options.rate,
  stallMs: options.stall * 1000,
  // Longer than the SDK waits before it takes silence for the end.
  halfOpenMs: options.halfOpen * 1000,
});
console.log(`${options.seconds} s, ${streams} streams opened; connections by fate: ${JSON.stringify(fates)}`);
console.table(total(ledgers));
const wrong = faults(ledgers);
console.log(wrong.length === 0 ? 'every acknowledged event once, in order' : `FAILED\n${wrong.join('\n')}`);
process.exit(wrong.length === 0 ? 0 : 1);
