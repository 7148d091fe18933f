/** `centrali publish`: one event by flags, or many as NDJSON on stdin. */
import { randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { CentraliSDK, type EventInput, RealtimeError } from '@centrali-io/centrali-sdk';
import { eventProblem, MAX_REQUEST_EVENTS } from '@centrali-io/protocol';
import { bearerOf } from '../client/request.ts';
import type { Target } from '../client/target.ts';
import { CommandFailure, colours, type Io, printJson, usage } from '../io.ts';

/** What the flags of `publish` say. */
export interface PublishFlags {
  readonly event?: string;
  readonly structure?: string;
  readonly id?: string;
  readonly data?: string;
  readonly timestamp?: string;
  readonly idempotencyKey?: string;
  readonly json?: boolean;
}

/** Most bytes of one request from stdin: below the server's limit, with room for brackets and commas. */
const REQUEST_BYTES = 700 * 1024;
/** Lines that wait before stdin is paused. */
const MAX_WAITING = 5 * MAX_REQUEST_EVENTS;
/** Attempts of one request that the service could not take just now. */
const ATTEMPTS = 8;

/** Publishes what flags or stdin say. */
export async function publish(target: Target, flags: PublishFlags, io: Io): Promise<void> {
  const send = await sender(target, io);
  if (flags.event === undefined) {
    const lone = (['structure', 'id', 'data', 'timestamp'] as const).find((name) => flags[name] !== undefined);
    if (lone !== undefined) throw usage(`--${lone} needs --event`);
    if (io.stdin.isTTY) throw usage('No event is given.', 'Use --event NAME, or pipe NDJSON into the command.');
    return await publishLines(send, flags, io);
  }
  const event = eventFrom(flags);
  const problem = eventProblem(event);
  if (problem) throw usage(problem.message);
  const ids = await send([event], flags.idempotencyKey ?? randomUUID());
  if (flags.json) printJson(io, { ids });
  else io.stdout.write(`${ids.join('\n')}\n`);
}

function eventFrom(flags: PublishFlags): EventInput {
  let data: unknown;
  try {
    data = flags.data === undefined ? undefined : JSON.parse(flags.data);
  } catch {
    throw usage('--data is not JSON.', `Write it as --data '{"status":"paid"}'`);
  }
  return {
    event: flags.event ?? '',
    ...(flags.structure === undefined ? {} : { recordSlug: flags.structure }),
    ...(flags.id === undefined ? {} : { recordId: flags.id }),
    ...(data === undefined ? {} : { data }),
    ...(flags.timestamp === undefined ? {} : { timestamp: flags.timestamp }),
  };
}

type Send = (events: readonly EventInput[], key: string) => Promise<readonly string[]>;

/** Sends requests; one that the service could not take is repeated with its key, so that nothing is stored twice. */
async function sender(target: Target, io: Io): Promise<Send> {
  const { baseUrl, workspace: workspaceId } = target;
  const sdk = new CentraliSDK({ baseUrl, workspaceId, token: await bearerOf(target) });
  return async (events, idempotencyKey) => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return (await sdk.realtime.publish(events, { idempotencyKey })).ids;
      } catch (error) {
        if (!RealtimeError.is(error)) throw error;
        if (error.code === 'TOKEN_EXPIRED' && target.credentials.kind === 'client' && attempt < ATTEMPTS) {
          sdk.setToken(await bearerOf(target));
          continue;
        }
        if (!error.recoverable || error.code === 'TOKEN_EXPIRED' || attempt === ATTEMPTS) throw error;
        await sleep(error.retryAfterMs ?? Math.min(10_000, 250 * 2 ** attempt), undefined, { signal: io.signal });
      }
    }
  };
}

interface Line {
  readonly text: string;
  /** From 1. */
  readonly line: number;
}

/**
 * NDJSON: what has come in while one request was on its way makes the next. With a key, requests are cut
 * by the lines alone, so that the same input, given again, makes the same requests with the same keys.
 */
