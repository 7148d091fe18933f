// A cursor that cannot be gone on from, in three kinds of clients: each is told why, once, and not again when it
// comes back by itself.
import { join } from 'node:path';
import { CentraliSDK, type RealtimeSubscription } from '@centrali-io/centrali-sdk';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeWorkspaces, tokenOf } from '../chaos/workspaces.ts';
import { bearer, eventsUrl, publish, serviceToken } from '../support/api.ts';
import { type Child, type Dev, startDev, startProcess, temporaryFolder } from '../support/centrali.ts';
import { launchChromium, type PageServer, servePages } from '../support/chromium.ts';
import { openStream, parseBlock } from '../support/event-stream.ts';
import { commandPath, requirePart } from '../support/parts.ts';
import { until } from '../support/wait.ts';

const KINDS = { trimmed: 'trimmed', foreign: 'unknown', forged: 'unknown', future: 'unknown' } as const;
type Kind = keyof typeof KINDS;
const kinds = Object.keys(KINDS) as Kind[];

/** What a client saw, in order: the types of `system` events with the reason, and the names of events. */
type Seen = readonly string[];

const folder = temporaryFolder();
let dev: Dev;
let token: string;
let cursors: Record<Kind, string>;

const tick = (recordId: string, recordSlug = 'kept'): object => ({
  event: 'record_created',
  recordSlug,
  recordId,
  data: {},
});

beforeAll(async () => {
  const data = join(folder.path, 'data');
  const [other] = await makeWorkspaces(data, 1);
  // Streams end by themselves after 3 s at most: each client comes back on its own.
  dev = await startDev({
    data,
    env: {
      CENTRALI_LOG_MAX_EVENTS: '20',
      CENTRALI_STREAM_LIFETIME_SECONDS: '3',
      CENTRALI_STREAM_POSITION_SECONDS: '1',
    },
  });
  token = await serviceToken(dev);
  const [trimmed = ''] = await publish(dev, token, tick('first'));
  for (let i = 0; i < 10; i++)
    await publish(
      dev,
      token,
      Array.from({ length: 20 }, (_, n) => tick(`${i}-${n}`)),
    );
  await until('the first event is trimmed', async () => {
    const stream = await openStream(eventsUrl(dev), { headers: { ...bearer(token), 'last-event-id': trimmed } });
    const block = await stream.until(({ data }) => data !== undefined && !data.includes('"connected"'));
    stream.close();
    return block.data?.includes('"gap"');
  });
  const target = { baseUrl: dev.baseUrl, workspace: other!.workspace };
  const [foreign = ''] = await publish(target, await tokenOf(dev, other!), tick('theirs'));
  const [kept = ''] = await publish(dev, token, tick('kept'));
  cursors = {
    trimmed,
    foreign,
    forged: `${kept.slice(0, -1)}${kept.endsWith('0') ? '1' : '0'}`,
    future: kept.replace(/^([^-]+)-(\d+)/, (_, epoch, seq) => `${epoch}-${Number(seq) + 1000}`),
  };
});
afterAll(async () => {
  await dev?.stop();
  folder.remove();
});

/** Waits for the second stream, publishes, waits for the event, and judges: one gap, of the right reason, on the first. */
async function judge(name: string, seen: (kind: Kind) => Seen | Promise<Seen>): Promise<void> {
  const all = async (what: string, accept: (one: Seen) => boolean): Promise<void> => {
    for (const kind of kinds) await until(`${name}, ${kind}: ${what}`, async () => accept(await seen(kind)), 20_000);
  };
  await all('a second stream', (one) => one.filter((what) => what.startsWith('connected')).length >= 2);
  const last = `after-${name}`;
  await publish(dev, token, tick(last));
  await all('the next event', (one) => one.includes(last));
  for (const kind of kinds) {
    const one = await seen(kind);
    expect(
      one.filter((what) => what.startsWith('gap')),
      kind,
    ).toEqual([`gap ${KINDS[kind]}`]);
    expect(one.indexOf(`gap ${KINDS[kind]}`), kind).toBe(1);
    expect(one.filter((what) => what.startsWith('connected')).slice(0, 2), kind).toEqual([
      'connected false',
      'connected true',
    ]);
    // Only what is below the log goes on from its oldest event; the others go on from the head.
    expect(one.includes('kept'), kind).toBe(kind === 'trimmed');
  }
}

const told = ({ type, reason, resumed }: { type: string; reason?: string; resumed?: boolean }): string[] =>
  type === 'connected' ? [`connected ${resumed}`] : type === 'gap' ? [`gap ${reason}`] : [];

