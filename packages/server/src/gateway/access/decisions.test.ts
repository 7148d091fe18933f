import type { CheckAnswer, CheckRequest } from '@centrali-io/protocol';
import { describe, expect, it } from 'vitest';
import { Refusal } from '../../resource-server/index.ts';
import { EFFECTS } from '../delivery/effects.ts';
import { DecisionQueue } from './decisions.ts';
import type { Question } from './question.ts';

const question = (sub: string, workspace = 'acme'): Question => ({
  workspace,
  permission: 'realtime:subscribe',
  provider: 'centrali',
  sub,
  iat: 1,
  kid: 'k1',
  scope: [],
  mappedRoles: [],
  attributes: {},
});

const allowed = ({ sub }: CheckRequest, revision = 5): CheckAnswer => ({
  decision: 'allowed',
  revision,
  principal: { provider: 'centrali', kind: 'user', sub },
  grants: [{ permission: 'realtime:subscribe' }],
  roles: ['viewer'],
  permissions: [],
});

/** A queue over an IAM that answers as `check` does, with a feed at revision 5. */
function world(check: (requests: readonly CheckRequest[], signal?: AbortSignal) => unknown, newest = 0) {
  const calls: (readonly CheckRequest[])[] = [];
  const feed = {
    revision: 5,
    generation: 1,
    isLive: false,
    newestRevision: newest,
    newest: { of: () => feed.newestRevision },
  };
  const clock = { now: 0 };
  const queue = new DecisionQueue({
    decisions: {
      check: (requests, signal) => {
        calls.push(requests);
        return check(requests, signal) as Promise<readonly CheckAnswer[]>;
      },
    },
    feed,
    effects: { ...EFFECTS, monotonic: () => clock.now },
    deadlineMs: 20,
    maxWaiting: 600,
  });
  return { queue, calls, feed, clock };
}

describe('DecisionQueue', () => {
  it('asks for all of one loop turn in one call, and gives each its own answer', async () => {
    const { queue, calls } = world(async (requests) => requests.map((request) => allowed(request)));
    const answers = await Promise.all(['a', 'b', 'c'].map((sub) => queue.ask(question(sub))));
    expect(answers.map(({ answer }) => answer.decision === 'allowed' && answer.principal.sub)).toEqual(['a', 'b', 'c']);
    expect(calls.map((requests) => requests.map(({ sub, atLeast }) => `${sub}@${atLeast}`))).toEqual([
      ['a@5', 'b@5', 'c@5'],
    ]);
  });

  it('keeps what was allowed while the feed is live, and no longer than it holds', async () => {
    const { queue, calls, feed, clock } = world(async (requests) =>
      requests.map((request) => ({ ...allowed(request), ...(request.sub === 'ending' ? { holdsMs: 250 } : {}) })),
    );
    feed.isLive = true;
    for (const now of [0, 249, 250]) {
      clock.now = now;
      await queue.ask(question('ending'));
      await queue.ask(question('lasting'));
    }
    expect(calls.flat().map(({ sub }) => sub)).toEqual(['ending', 'lasting', 'ending']);
  });

  it('asks at most 256 in one call', async () => {
    const { queue, calls } = world(async (requests) => requests.map((request) => allowed(request)));
    await Promise.all(Array.from({ length: 300 }, (_, i) => queue.ask(question(`s${i}`))));
    expect(calls.map(({ length }) => length)).toEqual([256, 44]);
  });

  it.each([
    ['rejects', () => Promise.reject(new Error('down')), 'rpc_failed'],
    [
      'throws at once',
      () => {
        throw new Error('down');
      },
      'rpc_failed',
    ],
    ['hangs', () => new Promise(() => {}), 'rpc_timeout'],
    ['answers nothing', async () => undefined, 'rpc_garbage'],
    ['answers too few', async () => [], 'rpc_garbage'],
    ['answers an unknown decision', async () => [{ decision: 'maybe', revision: 5 }], 'rpc_garbage'],
    [
      'answers a grant that is none',
      async () => [{ ...allowed({ sub: 'a' } as CheckRequest), grants: [{ permission: '*' }] }],
      'rpc_garbage',
    ],
    [
      'answers allowed without a principal',
      async () => [{ decision: 'allowed', revision: 5, grants: [], roles: [], permissions: [] }],
      'rpc_garbage',
    ],
    ['is refused', () => Promise.reject(new Refusal('INVALID_TOKEN', 'whatever')), 'rpc_failed'],
  ])('lets nobody in when IAM %s', async (_what, check, reason) => {
    const { queue } = world(check);
    await expect(queue.ask(question('a'))).rejects.toMatchObject({ code: 'AUTH_ERROR', reason });
  });

  it('tells a call that is late to stop', async () => {
    let heard = false;
    const { queue } = world(
      (_requests, signal) =>
        new Promise(() =>
          signal?.addEventListener('abort', () => {
            heard = true;
          }),
        ),
    );
    await expect(queue.ask(question('a'))).rejects.toMatchObject({ reason: 'rpc_timeout' });
    expect(heard).toBe(true);
  });

  it('asks again, twice, for an answer older than the newest change of what it hangs on', async () => {
    let revision = 3;
    const fresher = world(async (requests) => requests.map((request) => allowed(request, revision++)), 5);
    expect((await fresher.queue.ask(question('a'))).answer.revision).toBe(5);
    expect(fresher.calls).toHaveLength(3);

    const stale = world(async (requests) => requests.map((request) => allowed(request, 4)), 5);
    await expect(stale.queue.ask(question('a'))).rejects.toMatchObject({
      code: 'AUTH_ERROR',
      reason: 'decision_stale',
    });
    expect(stale.calls).toHaveLength(3);
  });

  it('does not let a denial pass that is older than a grant', async () => {
    let asked = 0;
    const { queue } = world(
      async (requests) =>
        requests.map((request) =>
          ++asked === 1 ? { decision: 'forbidden', revision: 4, reason: 'no_role' } : allowed(request),
        ),
      5,
    );
    expect((await queue.ask(question('a'))).answer.decision).toBe('allowed');
  });

  it('is bounded', async () => {
    const { queue } = world(() => new Promise(() => {}));
    const asked = Array.from({ length: 700 }, (_, i) =>
      queue.ask(question(`s${i}`)).catch((error: Refusal) => error.reason),
    );
    const reasons = await Promise.all(asked);
    expect(reasons.filter((reason) => reason === 'rpc_overload')).toHaveLength(100);
    await expect(queue.ask(question('later'))).rejects.toMatchObject({ reason: 'rpc_timeout' });
  });
});
