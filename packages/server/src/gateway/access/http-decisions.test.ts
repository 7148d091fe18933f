import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { CheckRequest, Decisions, FeedFrame } from '@centrali-io/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createHttpDecisions } from './http-decisions.ts';

type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => unknown;

let server: Server;
let answer: Answer;
let seen: string[];
let sockets: Set<unknown>;
let decisions: Decisions & { close(): void };

beforeEach(async () => {
  seen = [];
  sockets = new Set();
  server = createServer((request, response) => {
    sockets.add(request.socket);
    seen.push(`${request.method} ${request.url} ${request.headers.authorization}`);
    void text(request).then((body) => answer(request, response, body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  decisions = createHttpDecisions({ url: `http://127.0.0.1:${port}`, credential: 'secret', deadlineMs: 200 });
});

afterEach(async () => {
  decisions.close();
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

const json =
  (value: unknown, status = 200): Answer =>
  (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  };

const request: CheckRequest = {
  workspace: 'acme',
  permission: 'realtime:subscribe',
  provider: 'centrali',
  sub: 'u1',
  iat: 1,
  kid: 'k1',
  scope: [],
  mappedRoles: [],
  attributes: {},
  atLeast: 0,
};
const forbidden = { decision: 'forbidden', revision: 7, reason: 'no_role' };

describe('createHttpDecisions', () => {
  it('asks with the credential, over one kept-alive connection', async () => {
    answer = (req, res, body) => json((JSON.parse(body) as unknown[]).map(() => forbidden))(req, res, body);
    expect(await decisions.check([request, request])).toEqual([forbidden, forbidden]);
    expect(await decisions.check([request])).toEqual([forbidden]);
    expect(seen).toEqual(Array(2).fill('POST /internal/check Bearer secret'));
    expect(sockets.size).toBe(1);
  });

  it.each<[string, Answer, string]>([
    ['401', json({}, 401), 'rpc_unauthorized'],
    ['503', json({}, 503), 'rpc_status'],
    ['a redirect', json({}, 302), 'rpc_status'],
    ['no answers', json([]), 'rpc_garbage'],
    ['garbage', (_req, res) => res.end('<html>'), 'rpc_garbage'],
    ['an unknown decision', json([{ decision: 'maybe', revision: 1 }]), 'rpc_garbage'],
    ['a cut', (_req, res) => res.destroy(), 'rpc_failed'],
    ['silence', () => undefined, 'rpc_timeout'],
  ])('fails as AUTH_ERROR on %s', async (_what, given, reason) => {
    answer = given;
    await expect(decisions.check([request])).rejects.toMatchObject({ code: 'AUTH_ERROR', reason });
  });

  it('fails when nobody listens', async () => {
    const nobody = createHttpDecisions({ url: 'http://127.0.0.1:1', credential: 'x' });
    await expect(nobody.jwks()).rejects.toMatchObject({ code: 'AUTH_ERROR', reason: 'rpc_failed' });
    nobody.close();
  });

  it('asks once more when a kept connection turns out to be dead', async () => {
    answer = json([forbidden]);
    await decisions.check([request]);
    let cut = false;
    answer = (req, res, body) => {
      if (cut) return json([forbidden])(req, res, body);
      cut = true;
      return req.socket.resetAndDestroy();
    };
    expect(await decisions.check([request])).toEqual([forbidden]);
  });

  it('hands on audit entries and gets the key set', async () => {
    answer = (_req, res) => res.writeHead(204).end();
    await decisions.record([{ at: 1, kind: 'refuse', workspace: 'acme' }]);
    answer = json({ keys: [{ kid: 'k1' }] });
    expect(await decisions.jwks()).toEqual({ keys: [{ kid: 'k1' }] });
    answer = json({});
    await expect(decisions.jwks()).rejects.toMatchObject({ reason: 'rpc_garbage' });
  });

  it('reads the feed line by line, however it is cut', async () => {
    const frames: FeedFrame[] = [
      { type: 'snapshot', epoch: 'é', revision: 1, providers: [], withdrawnKeys: [], revocations: [] },
      { type: 'change', revision: 2, change: { kind: 'workspace', workspace: 'acme' } },
      { type: 'heartbeat', epoch: 'é', revision: 2 },
    ];
    answer = async (_req, res) => {
      for (const byte of Buffer.from(`${frames.map((frame) => JSON.stringify(frame)).join('\n')}\n{"type":"hea`)) {
        res.write(Buffer.of(byte));
        await new Promise((resolve) => setImmediate(resolve));
      }
      res.end();
    };
    const read: FeedFrame[] = [];
    for await (const frame of decisions.changes({ epoch: 'a b', revision: 0 }, new AbortController().signal))
      read.push(frame);
    expect(read).toEqual(frames);
    expect(seen).toEqual(['GET /internal/changes?after=0&epoch=a%20b Bearer secret']);
  });

  it.each([
    ['a line that is no frame', '{"type":"other","revision":1}\n'],
    ['a line that is no JSON', 'x\n'],
  ])('ends the feed on %s', async (_what, body) => {
    answer = (_req, res) => res.write(body);
    const frames = decisions.changes(undefined, new AbortController().signal)[Symbol.asyncIterator]();
    await expect(frames.next()).rejects.toMatchObject({ reason: 'feed_garbage' });
  });

  it('ends the feed when it is aborted', async () => {
    answer = (_req, res) => res.write(`${JSON.stringify({ type: 'heartbeat', epoch: 'e', revision: 1 })}\n`);
    const stop = new AbortController();
    const frames = decisions.changes(undefined, stop.signal)[Symbol.asyncIterator]();
    expect((await frames.next()).done).toBe(false);
    const next = frames.next();
    stop.abort();
    await expect(next).rejects.toThrow();
  });

  describe('with several nodes', () => {
    let second: Server;
    let asked: string[];
    let both: Decisions & { close(): void };
    beforeEach(async () => {
      asked = [];
      second = createServer((request, response) => {
        asked.push(request.url ?? '');
        if (request.url?.startsWith('/internal/changes')) {
          response.write(`${JSON.stringify({ type: 'heartbeat', epoch: 'e', revision: 1 })}\n`);
        } else void text(request).then(() => json([forbidden])(request, response, ''));
      });
      second.listen(0, '127.0.0.1');
      await once(second, 'listening');
      const url = [server, second].map((node) => `http://127.0.0.1:${(node.address() as AddressInfo).port}`);
      both = createHttpDecisions({ url, credential: 'secret', deadlineMs: 200 });
    });
    afterEach(async () => {
      both.close();
      second.closeAllConnections();
      second.close();
      await once(second, 'close');
    });

    it('asks the first as long as it answers', async () => {
      answer = json([forbidden]);
      await both.check([request]);
      await both.check([request]);
      expect([seen.length, asked.length]).toEqual([2, 0]);
    });

    it.each<[string, Answer]>([
      ['hangs', () => {}],
      ['is broken', json({}, 500)],
      ['answers garbage', (_req, res) => res.writeHead(200).end('{')],
    ])('leaves one that %s, after the call that it failed', async (_what, failing) => {
      answer = failing;
      await expect(both.check([request])).rejects.toMatchObject({ code: 'AUTH_ERROR' });
      expect(await both.check([request])).toEqual([forbidden]);
      expect([seen.length, asked.length]).toEqual([1, 1]);
    });

    it('asks the next in the same call when one cannot be reached', async () => {
      const { port } = server.address() as AddressInfo;
      const { port: other } = second.address() as AddressInfo;
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      const nodes = createHttpDecisions({
        url: [`http://127.0.0.1:${port}`, `http://127.0.0.1:${other}`],
        credential: 'secret',
      });
      expect(await nodes.check([request])).toEqual([forbidden]);
      nodes.close();
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
    });

    it('reads the feed from the next one when it is asked for anew', async () => {
      answer = (_req, res) => res.writeHead(503).end();
      const stop = new AbortController();
      const read = () => both.changes(undefined, stop.signal)[Symbol.asyncIterator]().next();
      await expect(read()).rejects.toMatchObject({ reason: 'rpc_status' });
      expect((await read()).value).toEqual({ type: 'heartbeat', epoch: 'e', revision: 1 });
      // The checks have not moved with it.
      answer = json([forbidden]);
      await both.check([request]);
      expect(asked).toEqual(['/internal/changes']);
      stop.abort();
    });
  });
});
