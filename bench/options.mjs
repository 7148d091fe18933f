/** Options of the scripts here: `--name number`, each with a default that is printed by `--help`. */
import { parseArgs } from 'node:util';

/** Reads the arguments. `defaults` are numbers by name. */
export function readOptions(title, defaults) {
  const options = Object.fromEntries(Object.keys(defaults).map((name) => [name, { type: 'string' }]));
  const { values } = parseArgs({ options: { ...options, help: { type: 'boolean' } } });
  if (values.help) {
    console.log(
      `${title}\n\n${Object.entries(defaults)
        .map(([name, value]) => `  --${name} ${value}`)
        .join('\n')}`,
    );
    process.exit(0);
  }
  const read = { ...defaults };
  for (const name of Object.keys(defaults)) {
    if (values[name] === undefined) continue;
    read[name] = Number(values[name]);
    if (!Number.isFinite(read[name])) throw new TypeError(`--${name}: a number`);
  }
  return read;
}
