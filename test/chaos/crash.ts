/** kill -9 of the server at random moments under load, and the count of what came of it. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CentraliSDK, type RealtimeSubscription } from '@centrali-io/centrali-sdk';
import { type Dev, startDev, temporaryFolder } from '../support/centrali.ts';
import { freePort } from '../support/free-port.ts';
import { type Handler, Ledger } from './ledger.ts';
import { startPublishing } from './publishing.ts';
import { RawPublisher } from './raw-publisher.ts';
import { RawSubscriber } from './raw-subscriber.ts';
import { seeded } from './seeded.ts';
import { eventsPath, makeWorkspaces, tokenOf, type Workspace } from './workspaces.ts';

/** The size of a run. */
export interface CrashOptions {
  readonly seed: number;
  readonly kills: number;
  /** A kill comes at a random moment up to this many ms after the server was ready. */
  readonly withinMs: number;
  readonly workspaces: number;
  /** Per workspace. */
  readonly subscribers: number;
  /** How many of them are the SDK. */
  readonly sdk: number;
  /** Events per second of all workspaces, one per request. */
  readonly perSecond: number;
  log(line: string): void;
}

/** What a run gives. */
export interface CrashResult {
  readonly ledgers: readonly Ledger[];
  readonly kills: number;
  readonly seconds: number;
  /** Streams that were opened, first ones included. */
  readonly streams: number;
}

/** How long the handlers may take to have everything once the server is up for good, in ms. */
const SETTLE = 90_000;

interface Subscribers {
  readonly raw: RawSubscriber[];
  readonly sdk: RealtimeSubscription[];
  opened: number;
}

/** Runs it. Rejects only when the run itself could not be made; the verdict is in the ledgers. */
export async function runCrashes(options: CrashOptions): Promise<CrashResult> {
  const { seed, kills, withinMs, log } = options;
  const random = seeded(seed);
  const folder = temporaryFolder();
  const data = join(folder.path, 'data');
  const port = await freePort();
  const workspaces = await makeWorkspaces(data, options.workspaces);
  const began = performance.now();
  let dev: Dev = await startDev({ data, port });
  const subscribers: Subscribers = { raw: [], sdk: [], opened: 0 };
  try {
    const tokens = await Promise.all(workspaces.map((workspace) => tokenOf(dev, workspace)));
    const ledgers = workspaces.map(() => new Ledger());
    const places = workspaces.map((workspace, i) => ({
      workspace,
      token: tokens[i] ?? '',
      ledger: ledgers[i] as Ledger,
      path: eventsPath(workspace),
      port,
    }));
    await Promise.all(places.map((place) => addSubscribers(place, dev.baseUrl, options, subscribers)));
    const perSecond = options.perSecond / workspaces.length;
    const publishings = places.map((place) => startPublishing({ ...place, publishers: 8, perSecond }));
    for (let kill = 1; kill <= kills; kill++) {
      const wait = random.between(0, withinMs);
      await sleep(wait);
      await dev.kill();
      dev = await startDev({ data, port });
      const acknowledged = ledgers.reduce((sum, ledger) => sum + ledger.acknowledged, 0);
      log(`kill ${kill} of ${kills}, ${(wait / 1000).toFixed(2)} s after it was ready: ${acknowledged} acknowledged`);
    }
    await Promise.all(publishings.map((publishing) => publishing.stop()));
    await Promise.all(places.map((place) => settle(place, SETTLE)));
    const streams = subscribers.opened + subscribers.raw.reduce((sum, { opened }) => sum + opened, 0);
    return { ledgers, kills, streams, seconds: (performance.now() - began) / 1000 };
  } finally {
    for (const raw of subscribers.raw) raw.stop();
    for (const subscription of subscribers.sdk) subscription.unsubscribe();
    await dev.stop();
    folder.remove();
  }
}

interface Place {
  readonly workspace: Workspace;
  readonly token: string;
  readonly ledger: Ledger;
  readonly path: string;
  readonly port: number;
}

/** Adds the subscribers of a workspace; resolves when each has its first position. */
async function addSubscribers(
  { workspace, token, ledger, path, port }: Place,
  baseUrl: string,
  { subscribers, sdk }: CrashOptions,
  all: Subscribers,
): Promise<void> {
  const begun: Promise<void>[] = [];
  for (let i = 0; i < subscribers; i++) {
    const handler = ledger.handler();
    const { promise, resolve } = Promise.withResolvers<void>();
    begun.push(promise);
    if (i >= sdk) {
      all.raw.push(
        new RawSubscriber({
          port,
          path,
          token,
          onEvent: (text, id) => record(handler, text, id),
          onSystem(type) {
            if (type === 'connected') resolve();
            if (type === 'gap') handler.gaps++;
          },
        }),
      );
      continue;
    }
    const client = new CentraliSDK({ baseUrl, workspaceId: workspace.workspace, token, tokenDelivery: 'header' });
    const options = {
      onConnected() {
        all.opened++;
        resolve();
      },
      onError() {},
      onGap() {
        handler.gaps++;
      },
    };
    const take = (event: { recordId?: string }, { id }: { id: string }): void =>
      handler.record(Number(event.recordId), id);
    // Every other one takes its time: the SDK waits for it.
    const slow = async (event: { recordId?: string }, context: { id: string }): Promise<void> => {
      await Promise.resolve();
      take(event, context);
    };
    all.sdk.push(client.realtime.subscribe({ ...options, onEvent: i % 2 === 0 ? take : slow }));
  }
  await Promise.all(begun);
}

function record(handler: Handler, text: string, id: string): void {
  handler.record(Number(/"recordId":"(\d+)"/.exec(text)?.[1] ?? Number.NaN), id);
}

/** Publishes a last event and waits until each handler has it: what comes in order is then complete. */
async function settle({ ledger, token, path, port }: Place, withinMs: number): Promise<void> {
  const publisher = new RawPublisher({ port, path, token });
  const n = ledger.issue(-1);
  const answer = await publisher.send(`{"event":"tick","recordId":"${n}"}`);
  if (answer?.status !== 202) throw new Error(`the last event was answered ${answer?.status ?? 'nothing'}`);
  ledger.acknowledge(n, (JSON.parse(answer.body) as { ids: string[] }).ids[0] ?? '');
  publisher.close();
  const deadline = performance.now() + withinMs;
  while (ledger.handlers.some((handler) => !handler.has(n)) && performance.now() < deadline) await sleep(50);
}
