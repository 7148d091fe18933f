import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AdminFixture, errorOf, openAdmin } from './admin.fixture.ts';

let fixture: AdminFixture;
beforeAll(async () => {
  fixture = await openAdmin();
});
afterAll(() => fixture.close());

const revoke = (body: unknown, token = fixture.owner) => fixture.send('POST', '/revocations', { token, body });
const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString());
const status = async (token: string, workspace = 'demo') =>
  (await fixture.send('GET', '/roles', { token, workspace })).statusCode;

describe('revocations', () => {
  it('end one token by its jti, and no other; taking it back lets it live', async () => {
    const [one, two] = [await fixture.memberWith('admin', 'ann'), await fixture.memberWith('admin', 'ann')];
    const { revision } = (await revoke({ jti: claimsOf(one).jti })).json();
    expect([await status(one), await status(two)]).toEqual([401, 200]);
    const lifted = await fixture.send('DELETE', `/revocations/${revision}`, { token: fixture.owner });
    expect(lifted.json().revision).toBeGreaterThan(revision);
    expect(await status(one)).toBe(200);
    expect((await fixture.send('DELETE', `/revocations/${revision}`, { token: fixture.owner })).statusCode).toBe(404);
  });

  it("end a principal's tokens issued so far, in the same second too, and not later ones", async () => {
    const before = await fixture.memberWith('admin', 'bob');
    await revoke({ sub: 'bob' });
    expect(await status(before)).toBe(401);
    fixture.advance(1000);
    expect(await status(await fixture.memberWith('admin', 'bob'))).toBe(200);
    expect(await status(before)).toBe(401);
  });

  it("end a client's tokens, and all tokens up to a moment", async () => {
    const client = await fixture.userToken('adam', 'iam:manage', ['demo'], 'some-client');
    const other = await fixture.memberWith('admin', 'cy');
    await revoke({ clientId: 'some-client' });
    expect([await status(client), await status(other)]).toEqual([401, 200]);
    const iat = claimsOf(other).iat;
    await revoke({ notBefore: iat - 1 });
    expect(await status(other)).toBe(200);
    fixture.advance(5000);
    const owner = await fixture.memberWith('owner', 'later');
    await fixture.send('POST', '/revocations', { token: owner, body: { notBefore: iat } });
    expect([await status(other), await status(owner)]).toEqual([401, 200]);
  });

  it('act in this workspace only', async () => {
    await fixture.iam.putMember({ workspace: 'other', sub: 'both', role: 'owner' });
    await fixture.iam.putMember({ workspace: 'demo', sub: 'both', role: 'owner' });
    const token = await fixture.userToken('both', 'iam:manage', ['demo', 'other']);
    const otherOwner = await fixture.memberWith('owner', 'otto', 'other');
    const { revision } = (
      await fixture.send('POST', '/revocations', { token: otherOwner, workspace: 'other', body: { sub: 'both' } })
    ).json();
    expect([await status(token, 'other'), await status(token)]).toEqual([401, 200]);
    // Nor does another workspace see it or take it back.
    const list = (await fixture.send('GET', '/revocations', { token })).json();
    expect(list.items.every((item: { sub?: string }) => item.sub !== 'both')).toBe(true);
    expect((await fixture.send('DELETE', `/revocations/${revision}`, { token })).statusCode).toBe(404);
    expect(await status(token, 'other')).toBe(401);
  });

  it('are listed with what they name and until when they matter', async () => {
    const own = await openAdmin();
    for (const sub of ['a', 'b', 'c']) await own.send('POST', '/revocations', { token: own.owner, body: { sub } });
    const first = (await own.send('GET', '/revocations?limit=2', { token: own.owner })).json();
    const second = (await own.send('GET', `/revocations?limit=2&after=${first.next}`, { token: own.owner })).json();
    expect([...first.items, ...second.items].map(({ sub }) => sub)).toEqual(['a', 'b', 'c']);
    expect(first.items[0]).toMatchObject({ provider: 'centrali', notBefore: Math.floor(own.now() / 1000) });
    expect(Date.parse(first.items[0].expiresAt)).toBe(own.now() + 86_460_000);
    expect(second.next).toBeNull();
    await own.close();
  });

  it('tell gateways until when they matter, in the change and in the snapshot', async () => {
    const own = await openAdmin();
    const { revision } = (await own.send('POST', '/revocations', { token: own.owner, body: { sub: 'a' } })).json();
    const expiresAt = own.now() + 86_460_000;
    const rows = await own.iam.services.store.read((view) => view.feed.after(revision - 1, 1));
    expect(rows).toMatchObject([{ revision, change: { kind: 'revocation', revocation: { sub: 'a', expiresAt } } }]);
    const stop = new AbortController();
    const frames = own.iam.decisions.changes(undefined, stop.signal)[Symbol.asyncIterator]();
    const { value } = await frames.next();
    expect(value).toMatchObject({ type: 'snapshot', revocations: [{ sub: 'a', expiresAt }] });
    stop.abort();
    await frames.return?.();
    await own.close();
  });

  it.each([
    [{}, /^400 BAD_REQUEST: The body must name exactly one of/],
    [{ sub: 'a', jti: 'b' }, /^400 BAD_REQUEST: The body must name exactly one of/],
    [{ sub: 'a', notBefore: 1 }, /^400 BAD_REQUEST: The body must name exactly one of/],
    [{ notBefore: 1.5 }, /^400 BAD_REQUEST: notBefore: /],
    [{ notBefore: -1 }, /^400 BAD_REQUEST: notBefore: /],
    [{ notBefore: 9_999_999_999 }, /^400 BAD_REQUEST: notBefore: lies in the future/],
    [{ notBefore: Date.UTC(2026, 10, 1) }, /^400 BAD_REQUEST: notBefore: lies in the future/],
    [{ sid: 'a' }, /^400 BAD_REQUEST: sid: is not known/],
    [{ sub: 'a', provider: 'pr_00' }, /^400 BAD_REQUEST: provider: is not known/],
  ])('refuses %j', async (body, expected) => {
    const token = await fixture.memberWith('owner', 'fresh');
    expect(errorOf(await revoke(body, token))).toMatch(expected);
  });
});
