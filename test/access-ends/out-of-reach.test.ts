// Gateway and IAM in two processes: IAM frozen, the way to it cut, IAM killed. Whoever nothing proves is out within 5 s.
import { randomBytes } from 'node:crypto';
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { adminOk, bearer, devToken, eventsUrl, serviceToken } from '../support/api.ts';
import { type Child, runCommand, startCommand, temporaryFolder } from '../support/centrali.ts';
import type { EventStream } from '../support/event-stream.ts';
import { freePort } from '../support/free-port.ts';
import { connect, expectUnnoticed, openAll } from './streams.ts';

/** From the last frame of the feed to the last byte. */
const BOUND_MS = 5000;
/** Heartbeats come each second, so the last one may be that old when the feed is cut; and room for a slow machine. */
const MARGIN_MS = 1000;
const STREAMS = 40;

/** What lies between gateway and IAM: forwards, or lets nothing through in either direction. */
class Link {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #cut = false;

  constructor(port: number) {
    this.#server = createServer((near) => {
      const far = dial(port, '127.0.0.1');
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(from);
        from.on('data', (bytes) => void (this.#cut || to.write(bytes)));
        from.on('error', () => {});
        from.on('close', () => {
          this.#sockets.delete(from);
          if (!this.#cut) to.destroy();
        });
      }
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as { port: number }).port;
  }

  /** As a network that went away: no byte, no FIN, no RST. */
  cut(): void {
    this.#cut = true;
  }

  /** It is back; connections that lost bytes are not. */
  mend(): void {
    this.#cut = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.mend();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const folder = temporaryFolder();
const credential = randomBytes(24).toString('hex');
let publicUrl: string;
let iamPorts: [number, number];

async function startRole(role: 'gateway' | 'iam', env: Record<string, string>): Promise<Child> {
  const child = startCommand(['start', '--role', role, '--json'], {
    env: {
      CENTRALI_PUBLIC_URL: publicUrl,
      CENTRALI_INTERNAL_PORT: '0',
      CENTRALI_INTERNAL_CREDENTIAL: credential,
      CENTRALI_DATA: join(folder.path, role),
      CENTRALI_DEV_TOKENS: 'true',
      CENTRALI_DRAIN_SECONDS: '1',
      CENTRALI_LIMITS_CONNECTS_PER_SECOND_PER_ADDRESS: '0',
      CENTRALI_LOG_LEVEL: 'warn',
      ...env,
    },
  });
  await child.line((line) => (line.startsWith('{"ready"') ? line : undefined));
  return child;
}
const startIam = (): Promise<Child> =>
  startRole('iam', { CENTRALI_PORT: String(iamPorts[0]), CENTRALI_INTERNAL_PORT: String(iamPorts[1]) });

let iam: Child;
let gateway: Child;
let link: Link;
let owner: { baseUrl: string; workspace: string; clientId: string; clientSecret: string; adminToken: string };
const at = () => ({ baseUrl: publicUrl, workspace: 'acme' });

beforeAll(async () => {
  const [gatewayPort, iamPort, internalPort] = await Promise.all([freePort(), freePort(), freePort()]);
  publicUrl = `http://127.0.0.1:${gatewayPort}`;
  iamPorts = [iamPort, internalPort];
  const made = await runCommand(['workspace', 'create', 'acme', '--json', '--data', join(folder.path, 'iam')]);
  expect(made.code, made.stderr).toBe(0);
  iam = await startIam();
  link = new Link(internalPort);
  gateway = await startRole('gateway', {
    CENTRALI_PORT: String(gatewayPort),
    CENTRALI_IAM_URL: `http://127.0.0.1:${await link.listen()}`,
  });
  const account = { baseUrl: `http://127.0.0.1:${iamPort}`, workspace: 'acme', ...JSON.parse(made.stdout) };
  owner = { ...account, adminToken: await serviceToken(account, { scope: 'iam:manage' }) };
});
afterAll(async () => {
  iam?.signal('SIGCONT');
  await link?.close();
  await Promise.all([gateway?.stop(), iam?.stop()]);
  folder.remove();
});

/** When each stream ended, in ms from now, and with which code. */
async function endsOf(streams: readonly EventStream[]): Promise<{ at: number; code: string }[]> {
  const from = performance.now();
  return await Promise.all(
    streams.map(async (stream) => {
      const blocks = await stream.end(BOUND_MS + 4 * MARGIN_MS);
      const last = JSON.parse(blocks.at(-1)?.data ?? '{}');
      return { at: performance.now() - from, code: last.code };
    }),
  );
}

describe.each<[string, () => unknown, () => unknown]>([
  ['frozen by SIGSTOP', () => iam.signal('SIGSTOP'), () => iam.signal('SIGCONT')],
  ['behind a network that is gone', () => link.cut(), () => link.mend()],
  [
    'killed',
    () => iam.kill(),
    async () => {
      iam = await startIam();
    },
  ],
])('an IAM that is %s', (_name, lose, restore) => {
  let tokens: string[];
  let streams: EventStream[];
  beforeEach(async () => {
    tokens = await Promise.all(
      Array.from({ length: STREAMS }, (_, n) => devToken(owner, { sub: `u${n}`, role: 'viewer' })),
    );
    streams = await openAll(at(), tokens);
  });

  test('ends all streams by the bound, spread, and lets nobody in; then they are back', {
    timeout: 60_000,
  }, async () => {
    await lose();
    const from = performance.now();
    const watched = endsOf(streams);
    // Who has been let in before, and who has not.
    const stranger = streams.length === STREAMS ? tokens[0] : undefined;
    const attempts: string[] = [];
    while (performance.now() - from < BOUND_MS + MARGIN_MS) {
      // One that is let in on what is still known, within the bound, ends by it as the others do.
      if (performance.now() - from > 2500) attempts.push(await connect(at(), stranger ?? ''));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const ends = await watched;
    expect(new Set(ends.map(({ code }) => code))).toEqual(new Set(['AUTH_ERROR']));
    const moments = ends.map((end) => end.at).sort((a, b) => a - b);
    expect(moments.at(-1)).toBeLessThan(BOUND_MS + MARGIN_MS);
    // The last heartbeat was at most a second old: nobody is sent away before the bound's last second.
    expect(moments[0]).toBeGreaterThan(BOUND_MS - 1000 - 1000 - 100);
    expect((moments.at(-1) ?? 0) - (moments[0] ?? 0)).toBeGreaterThan(500);
    expect(new Set(attempts)).toEqual(new Set(['AUTH_ERROR']));
    expect((await fetch(`${publicUrl}/readyz`)).status).toBe(200);

    await restore();
    await expect.poll(() => connect(at(), tokens[1] ?? ''), { timeout: 15_000, interval: 100 }).toBe('open');
    const again = await openAll(at(), tokens);
    const publisher = await serviceToken(owner);
    await expectUnnoticed(again, at(), publisher);
    for (const stream of again) stream.close();
  });
});

describe('an outage that is shorter than the bound', () => {
  test('ends nobody, and what happened meanwhile takes effect when it is over', { timeout: 60_000 }, async () => {
    const [gone = '', ...rest] = await Promise.all(
      Array.from({ length: STREAMS }, (_, n) => devToken(owner, { sub: `v${n}`, role: 'viewer' })),
    );
    const [ending] = await openAll(at(), [gone]);
    const going = await openAll(at(), rest);
    link.cut();
    // IAM itself is well, and its administration is reached past the cut.
    await adminOk(owner, 'PUT', 'members/v0', { roles: ['viewer'], blocked: true });
    await new Promise((resolve) => setTimeout(resolve, 2000));
    link.mend();
    expect((await ending?.system('error', 3000))?.json).toMatchObject({ code: 'FORBIDDEN' });
    await expectUnnoticed(going, at(), await serviceToken(owner));
    for (const stream of going) stream.close();
    const refused = await fetch(eventsUrl(at()), { headers: bearer(gone) });
    expect(refused.status).toBe(403);
  });
});
