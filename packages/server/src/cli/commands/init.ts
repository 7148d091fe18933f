/** `centrali init`: a commented configuration to start from. */
import { writeFileSync } from 'node:fs';
import { writeConfig } from '../config/index.ts';
import { type Io, printJson, usage } from '../io.ts';

/** Writes the configuration; never over one that is there. `-` is stdout. */
export function init(path: string, publicUrl: string | undefined, json: boolean, io: Io): void {
  const text = writeConfig({ publicUrl: publicUrl ?? 'https://realtime.example.com', data: '/var/lib/centrali' });
  if (path === '-') return void io.stdout.write(text);
  try {
    writeFileSync(path, text, { flag: 'wx', mode: 0o644 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw usage(code === 'EEXIST' ? `${path} is there already.` : `${path} cannot be written: ${code}`);
  }
  if (json) printJson(io, { file: path });
  else io.stdout.write(`${path} is written. Edit it, then: centrali check --config ${path}\n`);
}