async function publishLines(send: Send, flags: PublishFlags, io: Io): Promise<void> {
  const lines = createInterface({ input: io.stdin, crlfDelay: Number.POSITIVE_INFINITY });
  const { idempotencyKey } = flags;
  const keyed = idempotencyKey !== undefined;
  const waiting: Line[] = [];
  let ended = false;
  let wake = (): void => {};
  let line = 0;
  lines.on('line', (text) => {
    line += 1;
    if (text.trim() !== '') waiting.push({ text, line });
    if (waiting.length >= MAX_WAITING) lines.pause();
    wake();
  });
  lines.on('close', () => {
    ended = true;
    wake();
  });
  io.signal.addEventListener('abort', () => lines.close(), { once: true });
  const progress = progressOn(io);
  let published = 0;
  try {
    for (;;) {
      if (!ended && waiting.length < (keyed ? MAX_REQUEST_EVENTS : 1)) {
        const woken = new Promise<void>((resolve) => {
          wake = resolve;
        });
        lines.resume();
        await woken;
        continue;
      }
      // A part of a request under its key would be in the way of the whole one.
      if (waiting.length === 0 || (keyed && io.signal.aborted)) break;
      const batch = takeBatch(waiting, keyed);
      if (waiting.length < MAX_REQUEST_EVENTS && !ended) lines.resume();
      const ids = await send(batch.events, keyed ? `${idempotencyKey}-${published}` : randomUUID());
      batch.done();
      published += ids.length;
      if (flags.json) for (const id of ids) printJson(io, { id });
      progress(published);
    }
  } catch (error) {
    if (error instanceof CommandFailure || RealtimeError.is(error)) {
      io.stderr.write(`\n${published} events were published before the failure. ${wayOn(keyed, waiting)}\n`);
    }
    throw error;
  } finally {
    lines.close();
  }
  progress(published, true);
  if (!flags.json) io.stdout.write(`${published}\n`);
}

/** How to go on after a failure without storing anything twice. */
function wayOn(keyed: boolean, waiting: readonly Line[]): string {
  const [next] = waiting;
  if (next === undefined) return '';
  const rest = `Line ${next.line} is the first that was not.`;
  return keyed ? `${rest} The same input with the same key goes on there, for 10 minutes.` : rest;
}

/** The next request. Its lines wait until it is `done`, so that a failure can name them. */
function takeBatch(waiting: Line[], keyed: boolean): { readonly events: EventInput[]; done(): void } {
  const events: EventInput[] = [];
  let bytes = 0;
  for (const next of waiting) {
    if (events.length === MAX_REQUEST_EVENTS) break;
    bytes += Buffer.byteLength(next.text) + 1;
    if (events.length > 0 && bytes > REQUEST_BYTES) break;
    const event = parseLine(next.text, next.line);
    // What stands before a bad line is published first; then the line's turn comes. With a key, the request
    // waits for the line to be mended.
    if (event instanceof CommandFailure) {
      if (events.length > 0 && !keyed) break;
      throw event;
    }
    events.push(event);
  }
  return { events, done: () => void waiting.splice(0, events.length) };
}

function parseLine(text: string, line: number): EventInput | CommandFailure {
  let event: unknown;
  try {
    event = JSON.parse(text);
  } catch {
    return new CommandFailure(`Line ${line} of stdin is not JSON.`, { remedy: 'Send one event per line (NDJSON).' });
  }
  const problem = eventProblem(event);
  return problem ? new CommandFailure(`Line ${line}: ${problem.message}`) : (event as EventInput);
}

/** How often a program that reads stderr is told, in ms. */
const REPORT_MS = 10_000;

/** Progress on stderr: a moving line for a person, a line now and then for a log. */
function progressOn(io: Io): (published: number, last?: boolean) => void {
  const c = colours(io, io.stderr);
  const started = performance.now();
  let reported = started;
  return (published, last = false) => {
    const now = performance.now();
    const rate = Math.round(published / Math.max(0.001, (now - started) / 1000));
    const text = `${published} events published, ${rate}/s`;
    if (io.stderr.isTTY) io.stderr.write(`\r${c.dim(text)}${last ? '\n' : ''}`);
    else if (now - reported >= REPORT_MS) {
      reported = now;
      io.stderr.write(`${text}\n`);
    }
  };
}
