/** How the administration's answers are asked for and shown. */
import { readFileSync } from 'node:fs';
import { listAdmin } from '../client/request.ts';
import type { Target } from '../client/target.ts';
import { type Io, type Output, printable, printJson, printTable, usage } from '../io.ts';

/** A JSON object. */
export type Fields = Record<string, unknown>;

/** Makes a text one segment of a path. */
export const segment = encodeURIComponent;

/** Drops what was not said. */
export function said(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** The answer as it is, or what `text` makes of it. */
export function show(io: Io, out: Output, answer: unknown, text: (answer: Fields) => string): void {
  if (out.json) printJson(io, answer ?? {});
  else io.stdout.write(`${text((answer ?? {}) as Fields)}\n`);
}

/** A list as a table. */
export async function table(
  target: Target,
  path: string,
  columns: readonly string[],
  out: Output,
  io: Io,
  limit?: number,
): Promise<void> {
  const items = await listAdmin(target, path, limit);
  if (out.json) printJson(io, { items });
  else printTable(io, columns, items);
}

/** Items as lines of a list. */
export function listOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map((item: unknown) => `  - ${printable(item)}`) : [];
}

/** Reads a JSON file that a flag names. */
export function readJsonFile(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw usage(`${path} cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
  try {
    return JSON.parse(text);
  } catch {
    throw usage(`${path} is not JSON.`);
  }
}
