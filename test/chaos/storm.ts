/** Subscribers and publishers of the SDK behind a chaos proxy, and the count of what came of it. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CentraliSDK, type RealtimeSubscription } from '@centrali-io/centrali-sdk';
import { startDev, temporaryFolder } from '../support/centrali.ts';
import { type ChaosProxy, type Fate, startChaosProxy } from './chaos-proxy.ts';
import { Ledger } from './ledger.ts';
import { RawSubscriber } from './raw-subscriber.ts';
import { seeded } from './seeded.ts';
import { eventsPath, tokenOf } from './workspaces.ts';

/** The size of a run. */
export interface StormOptions {
  readonly seed: number;
  readonly seconds: number;
  readonly subscribers: number;
  readonly publishers: number;
  /** Events per second of all publishers. */
  readonly perSecond: number;
  readonly stallMs: number;
  readonly halfOpenMs: number;
}

/** What a run gives. */
export interface StormResult {
  readonly ledgers: readonly Ledger[];
  readonly fates: Readonly<Record<Fate, number>>;
  /** Streams that the SDK opened. */
  readonly streams: number;
}

/** How long the handlers may take to have everything once the network is calm, in ms. */
const SETTLE = 100_000;

/** Runs it. Rejects only when the run itself could not be made; the verdict is in the ledgers. */
export async function runStorm(options: StormOptions): Promise<StormResult> {
  const folder = temporaryFolder();
  const dev = await startDev({ data: join(folder.path, 'data') });
  const target = Number(new URL(dev.baseUrl).port);
  const proxy = await startChaosProxy({ target, random: seeded(options.seed), ...options });
  const ledger = new Ledger();
  const subscriptions: RealtimeSubscription[] = [];
  let direct: RawSubscriber | undefined;
  let streams = 0;
  try {
    const token = await tokenOf(dev, dev);
    // The first handler stands beside the storm: the others are compared with it.
    direct = await subscribeDirectly(ledger, target, eventsPath(dev), token);
    const sdk = (): CentraliSDK =>
      new CentraliSDK({
        baseUrl: `http://127.0.0.1:${proxy.port}`,
        workspaceId: dev.workspace,
        token,
        tokenDelivery: 'header',
      });
    const opened = Array.from({ length: options.subscribers }, (_, i) => {
      const handler = ledger.handler();
      const { promise, resolve } = Promise.withResolvers<void>();
      subscriptions.push(
        sdk().realtime.subscribe({
          onConnected() {
            streams++;
            resolve();
          },
          onError() {},
          onGap() {
            handler.gaps++;
          },
          onEvent: async ({ recordId }, { id }) => {
            // Some handlers are slower than others.
            if (i % 4 === 3) await new Promise((done) => setImmediate(done));
            handler.record(Number(recordId), id);
          },
        }),
      );
      return promise;
    });
    await Promise.all(opened);
    const stopped = new AbortController();
    const publishing = Array.from({ length: options.publishers }, (_, i) =>
      publish(sdk(), ledger, i, options.perSecond / options.publishers, stopped.signal),
    );
    await sleep(options.seconds * 1000);
    proxy.calm();
    stopped.abort();
    await Promise.all(publishing);
    await settle(sdk(), ledger);
    return { ledgers: [ledger], fates: proxy.fates, streams };
  } finally {
    direct?.stop();
    for (const subscription of subscriptions) subscription.unsubscribe();
    await closeAll(proxy);
    await dev.stop();
    folder.remove();
  }
}

async function closeAll(proxy: ChaosProxy): Promise<void> {
  proxy.calm();
  await proxy.close();
}

async function subscribeDirectly(ledger: Ledger, port: number, path: string, token: string): Promise<RawSubscriber> {
  const handler = ledger.handler();
  const { promise, resolve } = Promise.withResolvers<void>();
  const subscriber = new RawSubscriber({
    port,
    path,
    token,
    onEvent: (text, id) => handler.record(Number(JSON.parse(text).recordId), id),
    onSystem: (type) => type === 'connected' && resolve(),
  });
  await promise;
  return subscriber;
}

/** One publisher; every other one repeats with a key until it has its 202. */
async function publish(
  sdk: CentraliSDK,
  ledger: Ledger,
  name: number,
  perSecond: number,
  stopped: AbortSignal,
): Promise<void> {
  const repeats = name % 2 === 1;
  for (let next = performance.now(); !stopped.aborted; next += 1000 / perSecond) {
    const early = next - performance.now();
    if (early > 0) await sleep(early);
    else next = performance.now();
    const n = ledger.issue(name);
    await publishOne(sdk, ledger, n, repeats);
  }
}

async function publishOne(sdk: CentraliSDK, ledger: Ledger, n: number, repeats: boolean): Promise<void> {
  for (;;) {
    try {
      const event = { event: 'tick', recordId: String(n), data: { padding: 'x'.repeat(n % 200) } };
      const { ids } = await sdk.realtime.publish(event, repeats ? { idempotencyKey: `tick-${n}` } : {});
      return ledger.acknowledge(n, ids[0] ?? '');
    } catch {
      // No answer: it may be stored or not.
      if (!repeats) return;
      await sleep(20);
    }
  }
}

/** Publishes a last event and waits until each handler has it. */
async function settle(sdk: CentraliSDK, ledger: Ledger): Promise<void> {
  const n = ledger.issue(-1);
  await publishOne(sdk, ledger, n, true);
  const deadline = performance.now() + SETTLE;
  while (ledger.handlers.some((handler) => !handler.has(n)) && performance.now() < deadline) await sleep(50);
}