describe.skipIf(!requirePart('curl'))('curl', () => {
  it('is told once, and goes on from the id of the gap', { timeout: 60_000 }, async () => {
    const running: Child[] = [];
    const curl = (cursor: string): Child => {
      const args = ['-sN', '-H', `Authorization: Bearer ${token}`, '-H', `Last-Event-ID: ${cursor}`, eventsUrl(dev)];
      const child = startProcess(commandPath('curl') ?? 'curl', args);
      running.push(child);
      return child;
    };
    const blocks = (child: Child): ReturnType<typeof parseBlock>[] =>
      child
        .stdout()
        .split('\n\n')
        .slice(0, -1)
        .map((block) => parseBlock(`${block}\n\n`));
    const firsts = new Map(kinds.map((kind) => [kind, curl(cursors[kind])]));
    const seconds = new Map<Kind, Child>();
    for (const [kind, child] of firsts) {
      await child.exited;
      // As a script would: the last id that came.
      const last = blocks(child).findLast(({ id }) => id !== undefined);
      seconds.set(kind, curl(last?.id ?? ''));
    }
    await judge('curl', (kind) =>
      [firsts.get(kind)!, seconds.get(kind)!].flatMap((child) =>
        blocks(child).flatMap(({ event, data }) =>
          data === undefined ? [] : event === 'system' ? told(JSON.parse(data)) : [JSON.parse(data).recordId as string],
        ),
      ),
    );
    for (const child of running) await child.kill();
  });
});

describe('the SDK', () => {
  it('is told by onGap once, and goes on', { timeout: 60_000 }, async () => {
    const sdk = new CentraliSDK({ baseUrl: dev.baseUrl, workspaceId: dev.workspace, token });
    const seen = new Map<Kind, string[]>(kinds.map((kind) => [kind, []]));
    const subscriptions = kinds.map((kind): RealtimeSubscription => {
      const note = (what: string): void => void seen.get(kind)!.push(what);
      return sdk.realtime.subscribe({
        lastEventId: cursors[kind],
        onConnected: ({ resumed }) => note(`connected ${resumed}`),
        onGap: ({ reason }) => note(`gap ${reason}`),
        onEvent: ({ recordId }) => note(String(recordId)),
      });
    });
    await judge('sdk', (kind) => seen.get(kind)!);
    for (const subscription of subscriptions) subscription.unsubscribe();
  });
});

describe.skipIf(!requirePart('chromium'))('a native EventSource', () => {
  let browser: Browser;
  let pages: PageServer;
  let page: Page;
  beforeAll(async () => {
    [browser, pages] = await Promise.all([launchChromium(), servePages({ '/': '<!doctype html>' })]);
    page = await browser.newPage();
    await page.goto(pages.origin);
  });
  afterAll(async () => {
    await browser?.close();
    await pages?.close();
  });

  it('is told once, and goes on, though the query of its URL stays', { timeout: 60_000 }, async () => {
    for (const kind of kinds) {
      await page.evaluate(
        ([name, url]) => {
          const seen: string[] = [];
          ((globalThis as any).seen ??= {})[name!] = seen;
          const source = new EventSource(url!);
          source.addEventListener('message', ({ data }) => seen.push(JSON.parse(data).recordId));
          source.addEventListener('system', ({ data }: MessageEvent<string>) => {
            const { type, reason, resumed } = JSON.parse(data);
            if (type === 'connected') seen.push(`connected ${resumed}`);
            if (type === 'gap') seen.push(`gap ${reason}`);
          });
        },
        [kind, eventsUrl(dev, { access_token: token, last_event_id: cursors[kind] })],
      );
    }
    await judge('eventsource', (kind) => page.evaluate((name) => (globalThis as any).seen[name], kind));
  });
});

it('a stream that wanted nothing for longer than anything is kept goes on without a gap', async () => {
  const url = eventsUrl(dev, { structures: 'wanted' });
  const first = await openStream(url, { headers: bearer(token) });
  const { id: start = '' } = await first.system('connected');
  for (let i = 0; i < 10; i++)
    await publish(
      dev,
      token,
      Array.from({ length: 20 }, (_, n) => tick(`${i}-${n}`, 'other')),
    );
  const { id: cursor = '' } = await first.system('position');
  expect(cursor).not.toBe(start);
  first.close();
  // The control: where it began is gone.
  await until('the beginning is trimmed', async () => {
    const stream = await openStream(url, { headers: { ...bearer(token), 'last-event-id': start } });
    const { json } = await stream.system('connected');
    stream.close();
    return json.resumed === false;
  });
  const again = await openStream(url, { headers: { ...bearer(token), 'last-event-id': cursor } });
  expect((await again.system('connected')).json.resumed).toBe(true);
  await publish(dev, token, tick('yes', 'wanted'));
  expect((await again.message()).json.recordId).toBe('yes');
  expect(again.text()).not.toContain('"type":"gap"');
  again.close();
});
