/** Signing keys turned round under traffic: IAM, its change feed and a gateway, in memory and over the internal listener. */
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Decisions } from '@centrali-io/protocol';
import { decodeProtectedHeader } from 'jose';
import { describe, expect, it } from 'vitest';
import {
  createDelivery,
  createGateway,
  createHttpDecisions,
  isStreamReply,
  openSqliteBroker,
} from '../gateway/index.ts';
import { createIam } from '../iam/index.ts';
import { HeaderFields, type ServerRequest, SILENT } from '../resource-server/index.ts';
import { createInternalListener } from './internal.ts';
import { createMetrics } from './metrics.ts';

const ISSUER = 'https://centrali.example';
const LEAD_SECONDS = 1;

type Iam = Awaited<ReturnType<typeof createIam>>;
type Way = (iam: Iam) => Promise<{ readonly decisions: Decisions; close(): Promise<void> }>;

const inMemory: Way = async ({ decisions }) => ({ decisions, close: async () => {} });
const overHttp: Way = async (iam) => {
  const credential = 'c'.repeat(32);
  const listener = createInternalListener({
    host: '127.0.0.1',
    port: 0,
    credential,
    log: SILENT,
    metrics: createMetrics(),
  });
  const { url } = await listener.listen();
  listener.mount({ iam, readiness: () => ({ ready: true }) });
  const decisions = createHttpDecisions({ url, credential });
  return {
    decisions,
    async close() {
      decisions.close();
      await listener.close(0);
    },
  };
};

/** The decisions, and how far their reader has taken the feed in: a frame is in when the next one is asked for. */
function watched(inner: Decisions) {
  let loads = 0;
  let taken = -1;
  let wake = (): void => {};
  const decisions: Decisions = {
    check: (requests, signal) => inner.check(requests, signal),
    record: (entries, signal) => inner.record(entries, signal),
    putTicket: (hash, ticket, signal) => inner.putTicket(hash, ticket, signal),
    takeTicket: (hash, signal) => inner.takeTicket(hash, signal),
    jwks(signal) {
      loads += 1;
      return inner.jwks(signal);
    },
    async *changes(position, signal) {
      for await (const frame of inner.changes(position, signal)) {
        yield frame;
        taken = frame.revision;
        wake();
      }
    },
  };
  return {
    decisions,
    loads: () => loads,
    async takenIn(revision: number) {
      for (;;) {
        if (taken >= revision) return;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
  };
}

describe.each([
  ['in memory', inMemory],
  ['over the internal listener', overHttp],
])('signing keys turned round again and again, %s', (_, way) => {
  it('never make a gateway refuse a good token, though strangers have used up its cooldown', async () => {
    let clock = Date.UTC(2026, 0, 1);
    const iam = await createIam({
      file: ':memory:',
      issuer: ISSUER,
      algorithm: 'ES256',
      keyPublishLeadSeconds: LEAD_SECONDS,
      now: () => clock,
    });
    await iam.ensureWorkspace('demo');
    const { account } = await iam.createAccount({ workspace: 'demo', name: 'publisher', role: 'developer' });
    const { store } = iam.services;
    const cred = (await store.read((view) => view.credentials.ofClient(account.clientId)))[0]?.cred ?? expect.fail();
    const reached = await way(iam);
    const { decisions, loads, takenIn } = watched(reached.decisions);
    const folder = mkdtempSync(join(tmpdir(), 'centrali-rotation-'));
    const broker = await openSqliteBroker({ file: join(folder, 'log.db') });
    const gateway = createGateway({
      baseUrl: ISSUER,
      decisions,
      broker,
      delivery: createDelivery({ broker }),
      log: SILENT,
      limits: { requestsPerSecondPerPrincipal: 0 },
      now: () => clock,
      // Stands: the cooldown that strangers begin is never over.
      monotonic: () => 0,
    });

    const tokenOf = async (): Promise<string> => {
      const { clientId, workspace } = account;
      const { token } = await iam.services.issueToken({
        sub: clientId,
        clientId,
        workspaces: [workspace],
        cred,
        lifetimeSeconds: 600,
      });
      return token;
    };
    const publish = async (token: string): Promise<number> => {
      const request: ServerRequest = {
        id: `req_${randomUUID()}`,
        method: 'POST',
        path: '/realtime/workspace/demo/events',
        query: new URLSearchParams(),
        headers: new HeaderFields(['authorization', `Bearer ${token}`, 'content-type', 'application/json']),
        address: '192.0.2.1',
        secure: true,
        body: async () => Buffer.from('{"event":"greeted"}'),
        aborted: false,
      };
      const reply = await gateway.handle(request, { workspace: 'demo', rest: 'events' });
      return isStreamReply(reply) ? expect.fail() : reply.status;
    };
    /** A token that names a key which there is not. */
    const strange = (token: string): string => {
      const [, payload, signature] = token.split('.');
      const header = { ...decodeProtectedHeader(token), kid: randomBytes(16).toString('hex') };
      return [Buffer.from(JSON.stringify(header)).toString('base64url'), payload, signature].join('.');
    };
    const all = (length: number, send: () => Promise<number>) => Promise.all(Array.from({ length }, send));

    await takenIn((await store.read((view) => view.feed.head())).revision);
    const first = await tokenOf();
    expect(await publish(first)).toBe(202);
    expect(await all(20, () => publish(strange(first)))).toEqual(Array(20).fill(401));
    const begun = loads();

    for (let round = 1; round <= 30; round++) {
      const during = all(5, () => publish(first));
      const { kid, signFrom } = await iam.rotateKeys();
      expect(signFrom).toBe(clock + LEAD_SECONDS * 1_000);
      await takenIn((await store.read((view) => view.feed.head())).revision);
      clock += 2_000;
      const token = await tokenOf();
      expect(decodeProtectedHeader(token).kid).toBe(kid);
      expect(await all(10, () => publish(token))).toEqual(Array(10).fill(202));
      expect(await during).toEqual(Array(5).fill(202));
      expect(await all(5, () => publish(strange(token)))).toEqual(Array(5).fill(401));
    }
    // Each change of the keys costs one load, whoever asks for what.
    expect(loads() - begun).toBe(30);

    // A key that is withdrawn ends its tokens, and the one that takes over is known at once.
    const last = await tokenOf();
    const { kid } = decodeProtectedHeader(last);
    await iam.withdrawKey(kid ?? '');
    await takenIn((await store.read((view) => view.feed.head())).revision);
    expect(await publish(last)).toBe(401);
    expect(await publish(await tokenOf())).toBe(202);

    await gateway.close();
    await broker.close();
    await reached.close();
    await iam.close();
    rmSync(folder, { recursive: true, force: true });
  });
});
