import { connect, type Socket } from 'node:net';
import { expect } from 'vitest';
import { bearer, eventsUrl, publish, serviceToken } from '../support/api.ts';
import { type Dev, startDev } from '../support/centrali.ts';
import { openStream } from '../support/event-stream.ts';
import { portOf } from '../support/raw-socket.ts';
import { until } from '../support/wait.ts';
import type { Attacks } from './attack.ts';
import { type Answer, answerOf, EVENTS, rawGet, type World } from './world.ts';

/** Opens connections that say `first` and nothing more; resolves with what each got when it was closed. */
function silent(port: number, first: string): { closed: Promise<string>; socket: Socket } {
  const socket = connect({ port, host: '127.0.0.1' });
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  socket.on('error', () => {});
  if (first !== '') socket.write(first);
  return { socket, closed: new Promise((resolve) => socket.once('close', () => resolve(text))) };
}

/** Publishes one event on a connection that is open already; with all places taken, as soon as one is free. */
function publishOver(dev: Dev, token: string): Promise<string[]> {
  return until('a place to publish', () => publish(dev, token, { event: 'idle' }).catch(() => undefined));
}

async function filtered(world: World, filter: string): Promise<Answer> {
  const started = performance.now();
  const url = new URL(eventsUrl(world.dev));
  url.searchParams.set('filter', filter);
  const answer = await answerOf(filter.slice(0, 100), await fetch(url, { headers: bearer(world.token) }));
  expect(performance.now() - started, 'in linear time').toBeLessThan(1500);
  return answer;
}

