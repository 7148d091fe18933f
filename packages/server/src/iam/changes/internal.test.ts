import { type Decisions, type FeedFrame, PATHS } from '@centrali-io/protocol';
import { describe, expect, it } from 'vitest';
import { HeaderFields, Refusal, type ServerRequest } from '../../resource-server/index.ts';
import { handleInternal } from './internal.ts';

const CHECK = {
  workspace: 'demo',
  permission: 'realtime:subscribe',
  provider: 'centrali',
  sub: 'ann',
  iat: 1,
  kid: 'k',
  scope: [],
  mappedRoles: [],
  attributes: {},
  atLeast: 0,
};
const BEAT: FeedFrame = { type: 'heartbeat', epoch: 'e', revision: 1 };

const request = (method: string, path: string, body: string | Uint8Array = '', query = ''): ServerRequest => ({
  id: 'req_test',
  method,
  path,
  query: new URLSearchParams(query),
  headers: new HeaderFields([]),
  address: '127.0.0.1',
  secure: true,
  body: async () => Buffer.from(body),
  aborted: false,
});

const decisions = (more: Partial<Decisions> = {}): Decisions => ({
  check: async (requests) => requests.map(() => ({ decision: 'forbidden', revision: 1, reason: 'no_role' })),
  async *changes() {
    yield BEAT;
    yield BEAT;
  },
  record: async () => {},
  putTicket: async () => true,
  takeTicket: async () => undefined,
  jwks: async () => ({ keys: [] }),
  ...more,
});

const answer = (sent: ServerRequest, more?: Partial<Decisions>) => handleInternal(sent, decisions(more));

describe('the internal handlers', () => {
  it('answer checks in order', async () => {
    const response = await answer(request('POST', PATHS.check, JSON.stringify([CHECK, CHECK])));
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(await response.json()).toHaveLength(2);
  });

  it.each<[string, string, ServerRequest]>([
    ['no JSON', 'BAD_REQUEST', request('POST', PATHS.check, '{')],
    ['no UTF-8', 'BAD_REQUEST', request('POST', PATHS.check, new Uint8Array([0x22, 0xff, 0x22]))],
    ['no array', 'BAD_REQUEST', request('POST', PATHS.check, JSON.stringify(CHECK))],
    ['an empty array', 'BAD_REQUEST', request('POST', PATHS.check, '[]')],
    [
      'a check that lacks a member',
      'BAD_REQUEST',
      request('POST', PATHS.check, JSON.stringify([{ ...CHECK, sub: 1 }])),
    ],
    ['no entry', 'BAD_REQUEST', request('POST', PATHS.audit, JSON.stringify([{ kind: 'other' }]))],
    ['half a position', 'BAD_REQUEST', request('GET', PATHS.changes, '', 'after=1')],
    ['no number', 'BAD_REQUEST', request('GET', PATHS.changes, '', 'after=-1&epoch=e')],
    ['a parameter twice', 'BAD_REQUEST', request('GET', PATHS.changes, '', 'after=1&after=2&epoch=e')],
    ['an unknown parameter', 'BAD_REQUEST', request('GET', PATHS.changes, '', 'since=1')],
    ['another method', 'METHOD_NOT_ALLOWED', request('GET', PATHS.check)],
    ['another path', 'NOT_FOUND', request('GET', '/internal/other')],
  ])('refuse %s: %s', async (_name, code, sent) => {
    await expect(answer(sent)).rejects.toMatchObject({ code });
  });

  it('say AUTH_ERROR when IAM cannot decide, and keep a refusal as it is', async () => {
    const check = request('POST', PATHS.check, JSON.stringify([CHECK]));
    const fails = (fault: Error) => answer(check, { check: () => Promise.reject(fault) });
    await expect(fails(new Error('disk'))).rejects.toMatchObject({ code: 'AUTH_ERROR', reason: 'iam_failed' });
    await expect(fails(new Refusal('AUTH_ERROR', 'audit_full'))).rejects.toMatchObject({ reason: 'audit_full' });
    const broken: FeedFrame[] = [];
    const feed = answer(request('GET', PATHS.changes), {
      async *changes() {
        yield* broken;
        throw new Error('disk');
      },
    });
    await expect(feed).rejects.toMatchObject({ code: 'AUTH_ERROR' });
  });

  it('write the feed a frame a line, and read no further than the peer does', async () => {
    let made = 0;
    let ended = false;
    const response = await answer(request('GET', PATHS.changes), {
      async *changes(_position, signal) {
        try {
          while (!signal.aborted) {
            made++;
            yield BEAT;
          }
        } finally {
          ended = true;
        }
      },
    });
    const reader = response.body?.getReader();
    const { value } = (await reader?.read()) ?? {};
    expect(new TextDecoder().decode(value)).toBe(`${JSON.stringify(BEAT)}\n`);
    await new Promise((resolve) => setImmediate(resolve));
    expect(made).toBeLessThan(5);
    await reader?.cancel();
    expect(ended).toBe(true);
  });
});
