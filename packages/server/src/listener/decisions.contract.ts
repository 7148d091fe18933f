/** What every adapter of the Decisions port holds to: the one in memory, and the one over the internal listener. */
import type { CheckRequest, Decisions, FeedFrame, TicketRecord } from '@centrali-io/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Iam } from '../iam/index.ts';

/** An IAM and one way to ask it. */
export interface DecisionsFixture {
  /** With a workspace `demo`. */
  readonly iam: Iam;
  readonly decisions: Decisions;
  close(): Promise<void>;
}

/** Runs the suite over fixtures that `make` makes. */
export function decisionsContract(name: string, make: () => Promise<DecisionsFixture>): void {
  describe(`${name} is an adapter of Decisions`, () => {
    let fixture: DecisionsFixture;
    let stop: AbortController;
    beforeEach(async () => {
      fixture = await make();
      stop = new AbortController();
      await fixture.iam.putMember({ workspace: 'demo', sub: 'ann', role: 'viewer' });
    });
    afterEach(async () => {
      stop.abort();
      await fixture.close();
    });

    const ask = (more: Partial<CheckRequest> = {}): CheckRequest => ({
      workspace: 'demo',
      permission: 'realtime:subscribe',
      provider: 'centrali',
      sub: 'ann',
      iat: 1,
      kid: 'k',
      clientId: 'centrali-dev',
      jti: 'j',
      scope: [],
      mappedRoles: [],
      attributes: {},
      atLeast: 0,
      ...more,
    });
    /** Frames of one reading of the feed. */
    const read = (position?: { epoch: string; revision: number }): AsyncIterator<FeedFrame> =>
      fixture.decisions.changes(position, stop.signal)[Symbol.asyncIterator]();
    const next = async (frames: AsyncIterator<FeedFrame>): Promise<FeedFrame> => {
      const { done, value } = await frames.next();
      if (done) throw new Error('The feed ended.');
      return value;
    };
    /** The next frame that is no heartbeat. */
    const nextChange = async (frames: AsyncIterator<FeedFrame>): Promise<FeedFrame> => {
      for (;;) {
        const frame = await next(frames);
        if (frame.type !== 'heartbeat') return frame;
      }
    };

    describe('check', () => {
      it('answers each question, in order, at one revision', async () => {
        const answers = await fixture.decisions.check([
          ask(),
          ask({ permission: 'realtime:publish' }),
          ask({ sub: 'nobody' }),
          ask({ sub: `ci_${'0'.repeat(24)}` }),
          ask({ workspace: 'nowhere' }),
        ]);
        expect(answers.map((answer) => ('reason' in answer ? answer.reason : answer.decision))).toEqual([
          'allowed',
          'permission_missing',
          'no_role',
          'account_unknown',
          'workspace_unknown',
        ]);
        expect(new Set(answers.map(({ revision }) => revision)).size).toBe(1);
        expect(answers[0]).toEqual({
          decision: 'allowed',
          revision: expect.any(Number),
          principal: { provider: 'centrali', kind: 'user', sub: 'ann' },
          grants: [{ permission: 'realtime:subscribe' }],
          roles: ['viewer'],
          permissions: [],
        });
      });
      it('knows each change that was answered before', async () => {
        const decision = async (request: CheckRequest) => (await fixture.decisions.check([request]))[0]?.decision;
        const publish = ask({ permission: 'realtime:publish' });
        expect(await decision(publish)).toBe('forbidden');
        const { revision } = await fixture.iam.putMember({ workspace: 'demo', sub: 'ann', role: 'developer' });
        expect(await decision(publish)).toBe('allowed');
        expect((await fixture.decisions.check([publish]))[0]?.revision).toBeGreaterThanOrEqual(revision);
        await fixture.iam.setWorkspaceState('demo', 'suspended');
        expect(await decision(publish)).toBe('forbidden');
        await fixture.iam.setWorkspaceState('demo', 'active');
        expect(await decision(publish)).toBe('allowed');
      });
      it('follows a service account through its life', async () => {
        const { account } = await fixture.iam.createAccount({ workspace: 'demo', name: 'x', role: 'viewer' });
        const { accounts, store } = fixture.iam.services;
        const actor = { provider: 'centrali', kind: 'user', sub: 'test' } as const;
        const [secret] = await store.read((view) => view.credentials.ofClient(account.clientId));
        const reason = async () => {
          const request = ask({ sub: account.clientId, clientId: account.clientId, cred: secret?.cred ?? '' });
          const [answer] = await fixture.decisions.check([request]);
          return answer && 'reason' in answer ? answer.reason : answer?.decision;
        };
        expect(await reason()).toBe('allowed');
        await accounts.setDisabled('demo', account.id, true, actor);
        expect(await reason()).toBe('account_disabled');
        await accounts.setDisabled('demo', account.id, false, actor);
        expect(await reason()).toBe('allowed');
        await accounts.rotate('demo', account.id, 0, actor);
        expect(await reason()).toBe('credential_unknown');
        await accounts.delete('demo', account.id, actor);
        expect(await reason()).toBe('account_unknown');
      });
      it('takes 256 questions at once and no more, and not none', async () => {
        const many = Array.from({ length: 256 }, (_, index) => ask({ sub: index % 2 === 0 ? 'ann' : `u${index}` }));
        const answers = await fixture.decisions.check(many);
        expect(answers.map(({ decision }) => decision)).toEqual(
          many.map(({ sub }) => (sub === 'ann' ? 'allowed' : 'forbidden')),
        );
        await expect(fixture.decisions.check(Array(257).fill(ask()))).rejects.toThrow();
        await expect(fixture.decisions.check([])).rejects.toThrow();
      });
      it('rejects when IAM cannot decide', async () => {
        await fixture.iam.services.store.close();
        await expect(fixture.decisions.check([ask()])).rejects.toThrow();
      });
      it('heeds its signal', async () => {
        await expect(fixture.decisions.check([ask()], AbortSignal.abort())).rejects.toThrow();
      });
    });

    describe('changes', () => {
      it('begins with a snapshot, then tells each change in its order', async () => {
        const frames = read();
        const snapshot = await next(frames);
        expect(snapshot).toEqual({
          type: 'snapshot',
          epoch: expect.any(String),
          revision: expect.any(Number),
          providers: [],
          withdrawnKeys: [],
          revocations: [],
        });
        const { revision } = await fixture.iam.putMember({ workspace: 'demo', sub: 'bob', role: 'viewer' });
        await fixture.iam.setWorkspaceState('demo', 'suspended');
        expect(await nextChange(frames)).toEqual({
          type: 'change',
          revision,
          change: { kind: 'member', workspace: 'demo', provider: 'centrali', sub: 'bob' },
        });
        expect(await nextChange(frames)).toEqual({
          type: 'change',
          revision: revision + 1,
          change: { kind: 'workspace', workspace: 'demo' },
        });
      });
      it('goes on after a known position without a snapshot, and says at once where it is', async () => {
        const { epoch, revision } = (await next(read())) as { epoch: string; revision: number };
        expect(await next(read({ epoch, revision }))).toEqual({ type: 'heartbeat', epoch, revision });
        expect(await next(read({ epoch, revision: revision - 1 }))).toMatchObject({ type: 'change', revision });
      });
      it('begins anew for a position that it does not know', async () => {
        const { epoch, revision } = (await next(read())) as { epoch: string; revision: number };
        expect(await next(read({ epoch: 'other', revision }))).toMatchObject({ type: 'snapshot', revision });
        expect(await next(read({ epoch, revision: revision + 1 }))).toMatchObject({ type: 'snapshot', revision });
        await fixture.iam.services.store.transaction((tx) => tx.feed.trim(0));
        expect(await next(read({ epoch, revision: revision - 1 }))).toMatchObject({ type: 'snapshot', revision });
      });
      it('sends heartbeats with the head while nothing changes', async () => {
        const frames = read();
        const { epoch, revision } = (await next(frames)) as { epoch: string; revision: number };
        const beat = { type: 'heartbeat', epoch, revision };
        expect([await next(frames), await next(frames)]).toEqual([beat, beat]);
      });
      it('holds withdrawn keys and revocations in its snapshot', async () => {
        const [key] = await fixture.iam.listKeys();
        await fixture.iam.withdrawKey(key?.kid ?? '');
        const revocation = { workspace: 'demo', provider: 'centrali', sub: 'ann', notBefore: 1 };
        await fixture.iam.services.store.transaction((tx) =>
          tx.revocations.insert({ revision: 999, revocation, createdAt: 0, expiresAt: null }),
        );
        expect(await next(read())).toMatchObject({ withdrawnKeys: [key?.kid], revocations: [revocation] });
      });
      it('ends when it is aborted', async () => {
        const frames = read();
        await next(frames);
        const rest = (async () => {
          while (!(await frames.next()).done);
        })().catch(() => {});
        stop.abort();
        await rest;
      });
    });

    it('records what the gateway decided, and drops what belongs to no workspace', async () => {
      const entry = { at: 5, kind: 'connect', workspace: 'demo', sub: 'ann', provider: 'centrali', jti: 'j' } as const;
      await fixture.decisions.record([
        entry,
        { ...entry, workspace: 'nowhere' },
        { at: 6, kind: 'refuse', workspace: 'demo', code: 'INVALID_TOKEN', address: '192.0.2.1' },
      ]);
      const { audit, store } = fixture.iam.services;
      await audit.flush();
      const rows = await store.read((view) => view.audit.list({ workspace: 'demo', limit: 100 }));
      expect(rows.filter(({ kind }) => kind !== 'change')).toEqual([
        { ...entry, seq: expect.any(Number), count: 1 },
        expect.objectContaining({ kind: 'refuse', code: 'INVALID_TOKEN', count: 1 }),
      ]);
    });

    describe('tickets', () => {
      const hash = (n: number): string => n.toString(16).padStart(64, '0');
      const ticket = (more: Partial<TicketRecord> = {}): TicketRecord => ({
        workspace: 'demo',
        provider: 'pr_1',
        sub: 'ann \u{1f511}',
        kid: 'k',
        jti: 'j',
        clientId: 'c',
        sid: 's',
        jkt: 't',
        iat: 1,
        expiresAt: Date.now() + 3_600_000,
        scope: ['realtime:subscribe'],
        mappedRoles: ['viewer'],
        attributes: { ext_team: 7 },
        claims: { plan: 'gold', beta: true },
        ...more,
      });

      it('give back once what they were made of', async () => {
        expect(await fixture.decisions.putTicket(hash(1), ticket())).toBe(true);
        expect(await fixture.decisions.takeTicket(hash(2))).toBeUndefined();
        expect(await fixture.decisions.takeTicket(hash(1))).toEqual(ticket({ expiresAt: expect.any(Number) }));
        expect(await fixture.decisions.takeTicket(hash(1))).toBeUndefined();
      });
      it('go to one of all who ask at the same instant', async () => {
        await fixture.decisions.putTicket(hash(1), ticket());
        const taken = await Promise.all(Array.from({ length: 20 }, () => fixture.decisions.takeTicket(hash(1))));
        expect(taken.filter((one) => one !== undefined)).toHaveLength(1);
      });
      it('are good no longer than their token', async () => {
        await fixture.decisions.putTicket(hash(1), ticket({ expiresAt: Date.now() - 1 }));
        expect(await fixture.decisions.takeTicket(hash(1))).toBeUndefined();
      });
      it('are kept up to a number of one principal, which leaves the others their room', async () => {
        for (let n = 0; n < 120; n++) expect(await fixture.decisions.putTicket(hash(n), ticket())).toBe(true);
        expect(await fixture.decisions.putTicket(hash(121), ticket())).toBe(false);
        expect(await fixture.decisions.putTicket(hash(122), ticket({ sub: 'bob' }))).toBe(true);
        expect(await fixture.decisions.putTicket(hash(123), ticket({ workspace: 'other' }))).toBe(true);
        await fixture.decisions.takeTicket(hash(0));
        expect(await fixture.decisions.putTicket(hash(124), ticket())).toBe(true);
      });
      it('are refused under anything but a hash', async () => {
        for (const bad of ['', 'x', hash(1).toUpperCase().replace('1', 'F'), `${hash(1)}0`])
          await expect(fixture.decisions.putTicket(bad, ticket())).rejects.toThrow();
      });
    });

    it('gives the key set as it is now, public members only', async () => {
      const before = await fixture.decisions.jwks();
      expect(before.keys).toHaveLength(1);
      expect(before.keys[0]).not.toHaveProperty('d');
      const { kid } = await fixture.iam.rotateKeys();
      expect((await fixture.decisions.jwks()).keys.map((key) => key.kid)).toContain(kid);
    });
  });
}
