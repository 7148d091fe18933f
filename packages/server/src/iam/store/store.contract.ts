/** What every Store adapter holds to. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { verifyAudit } from '../audit/verify.ts';
import type { AccountRecord, NewAuditRow, Store, StoreTransaction } from './port.ts';

/** One state that can be opened, closed and opened again. */
export interface StoreFixture {
  open(): Promise<Store>;
  /** Removes the state. */
  remove(): Promise<void>;
}

const AUDIT = { workspace: 'demo', at: 1_000, action: 'test' } as const;
const CHANGE = { kind: 'workspace', workspace: 'demo' } as const;

/** Runs the suite over states that `make` makes. */
export function storeContract(name: string, make: () => Promise<StoreFixture>): void {
  describe(`${name} is a Store`, () => {
    let fixture: StoreFixture;
    let store: Store;

    beforeEach(async () => {
      fixture = await make();
      store = await fixture.open();
    });
    afterEach(async () => {
      await store.close();
      await fixture.remove();
    });
    const write = <T>(fn: (tx: StoreTransaction) => Promise<T>): Promise<T> => store.transaction(fn);
    const reopen = async (): Promise<void> => {
      await store.close();
      store = await fixture.open();
    };

    describe('transactions', () => {
      it('keep everything of a transaction that resolves, over a restart too', async () => {
        await write((tx) => tx.workspaces.insert({ slug: 'demo', state: 'active', createdAt: 5 }));
        await reopen();
        expect(await store.read((view) => view.workspaces.get('demo'))).toEqual({
          slug: 'demo',
          state: 'active',
          createdAt: 5,
        });
      });
      it('keep nothing of a transaction that rejects, its revision neither', async () => {
        const failed = write(async (tx) => {
          await tx.workspaces.insert({ slug: 'demo', state: 'active', createdAt: 5 });
          await tx.recordChange(CHANGE, AUDIT);
          throw new Error('no');
        });
        await expect(failed).rejects.toThrow('no');
        expect(await store.read((view) => view.workspaces.list())).toEqual([]);
        expect((await store.read((view) => view.feed.head())).revision).toBe(0);
        expect(await store.read((view) => view.audit.list({ workspace: 'demo', limit: 9 }))).toEqual([]);
      });
      it('do not see one another half done', async () => {
        const counts: number[] = [];
        const twice = async (): Promise<void> => {
          await write(async (tx) => {
            await tx.recordChange(CHANGE, AUDIT);
            await tx.recordChange(CHANGE, AUDIT);
          });
        };
        const look = async (): Promise<void> => {
          counts.push((await store.read((view) => view.feed.head())).revision);
        };
        await Promise.all([look(), twice(), look(), twice(), look()]);
        expect(counts.every((count) => count % 2 === 0)).toBe(true);
      });
      it('keep epoch and pepper over a restart', async () => {
        const { epoch } = await store.read((view) => view.feed.head());
        const { pepper } = store;
        await reopen();
        expect((await store.read((view) => view.feed.head())).epoch).toBe(epoch);
        expect(Buffer.from(store.pepper).equals(pepper)).toBe(true);
        expect(pepper).toHaveLength(32);
      });
      it('refuse work after close', async () => {
        await store.close();
        await expect(store.read((view) => view.workspaces.list())).rejects.toThrow();
      });
    });

    describe('workspaces', () => {
      it('never take a slug twice', async () => {
        const insert = () => write((tx) => tx.workspaces.insert({ slug: 'demo', state: 'active', createdAt: 5 }));
        expect(await insert()).toBe(true);
        await write((tx) => tx.workspaces.setState('demo', 'deleted'));
        expect(await insert()).toBe(false);
        expect((await store.read((view) => view.workspaces.get('demo')))?.state).toBe('deleted');
      });
      it('say when there is nothing to change', async () => {
        expect(await write((tx) => tx.workspaces.setState('absent', 'suspended'))).toBe(false);
      });
    });

    describe('signing keys', () => {
      it('come back as they went in, oldest first', async () => {
        const key = (kid: string, createdAt: number) => ({
          kid,
          alg: 'RS256',
          privateJwk: { kty: 'RSA', d: 'x' },
          publicJwk: { kty: 'RSA' },
          createdAt,
          signFrom: createdAt + 1,
          retireAt: null,
          withdrawnAt: null,
        });
        await write(async (tx) => {
          await tx.signingKeys.insert(key('b', 2));
          await tx.signingKeys.insert(key('a', 1));
        });
        expect(await store.read((view) => view.signingKeys.list())).toEqual([key('a', 1), key('b', 2)]);
        await write((tx) => tx.signingKeys.update('a', { retireAt: 9, withdrawnAt: 8 }));
        expect((await store.read((view) => view.signingKeys.list()))[0]).toEqual({
          ...key('a', 1),
          retireAt: 9,
          withdrawnAt: 8,
        });
        expect(await write((tx) => tx.signingKeys.delete('a'))).toBe(true);
        expect(await write((tx) => tx.signingKeys.delete('a'))).toBe(false);
      });
    });

    describe('accounts and credentials', () => {
      const account = (clientId: string, more: Partial<AccountRecord> = {}): Omit<AccountRecord, 'id'> => ({
        workspace: 'demo',
        clientId,
        name: clientId,
        description: null,
        roles: ['developer'],
        disabled: false,
        createdAt: 1,
        ...more,
      });
      it('count ids up and never use one twice', async () => {
        const first = await write((tx) => tx.accounts.insert(account('ci_1')));
        await write((tx) => tx.accounts.delete('ci_1'));
        await reopen();
        const second = await write((tx) => tx.accounts.insert(account('ci_2')));
        expect(second).toBeGreaterThan(first);
        expect(await store.read((view) => view.accounts.get('demo', second))).toEqual({
          id: second,
          ...account('ci_2'),
        });
      });
      it('keep workspaces apart', async () => {
        const id = await write((tx) => tx.accounts.insert(account('ci_1', { workspace: 'other' })));
        expect(await store.read((view) => view.accounts.get('demo', id))).toBeUndefined();
        expect(await store.read((view) => view.accounts.list('demo', 10))).toEqual([]);
        expect((await store.read((view) => view.accounts.byClientId('ci_1')))?.id).toBe(id);
      });
      it('page by id', async () => {
        const ids = await write(async (tx) => [
          await tx.accounts.insert(account('ci_1')),
          await tx.accounts.insert(account('ci_2')),
          await tx.accounts.insert(account('ci_3')),
        ]);
        const page = await store.read((view) => view.accounts.list('demo', 2));
        expect(page.map(({ id }) => id)).toEqual(ids.slice(0, 2));
        expect((await store.read((view) => view.accounts.list('demo', 2, ids[1]))).map(({ id }) => id)).toEqual([
          ids[2],
        ]);
      });
      it('find holders of a role by its whole name, in which an underscore is no wildcard', async () => {
        await write(async (tx) => {
          await tx.accounts.insert(account('ci_1', { roles: ['my_role'] }));
          await tx.accounts.insert(account('ci_2', { roles: ['my-role'] }));
          await tx.accounts.insert(account('ci_3', { roles: ['my_role'], disabled: true }));
        });
        await store.read(async (view) => {
          expect((await view.accounts.withRole('demo', 'my_role')).map(({ clientId }) => clientId)).toEqual(['ci_1']);
          expect(await view.accounts.anyWithRole('demo', 'my_role')).toBe(true);
          expect(await view.accounts.anyWithRole('demo', 'role')).toBe(false);
        });
      });
      it('change only what is named', async () => {
        const id = await write((tx) => tx.accounts.insert(account('ci_1')));
        await write((tx) => tx.accounts.update('ci_1', { disabled: true }));
        expect(await store.read((view) => view.accounts.get('demo', id))).toEqual({
          id,
          ...account('ci_1'),
          disabled: true,
        });
        expect(await write((tx) => tx.accounts.update('ci_9', {}))).toBe(false);
      });
      it('keep secrets and keys, and drop them with their account', async () => {
        const base = { clientId: 'ci_1', createdAt: 1, validUntil: null };
        await write(async (tx) => {
          await tx.accounts.insert(account('ci_1'));
          await tx.credentials.insert({ ...base, cred: 'cr_1', kind: 'secret', hash: 'aa' });
          await tx.credentials.insert({ ...base, cred: 'cr_2', kind: 'key', jwk: { kty: 'OKP' }, validUntil: 50 });
        });
        await store.read(async (view) => {
          expect(await view.credentials.ofClient('ci_1')).toEqual([
            { ...base, cred: 'cr_1', kind: 'secret', hash: 'aa' },
            { ...base, cred: 'cr_2', kind: 'key', jwk: { kty: 'OKP' }, validUntil: 50 },
          ]);
          expect((await view.credentials.endingBetween(49, 50)).map(({ cred }) => cred)).toEqual(['cr_2']);
          expect(await view.credentials.endingBetween(50, 60)).toEqual([]);
          expect((await view.credentials.byCreds(['cr_1', 'cr_9'])).map(({ cred }) => cred)).toEqual(['cr_1']);
        });
        await write((tx) => tx.accounts.delete('ci_1'));
        expect(await store.read((view) => view.credentials.ofClient('ci_1'))).toEqual([]);
      });
    });

    describe('members and roles', () => {
      const member = (provider: string, sub: string) => ({
        workspace: 'demo',
        provider,
        sub,
        roles: ['viewer'],
        blocked: false,
        createdAt: 1,
        updatedAt: 1,
      });
      it('are keyed by workspace, provider and sub', async () => {
        await write(async (tx) => {
          await tx.members.put(member('centrali', 'ann'));
          await tx.members.put({ ...member('pr_1', 'ann'), roles: [] });
        });
        await store.read(async (view) => {
          expect(await view.members.get({ workspace: 'demo', provider: 'centrali', sub: 'ann' })).toEqual(
            member('centrali', 'ann'),
          );
          expect(await view.members.get({ workspace: 'other', provider: 'centrali', sub: 'ann' })).toBeUndefined();
          const keys = [
            { workspace: 'demo', provider: 'pr_1', sub: 'ann' },
            { workspace: 'demo', provider: 'pr_2', sub: 'ann' },
          ];
          expect((await view.members.getMany(keys)).map(({ roles }) => roles)).toEqual([[]]);
        });
      });
      it('keep their first moment when they are put again', async () => {
        await write((tx) => tx.members.put(member('centrali', 'ann')));
        await write((tx) =>
          tx.members.put({ ...member('centrali', 'ann'), blocked: true, createdAt: 7, updatedAt: 7 }),
        );
        const [only] = await store.read((view) => view.members.list('demo', 10));
        expect(only).toMatchObject({ blocked: true, createdAt: 1, updatedAt: 7 });
      });
      it('page by provider and sub', async () => {
        await write(async (tx) => {
          for (const [provider, sub] of [
            ['b', '1'],
            ['a', '2'],
            ['a', '1'],
          ] as const)
            await tx.members.put(member(provider, sub));
        });
        const names = async (after?: { provider: string; sub: string }) =>
          (await store.read((view) => view.members.list('demo', 2, after))).map(({ provider, sub }) => provider + sub);
        expect(await names()).toEqual(['a1', 'a2']);
        expect(await names({ provider: 'a', sub: '2' })).toEqual(['b1']);
      });
      it('find the holders of a role, the blocked left out', async () => {
        await write(async (tx) => {
          await tx.members.put(member('centrali', 'ann'));
          await tx.members.put({ ...member('centrali', 'bob'), blocked: true });
        });
        const holders = await store.read((view) => view.members.withRole('demo', 'viewer'));
        expect(holders.map(({ sub }) => sub)).toEqual(['ann']);
      });
      it('keep grants as they are', async () => {
        const role = {
          workspace: 'demo',
          name: 'clerk',
          grants: [{ permission: 'realtime:subscribe', structures: ['order'], filter: "data.owner:'{sub}'" }],
          createdAt: 1,
          updatedAt: 1,
        } as const;
        await write((tx) => tx.roles.put(role));
        expect(await store.read((view) => view.roles.get('demo', 'clerk'))).toEqual(role);
        expect(await store.read((view) => view.roles.ofWorkspaces(['other', 'demo']))).toEqual([role]);
        expect(await store.read((view) => view.roles.list('other'))).toEqual([]);
        expect(await write((tx) => tx.roles.delete('demo', 'clerk'))).toBe(true);
      });
    });

    describe('providers', () => {
      const provider = (id: string, workspaces: readonly string[]) => ({
        record: {
          id,
          name: id,
          workspaces,
          issuer: 'https://login.example',
          audiences: ['a'],
          typ: ['jwt'],
          algorithms: ['RS256'],
          jwksUri: 'https://login.example/jwks',
          mapping: { defaultRole: 'viewer' },
          maxLifetimeSeconds: 60,
        },
        createdAt: 1,
        updatedAt: 1,
      });
      it('are found by the workspaces that they vouch for', async () => {
        await write(async (tx) => {
          await tx.providers.put(provider('pr_1', ['demo']));
          await tx.providers.put(provider('pr_2', ['other']));
        });
        expect(await store.read((view) => view.providers.list('demo'))).toEqual([provider('pr_1', ['demo'])]);
        await write((tx) => tx.providers.put({ ...provider('pr_1', ['other']), updatedAt: 2 }));
        await store.read(async (view) => {
          expect(await view.providers.list('demo')).toEqual([]);
          expect(await view.providers.all()).toHaveLength(2);
          expect((await view.providers.get('pr_1'))?.updatedAt).toBe(2);
        });
        expect(await write((tx) => tx.providers.delete('pr_1'))).toBe(true);
        expect(await store.read((view) => view.providers.get('pr_1'))).toBeUndefined();
      });
    });

    describe('revocations and used names', () => {
      const revocation = (revision: number, workspace: string | null, expiresAt: number | null) => ({
        revision,
        revocation: { workspace, provider: 'centrali', jti: `j${revision}` },
        createdAt: 1,
        expiresAt,
      });
      it('live until they can end no token any more', async () => {
        await write(async (tx) => {
          await tx.revocations.insert(revocation(1, 'demo', 100));
          await tx.revocations.insert(revocation(2, null, null));
        });
        const live = async (now: number) =>
          (await store.read((view) => view.revocations.live(now))).map(({ revision }) => revision);
        expect(await live(99)).toEqual([1, 2]);
        expect(await live(100)).toEqual([2]);
        const count = (now: number) => store.read((view) => view.revocations.count('demo', now));
        expect([await count(99), await count(100)]).toEqual([1, 0]);
        expect(await write((tx) => tx.revocations.prune(100))).toBe(1);
        expect(await store.read((view) => view.revocations.list('demo', 10))).toEqual([]);
      });
      it('are seen by their own workspace alone', async () => {
        await write((tx) => tx.revocations.insert(revocation(1, 'demo', null)));
        await store.read(async (view) => {
          expect(await view.revocations.get('other', 1)).toBeUndefined();
          expect(await view.revocations.get('demo', 1)).toEqual(revocation(1, 'demo', null));
          expect(await view.revocations.list('demo', 10, 1)).toEqual([]);
        });
        expect(await write((tx) => tx.revocations.delete(1))).toBe(true);
      });
      it('keep a ticket, up to a number, until it is taken or its time is over', async () => {
        const ticket = (sub: string) => ({
          ...{ workspace: 'demo', provider: 'centrali', sub, kid: 'k', iat: 1, expiresAt: 100 },
          ...{ scope: [], mappedRoles: [], attributes: {}, claims: {} },
        });
        const put = (hash: string, sub: string, expiresAt: number, now = 0) =>
          write((tx) => tx.tickets.put({ hash, ticket: ticket(sub), expiresAt }, now, { inAll: 3, ofPrincipal: 2 }));
        const take = (hash: string, now = 0) => write((tx) => tx.tickets.take(hash, now));
        expect(await put('a', 'ann', 10)).toBe(true);
        expect(await put('b', 'ann', 20)).toBe(true);
        expect(await put('c', 'ann', 30)).toBe(false);
        expect(await put('d', 'bob', 30)).toBe(true);
        expect(await put('e', 'eve', 30)).toBe(false);
        expect(await put('e', 'eve', 30, 10)).toBe(true);
        expect(await take('a')).toBeUndefined();
        expect(await take('b', 20)).toBeUndefined();
        expect(await take('d', 29)).toEqual(ticket('bob'));
        expect(await take('d')).toBeUndefined();
        expect(await write((tx) => tx.tickets.prune(30))).toBe(1);
      });
      it('take a jti once for each client, until it is pruned', async () => {
        const take = (client: string) => write((tx) => tx.usedJtis.take(client, 'j', 100));
        expect(await take('ci_1')).toBe(true);
        expect(await take('ci_1')).toBe(false);
        expect(await take('ci_2')).toBe(true);
        expect(await write((tx) => tx.usedJtis.prune(99))).toBe(0);
        expect(await write((tx) => tx.usedJtis.prune(100))).toBe(2);
        expect(await take('ci_1')).toBe(true);
      });
    });

    describe('audit rows', () => {
      it('come back whole, in order, and filtered', async () => {
        const rows: NewAuditRow[] = [
          { workspace: 'demo', at: 1, kind: 'refuse', code: 'FORBIDDEN', address: '::1', count: 3 },
          {
            workspace: 'demo',
            at: 2,
            kind: 'token',
            sub: 'ci_1',
            detail: { scope: 'openid' },
            principalKind: 'service',
          },
          { workspace: 'other', at: 3, kind: 'token' },
        ];
        await write((tx) => tx.audit.append(rows));
        await store.read(async (view) => {
          const [first, second, ...more] = await view.audit.list({ workspace: 'demo', limit: 10 });
          expect(first).toEqual({ seq: expect.any(Number), ...rows[0] });
          expect(second).toEqual({ seq: (first?.seq ?? 0) + 1, count: 1, ...rows[1] });
          expect(more).toEqual([]);
          const list = (query: object) => view.audit.list({ workspace: 'demo', limit: 10, ...query });
          expect(await list({ kind: 'token' })).toEqual([second]);
          expect(await list({ code: 'FORBIDDEN' })).toEqual([first]);
          expect(await list({ sub: 'ci_1' })).toEqual([second]);
          expect(await list({ after: first?.seq })).toEqual([second]);
          expect(await list({ limit: 1 })).toEqual([first]);
        });
        expect(await write((tx) => tx.audit.prune(2))).toBe(1);
      });
      it('take more rows at once than one statement holds', async () => {
        const rows = Array.from(
          { length: 1_200 },
          (_, at): NewAuditRow => ({ workspace: 'demo', at, kind: 'connect' }),
        );
        await write((tx) => tx.audit.append(rows));
        const back = await store.read((view) => view.audit.list({ workspace: 'demo', limit: 2_000 }));
        expect(back.map(({ at }) => at)).toEqual(rows.map(({ at }) => at));
      });
    });

    describe('chains of audit rows', () => {
      const row = (workspace: string | null, at: number): NewAuditRow => ({ workspace, at, kind: 'connect' });
      const ends = async () =>
        (await store.read((view) => view.audit.chains())).chains.map(({ workspace, anchor, head }) => [
          workspace,
          anchor.seq,
          head.seq,
        ]);
      it('go on for each workspace by itself, over transactions and restarts', async () => {
        await write((tx) => tx.audit.append([row('demo', 1), row(null, 2), row('demo', 3)]));
        await reopen();
        await write(async (tx) => {
          await tx.audit.append([row('demo', 4)]);
          await tx.recordChange(CHANGE, AUDIT);
        });
        expect(await ends()).toEqual([
          [null, 0, 2],
          ['demo', 0, 5],
        ]);
        const links = await store.read((view) => view.audit.links('demo', 1, 2));
        expect(links.map(({ seq }) => seq)).toEqual([3, 4]);
        expect(new Set(links.map(({ mac }) => mac)).size).toBe(2);
        expect(await verifyAudit(store)).toMatchObject({ ok: true, chains: [{ rows: 1 }, { rows: 4 }] });
      });
      it('keep their place when retention removes their rows', async () => {
        await write((tx) => tx.audit.append([row('demo', 1), row(null, 2), row('demo', 3)]));
        expect(await write((tx) => tx.audit.prune(3))).toBe(2);
        expect(await write((tx) => tx.audit.prune(3))).toBe(0);
        expect(await ends()).toEqual([
          [null, 2, 2],
          ['demo', 1, 3],
        ]);
        expect(await store.read((view) => view.audit.workspaces())).toEqual(['demo']);
        await write((tx) => tx.audit.append([row(null, 9), row('demo', 9)]));
        expect((await verifyAudit(store)).ok).toBe(true);
      });
    });

    describe('the change feed', () => {
      it('gives each change its revision, a feed row and an audit row', async () => {
        const revisions = await write(async (tx) => [
          await tx.recordChange(CHANGE, AUDIT),
          await tx.recordChange({ kind: 'key', kid: 'k', withdrawn: true }, { ...AUDIT, workspace: null }),
        ]);
        expect(revisions).toEqual([1, 2]);
        await store.read(async (view) => {
          expect((await view.feed.head()).revision).toBe(2);
          expect(await view.feed.after(0, 10)).toEqual([
            { revision: 1, change: CHANGE },
            { revision: 2, change: { kind: 'key', kid: 'k', withdrawn: true } },
          ]);
          expect(await view.feed.after(1, 10)).toHaveLength(1);
          expect(await view.feed.after(2, 10)).toEqual([]);
          expect(await view.audit.list({ workspace: 'demo', limit: 10 })).toMatchObject([
            { kind: 'change', action: 'test', revision: 1 },
          ]);
        });
      });
      it('says what it has trimmed', async () => {
        await write(async (tx) => {
          for (let i = 0; i < 5; i++) await tx.recordChange(CHANGE, AUDIT);
        });
        expect(await write((tx) => tx.feed.trim(2))).toBe(3);
        expect(await write((tx) => tx.feed.trim(2))).toBe(0);
        await store.read(async (view) => {
          expect(await view.feed.after(2, 10)).toBeUndefined();
          expect((await view.feed.after(3, 10))?.map(({ revision }) => revision)).toEqual([4, 5]);
        });
      });
      it('tells listeners after the commit, once for each commit that changed something', async () => {
        const heard: number[] = [];
        const stop = store.onChange((revision) => heard.push(revision));
        await write(async (tx) => {
          await tx.recordChange(CHANGE, AUDIT);
          await tx.recordChange(CHANGE, AUDIT);
          expect(heard).toEqual([]);
        });
        expect(heard).toEqual([2]);
        await write((tx) => tx.audit.append([{ workspace: 'demo', at: 1, kind: 'close' }]));
        await write(async (tx) => {
          await tx.recordChange(CHANGE, AUDIT);
          throw new Error('no');
        }).catch(() => {});
        expect(heard).toEqual([2]);
        stop();
        await write((tx) => tx.recordChange(CHANGE, AUDIT));
        expect(heard).toEqual([2]);
      });
    });
  });
}
