/** Publishes at a rate from several publishers, each in order, and keeps the ledger. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Ledger } from './ledger.ts';
import { RawPublisher, type RawPublisherOptions } from './raw-publisher.ts';

/** How to publish to one workspace. */
export interface PublishingOptions extends RawPublisherOptions {
  readonly ledger: Ledger;
  /** Publishers, each with a connection of its own. Every other one repeats with a key until it has a 202. */
  readonly publishers: number;
  /** Events per second of all of them. */
  readonly perSecond: number;
}

/** A load that runs until it is stopped. */
export interface Publishing {
  /** Lets what is under way end; what waits for a 202 is repeated until it has one, if its publisher does that. */
  stop(): Promise<void>;
}

/** How often the publishers look what is due, in ms. */
const TICK = 10;

/** Begins to publish. */
export function startPublishing(options: PublishingOptions): Publishing {
  const { publishers, perSecond } = options;
  const stopped = new AbortController();
  const loops = Array.from({ length: publishers }, (_, i) =>
    publishLoop(options, i, perSecond / publishers, stopped.signal),
  );
  return {
    stop: async () => {
      stopped.abort();
      await Promise.all(loops);
    },
  };
}

async function publishLoop(
  { ledger, ...where }: PublishingOptions,
  name: number,
  perSecond: number,
  stopped: AbortSignal,
): Promise<void> {
  const publisher = new RawPublisher(where);
  const repeats = name % 2 === 1;
  let next = performance.now() + (1000 / perSecond) * (name / 16);
  while (!stopped.aborted) {
    const early = next - performance.now();
    if (early > 0) await sleep(Math.max(TICK, early));
    // What could not be sent while the server was away is not made up for.
    next = Math.max(next + 1000 / perSecond, performance.now() - 200);
    await publishOne(publisher, ledger, name, repeats);
  }
  publisher.close();
}

async function publishOne(publisher: RawPublisher, ledger: Ledger, name: number, repeats: boolean): Promise<void> {
  const n = ledger.issue(name);
  const body = `{"event":"record_created","recordSlug":"tick","recordId":"${n}","data":{"from":${name}}}`;
  const key = repeats ? `Idempotency-Key: tick-${n}\r\n` : '';
  for (;;) {
    const answer = await publisher.send(body, key);
    if (answer?.status === 202)
      return ledger.acknowledge(n, (JSON.parse(answer.body) as { ids: string[] }).ids[0] ?? '');
    if (answer && answer.status < 500) throw new Error(`publish was answered ${answer.status}: ${answer.body}`);
    if (answer === undefined || answer.status >= 500) await sleep(50);
    if (!repeats) return;
  }
}