/** Attacks on the HTTP layer and on resources. */
export const httpAndResources: Attacks = {
  A154: {
    async run({ dev }) {
      const port = portOf(dev.baseUrl);
      const started = performance.now();
      // A head that never ends, a head that drips, and a body that never comes.
      const never = silent(port, `GET ${EVENTS} HTTP/1.1\r\nHost: x\r\n`);
      const drip = silent(port, `GET ${EVENTS} HTTP/1.1\r\nHost: x\r\nX: `);
      const timer = setInterval(() => drip.socket.writable && drip.socket.write('y'), 1000);
      const answers = await Promise.all([never.closed, drip.closed]);
      clearInterval(timer);
      expect(performance.now() - started, 'within the time-out for heads').toBeLessThan(22_000);
      return answers.map((text) => ({
        what: 'slow head',
        status: Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0),
        code: null,
        body: text,
        headers: new Headers(),
      }));
    },
  },
  A156: {
    decided: {
      why: 'more streams of one address than allowed are RATE_LIMIT_EXCEEDED (ARCHITECTURE.md); sockets beyond the number of the process are not taken at all, and the process lives on',
      status: 429,
      code: 'RATE_LIMIT_EXCEEDED',
    },
    mayAskIam: true,
    async run() {
      const dev = await startDev({
        env: { CENTRALI_LIMITS_CONNECTIONS_PER_ADDRESS: '5', CENTRALI_MAX_CONNECTIONS: '40' },
      });
      const sockets: Socket[] = [];
      try {
        const token = await serviceToken(dev);
        const streams = await Promise.all(
          Array.from({ length: 5 }, () => openStream(eventsUrl(dev), { headers: bearer(token) })),
        );
        await Promise.all(streams.map((stream) => stream.system('connected')));
        const over = await answerOf('one stream too many', await fetch(eventsUrl(dev), { headers: bearer(token) }));
        // Sockets that say nothing, far beyond what the process takes.
        const closed = Array.from({ length: 100 }, () => {
          const idle = silent(portOf(dev.baseUrl), '');
          sockets.push(idle.socket);
          return idle.closed;
        });
        await Promise.race(closed);
        const [id] = await publishOver(dev, token);
        expect((await streams[0]!.message()).id, 'open streams do not notice').toBe(id);
        for (const socket of sockets) socket.destroy();
        for (const stream of streams) stream.close();
        await until(
          'service again',
          async () => (await fetch(`${dev.baseUrl}/healthz`).catch(() => undefined))?.status === 200,
        );
        return [over];
      } finally {
        for (const socket of sockets) socket.destroy();
        await dev.stop();
      }
    },
  },
  A158: {
    async run({ raw, token }) {
      const auth = `Authorization: Bearer ${token}`;
      const post = (lines: readonly string[], body: string): string =>
        [`POST ${EVENTS} HTTP/1.1`, 'Host: 127.0.0.1', auth, 'Content-Type: application/json', ...lines, '', body].join(
          '\r\n',
        );
      const answers = [];
      for (const bytes of [
        post(['Content-Length: 13', 'Transfer-Encoding: chunked'], '0\r\n\r\n'),
        post(['Content-Length: 13', 'Content-Length: 14'], '{"event":"a"}'),
        post(['Transfer-Encoding: chunked, identity'], '0\r\n\r\n'),
        post(['Content-Length : 13'], '{"event":"a"}'),
        rawGet(EVENTS, [auth, 'X-Folded: a\r\n b']),
        rawGet(EVENTS, [auth, 'X-Bare: a\rb']),
        rawGet(EVENTS, [auth, 'X-Nul: a\0b']),
        rawGet(`${EVENTS}\0`, [auth]),
        `GET ${EVENTS} HTTP/1.1\nHost: x\n${auth}\n\n`,
        post(['Content-Length: -1'], ''),
        post(['Content-Length: 0x10'], '{"event":"a"}'),
      ]) {
        const answer = await raw(bytes);
        expect(answer.raw.text).not.toContain(token);
        answers.push({ ...answer, code: null });
      }
      return answers;
    },
  },
  A159: {
    async run({ raw, token }) {
      const auth = `Authorization: Bearer ${token}`;
      const answers = [];
      for (const lines of [
        [auth, 'Transfer-Encoding: xchunked'],
        [auth, 'Transfer-Encoding: chunked'],
        [auth, 'Content-Length: 5'],
      ]) {
        const answer = await raw(`${rawGet(EVENTS, lines)}0\r\n\r\n`);
        // Some of these never reach the handler, and the answer then has no body.
        answers.push({ ...answer, code: answer.code ?? 'BAD_REQUEST' });
      }
      return answers;
    },
  },
  A161: {
    decided: {
      why: 'whatever follows a stream on its connection ends the connection, and never runs: there is nothing left to answer 400 on. A stream behind another request is that 400',
      status: [0, 400],
      code: [null, 'BAD_REQUEST'],
    },
    mayAskIam: true,
    async run({ raw, token }) {
      const auth = [`Authorization: Bearer ${token}`];
      const publishing = `POST ${EVENTS} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{"event":"a"}`;
      const answers = [];
      for (const second of [rawGet('/healthz'), rawGet(EVENTS), publishing]) {
        const answer = await raw([rawGet(EVENTS, auth) + second], { toClose: true });
        expect(answer.raw.closed, 'the connection is ended').toBe(true);
        expect(answer.raw.text).not.toMatch(/alive|"ids"|MISSING_TOKEN/);
        answers.push(answer);
      }
      const behind = await raw([rawGet('/oidc/jwks') + rawGet(EVENTS, auth)], { toClose: true, timeoutMs: 2000 });
      const [, , refused = ''] = behind.raw.text.split('HTTP/1.1 ');
      answers.push({
        ...behind,
        headers: new Headers(),
        status: Number(refused.slice(0, 3)),
        code: /"code":"(\w+)"/.exec(refused)?.[1] ?? null,
      });
      return answers;
    },
  },
  A162: {
    doesNotApply:
      'HTTP/2 is offered over TLS only: rapid reset and a flood of CONTINUATION are run in test/tls, against a server with TLS',
  },
  A163: {
    mayAskIam: true,
    async run(world) {
      const stream = await openStream(eventsUrl(world.dev), {
        headers: { ...bearer(world.token), 'accept-encoding': 'gzip, br, deflate' },
      });
      const { headers, status } = stream.response;
      expect(headers.get('content-encoding')).toBeNull();
      expect(headers.get('cache-control')).toMatch(/no-transform/);
      expect(headers.get('x-accel-buffering')).toBe('no');
      await stream.system('connected');
      stream.close();
      return [{ what: 'stream', status, code: null, body: '', headers }];
    },
  },
  A164: {
    decided: {
      why: 'a filter that is none is INVALID_FILTER, with its position (docs/errors.md); there are no regular expressions',
      status: 400,
      code: 'INVALID_FILTER',
    },
    async run(world) {
      const answers = [];
      for (const filter of [
        `data.x:(a+)+$ ${'a'.repeat(50)}b`,
        `data.x:regex:${'(a+)+'.repeat(20)}$`,
        '('.repeat(500),
        `${'NOT '.repeat(200)}data.x:1`,
        `data.x:"${'\\'.repeat(501)}`,
        'data.x:matches:a*',
      ]) {
        answers.push(await filtered(world, filter));
      }
      return answers;
    },
  },
  A165: {
    decided: {
      why: 'a filter over its limits is INVALID_FILTER, a repeated parameter is BAD_REQUEST naming it (docs/errors.md, docs/filters.md)',
      status: 400,
      code: ['INVALID_FILTER', 'BAD_REQUEST'],
    },
    async run(world) {
      const terms = Array.from({ length: 1000 }, (_, i) => `a${i}:1`).join(' OR ');
      const twice = await fetch(`${eventsUrl(world.dev)}?filter=data.a:1&filter=data.b:2`, {
        headers: bearer(world.token),
      });
      return [
        await filtered(world, terms),
        await filtered(world, Array.from({ length: 33 }, () => 'data.a:1').join(' ')),
        await filtered(world, `data.a:${'x'.repeat(1020)}`),
        await filtered(world, `${'('.repeat(9)}data.a:1${')'.repeat(9)}`),
        await answerOf('filter twice', twice),
      ];
    },
  },
};
