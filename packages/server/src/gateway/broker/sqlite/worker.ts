/** Entry of the log's threads: the writer, the reader, and one that makes a backup. */
import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { sharedClock } from './clock.ts';
import { lockLog } from './lock.ts';
import type {
  AppendRequest,
  AppendResult,
  ReaderReply,
  ReaderRequest,
  ThreadData,
  WriterReply,
  WriterRequest,
} from './messages.ts';
import { LogReader } from './reader.ts';
import { headOf, openLog, readMeta } from './schema.ts';
import { LogWriter } from './writer.ts';

/** Most requests and characters of one transaction: what waits longer goes into the next. */
const GROUP_REQUESTS = 1024;
const GROUP_CHARACTERS = 4 * 2 ** 20;
/** How often retention is looked after, and a failing disk tried again, in ms. */
const UPKEEP = 1000;

function detailOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function refuse(port: MessagePort, error: unknown): void {
  const reply: WriterReply & ReaderReply = {
    type: 'refused',
    name: error instanceof Error ? error.name : 'Error',
    message: detailOf(error),
  };
  port.postMessage(reply);
  port.close();
}

function write(port: MessagePort, { file, retention }: ThreadData): void {
  const unlock = lockLog(file);
  let db: DatabaseSync;
  try {
    db = openLog(file);
  } catch (error) {
    unlock();
    throw error;
  }
  const writer = new LogWriter(db, retention, Date.now);
  const send = (reply: WriterReply): void => port.postMessage(reply);
  let waiting: AppendRequest[] = [];
  let closing = false;
  let detail: string | null = null;

  const health = (now: string | null): void => {
    if (now === detail) return;
    detail = now;
    send({ type: 'health', detail });
  };
  const take = (message: WriterRequest): void => {
    if (message.type === 'close') closing = true;
    else if (message.type === 'begin') upkeep ??= setInterval(lookAfter, UPKEEP);
    else for (const request of message.requests) waiting.push(request);
  };
  const group = (): AppendRequest[] => {
    let characters = 0;
    let length = 0;
    for (const request of waiting) {
      if (length === GROUP_REQUESTS || characters > GROUP_CHARACTERS) break;
      characters += request.events.length;
      length++;
    }
    const taken = waiting.slice(0, length);
    waiting = waiting.slice(length);
    return taken;
  };
  const append = (): void => {
    const now = sharedClock();
    const requests = group();
    const late = requests.filter((request) => request.deadline < now);
    const results: AppendResult[] = late.map(({ id }) => ({ id, kind: 'failed', detail: 'it waited too long' }));
    const inTime = late.length === 0 ? requests : requests.filter((request) => request.deadline >= now);
    if (inTime.length > 0) {
      try {
        results.push(...writer.append(inTime));
        health(null);
      } catch (error) {
        health(detailOf(error));
        for (const { id } of inTime) results.push({ id, kind: 'failed', detail: detailOf(error) });
      }
    }
    send({ type: 'appended', results });
  };

  let upkeep: NodeJS.Timeout | undefined;
  const lookAfter = (): void => {
    try {
      if (detail !== null) writer.probe();
      writer.forgetKeys();
      health(null);
      trim();
    } catch (error) {
      health(detailOf(error));
    }
  };
  // One small transaction a turn, so that appends come in between.
  const trim = (): void => {
    if (closing) return;
    try {
      const boundary = writer.trim();
      if (!boundary) return;
      send({ type: 'trimmed', boundary });
      setImmediate(trim);
    } catch (error) {
      health(detailOf(error));
    }
  };

  let pumping = false;
  // One group a turn, so that trimming comes in between under any load.
  const pump = (): void => {
    // What has come meanwhile joins this group: the more wait, the more share one sync of the disk.
    for (let more = receiveMessageOnPort(port); more; more = receiveMessageOnPort(port)) take(more.message);
    if (waiting.length > 0) append();
    pumping = waiting.length > 0;
    if (pumping) setImmediate(pump);
    else if (closing) close();
  };
  const close = (): void => {
    clearInterval(upkeep);
    db.close();
    unlock();
    port.close();
  };
  port.on('message', (message: WriterRequest) => {
    take(message);
    if (!pumping) pump();
  });
  send({ type: 'open', epoch: readMeta(db, 'epoch') ?? '', head: headOf(db), boundary: writer.boundary() });
}

function read(port: MessagePort, { file }: ThreadData): void {
  const db = new DatabaseSync(file, { readOnly: true, timeout: 2000 });
  const reader = new LogReader(db);
  const send = (reply: ReaderReply): void => port.postMessage(reply);
  port.on('message', (request: ReaderRequest) => {
    if (request.type === 'close') {
      db.close();
      port.close();
      return;
    }
    try {
      send(reader.answer(request));
    } catch (error) {
      send({ type: 'failed', id: request.id, detail: detailOf(error) });
    }
  });
  send({ type: 'open' });
}

function backup(port: MessagePort, { file, target }: ThreadData): void {
  // SQLite writes into an empty file, too; so nobody else may read it, not for a moment.
  closeSync(openSync(target ?? '', 'wx', 0o600));
  const db = new DatabaseSync(file, { readOnly: true, timeout: 2000 });
  db.prepare('VACUUM INTO ?').run(target ?? '');
  db.close();
  // Without an epoch, the copy gets its own when it is opened: what is published after a restore takes
  // sequences that were used before.
  const copy = new DatabaseSync(target ?? '');
  copy.exec("DELETE FROM meta WHERE key = 'epoch'; DELETE FROM idempotency;");
  copy.close();
  port.postMessage({ type: 'open' } satisfies ReaderReply);
}

if (parentPort) {
  const data = workerData as ThreadData;
  try {
    ({ writer: write, reader: read, backup })[data.role](parentPort, data);
  } catch (error) {
    refuse(parentPort, error);
  }
}
