/** The command's outside: streams, environment, how results and failures are said. */
import type { Readable, Writable } from 'node:stream';
import picocolors from 'picocolors';

/** What a command may touch of the process. */
export interface Io {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly stderr: Writable & { readonly isTTY?: boolean };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
}

/** How results are printed: as text for people, or as one JSON object. */
export interface Output {
  readonly json?: boolean | undefined;
}

/** A command that failed: `exitCode` 1 (refused or failed) or 2 (usage, configuration). */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';
  readonly exitCode: 1 | 2;
  /** What to do, in one sentence or a command. */
  readonly remedy: string | undefined;
  /** For `--json`: the error body, when the service said it. */
  readonly body: Readonly<Record<string, unknown>> | undefined;

  constructor(
    message: string,
    init: { exitCode?: 1 | 2; remedy?: string | undefined; body?: object | undefined } = {},
  ) {
    super(message);
    this.exitCode = init.exitCode ?? 1;
    this.remedy = init.remedy;
    this.body = init.body as Readonly<Record<string, unknown>> | undefined;
  }
}

/** Wrong use of the command: exit code 2. */
export function usage(message: string, remedy?: string): CommandFailure {
  return new CommandFailure(message, { exitCode: 2, remedy });
}

/** Colours for a stream: only for a terminal, and not with `NO_COLOR`. */
export function colours(io: Io, stream: { readonly isTTY?: boolean }): ReturnType<typeof picocolors.createColors> {
  return picocolors.createColors(stream.isTTY === true && !io.env.NO_COLOR);
}

/** One line of JSON on stdout. */
export function printJson(io: Io, value: unknown): void {
  io.stdout.write(`${JSON.stringify(value)}\n`);
}

/** Control characters of foreign texts would move the cursor of a terminal. */
export function printable(value: unknown): string {
  const text = typeof value === 'string' ? value : value === undefined || value === null ? '' : JSON.stringify(value);
  // oxlint-disable-next-line no-control-regex -- they are what is taken out
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '�');
}

/** Rows as a table: the columns in the order given, as wide as they need to be. */
export function printTable(
  io: Io,
  columns: readonly string[],
  rows: readonly Readonly<Record<string, unknown>>[],
): void {
  const c = colours(io, io.stdout);
  const cells = rows.map((row) => columns.map((column) => printable(row[column])));
  const widths = columns.map((column, i) => Math.max(column.length, ...cells.map((row) => row[i]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd();
  io.stdout.write(`${c.bold(line(columns))}\n`);
  for (const row of cells) io.stdout.write(`${line(row)}\n`);
  if (rows.length === 0) io.stdout.write(`${c.dim('(none)')}\n`);
}

/** Reads all of stdin, at most `maxBytes`. */
export async function readAll(io: Io, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of io.stdin) {
    const bytes = Buffer.from(chunk as Uint8Array);
    size += bytes.length;
    if (size > maxBytes) throw usage(`stdin holds more than ${maxBytes} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}
