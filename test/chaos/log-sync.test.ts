// What a 202 promises, seen from the kernel: the sync of the log has returned before the answer is written.
// SQLite takes fdatasync where it was built with it, else fsync, which does more.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bearer, eventsUrl, serviceToken } from '../support/api.ts';
import { COMMAND, type DevReady, startProcess, temporaryFolder } from '../support/centrali.ts';
import { commandPath, hasRight, requirePart } from '../support/parts.ts';
import { until } from '../support/wait.ts';
import { RawPublisher } from './raw-publisher.ts';

const REQUESTS = 1000;
const ready =
  requirePart('strace') &&
  hasRight('tracing', () =>
    execFileSync(commandPath('strace') ?? 'strace', ['-f', '-o', '/dev/null', process.execPath, '--version'], {
      stdio: 'pipe',
    }),
  );

/** What the trace says about one answer. */
interface Answered {
  /** Syncs of the log that began after the request was read and returned before the answer was written. */
  readonly syncs: number;
}

/**
 * Reads the trace of a server that answers one request at a time. A call that another thread comes in
 * between stands in two lines, `unfinished` and `resumed`.
 */
function readTrace(text: string): { answers: Answered[]; requests: number } {
  const answers: Answered[] = [];
  const beganInRequest = new Map<string, boolean>();
  let requests = 0;
  let open = false;
  let syncs = 0;
  for (const line of text.split('\n')) {
    const [, thread = '', call = ''] = /^(\d+) +(.*)$/.exec(line) ?? [];
    if (call.includes('"POST /realtime')) {
      requests++;
      open = true;
      syncs = 0;
    } else if (/^f(data)?sync\(\d+<[^>]*log\.db-wal>/.test(call)) {
      if (call.endsWith('= 0')) syncs += Number(open);
      else beganInRequest.set(thread, open);
    } else if (/^<\.\.\. f(data)?sync resumed>.*= 0$/.test(call)) {
      syncs += Number(beganInRequest.get(thread) === true && open);
      beganInRequest.delete(thread);
    } else if (/^(write|writev|sendto|sendmsg)\(.*HTTP\/1\.1 202 /.test(call)) {
      answers.push({ syncs });
      open = false;
    }
  }
  return { answers, requests };
}

describe.skipIf(!ready)('the order of system calls', () => {
  it('has the sync of the log before each of 1,000 answers of 202', { timeout: 120_000 }, async () => {
    const folder = temporaryFolder();
    const trace = join(folder.path, 'trace');
    const calls = 'trace=fdatasync,fsync,read,write,writev,sendto,sendmsg';
    const server = startProcess(
      commandPath('strace') ?? 'strace',
      [
        ...['-f', '-y', '-s', '24', '-o', trace, '-e', calls],
        ...[process.execPath, COMMAND, 'dev', '--port', '0', '--json', '--data', join(folder.path, 'data')],
      ],
      {
        env: {
          CENTRALI_LIMITS_REQUESTS_PER_SECOND_PER_PRINCIPAL: '0',
          // By io_uring, libuv would make no calls that can be seen.
          UV_USE_IO_URING: '0',
        },
      },
    );
    try {
      const dev = await server.line(
        (line) => (line.startsWith('{') ? (JSON.parse(line) as DevReady) : undefined),
        60_000,
      );
      const url = new URL(eventsUrl(dev));
      const publisher = new RawPublisher({
        port: Number(url.port),
        path: url.pathname,
        token: bearer(await serviceToken(dev)).authorization.slice('Bearer '.length),
      });
      for (let i = 0; i < REQUESTS; i++) {
        const answer = await publisher.send(`{"event":"tick","recordId":"${i}"}`);
        expect(answer?.status).toBe(202);
      }
      publisher.close();
      const { answers, requests } = await until('the trace is written', () => {
        const read = readTrace(readFileSync(trace, 'utf8'));
        return read.answers.length >= REQUESTS ? read : undefined;
      });
      expect(requests).toBe(REQUESTS);
      expect(answers).toHaveLength(REQUESTS);
      expect(answers.filter(({ syncs }) => syncs === 0)).toEqual([]);
      console.log(`${REQUESTS} answers, ${answers.reduce((sum, { syncs }) => sum + syncs, 0)} syncs before them`);
    } finally {
      // strace hands the signal to nobody: the server is its child.
      for (const pid of execFileSync('ps', ['-o', 'pid=', '--ppid', String(server.pid)], { encoding: 'utf8' }).split(
        '\n',
      )) {
        if (pid.trim() !== '') process.kill(Number(pid), 'SIGTERM');
      }
      await server.stop();
      folder.remove();
    }
  });

  it('is judged: a trace with an answer before its sync is seen', () => {
    const request = '7 read(20<TCP:[1]>, "POST /realtime/workspac"..., 65536) = 400';
    const answer = '7 write(20<TCP:[1]>, "HTTP/1.1 202 Accepted\\r\\n"..., 300) = 300';
    const sync = '9 fdatasync(25</d/log.db-wal>) = 0';
    const begun = '9 fdatasync(25</d/log.db-wal> <unfinished ...>';
    const ended = '9 <... fdatasync resumed>) = 0';
    const whole = '9 fsync(25</d/log.db-wal>) = 0';
    const other = '9 fdatasync(26</d/state.db-wal>) = 0';
    const judged = (...lines: string[]): number[] => readTrace(lines.join('\n')).answers.map(({ syncs }) => syncs);
    expect(judged(request, sync, answer)).toEqual([1]);
    expect(judged(request, begun, ended, answer)).toEqual([1]);
    expect(judged(request, whole, answer)).toEqual([1]);
    expect(judged(request, answer, sync)).toEqual([0]);
    expect(judged(request, other, answer)).toEqual([0]);
    expect(judged(request, begun, answer, ended)).toEqual([0]);
    expect(judged(begun, request, ended, answer)).toEqual([0]);
    expect(judged(request, sync, answer, request, answer)).toEqual([1, 0]);
  });
});
