/** Many streams at once: opened, watched, and seen to end or to go on. */
import { expect } from 'vitest';
import { bearer, eventsUrl, order, publish, type Target } from '../support/api.ts';
import { type EventStream, openStream } from '../support/event-stream.ts';

/** Opens a stream on each token; all of them are live when this resolves. */
export async function openAll(
  at: Pick<Target, 'baseUrl' | 'workspace'>,
  tokens: readonly string[],
): Promise<EventStream[]> {
  const streams = await Promise.all(tokens.map((token) => openStream(eventsUrl(at), { headers: bearer(token) })));
  await Promise.all(
    streams.map(async (stream) => {
      expect(stream.response.status, stream.text()).toBe(200);
      await stream.system('connected');
    }),
  );
  return streams;
}

/** Sees each stream end with an error of this code, within a time from now, and nothing before it. */
export async function expectEnded(streams: readonly EventStream[], code: string, withinMs: number): Promise<void> {
  const deadline = performance.now() + withinMs;
  await Promise.all(
    streams.map(async (stream) => {
      const blocks = await stream.end(deadline - performance.now());
      const said = blocks.flatMap(({ data }) => (data === undefined ? [] : [JSON.parse(data)]));
      expect(said.map((data) => data.code ?? data.type)).toEqual([code]);
    }),
  );
}

/** Sees each stream get an event that is published now, with nothing in between. */
export async function expectUnnoticed(
  streams: readonly EventStream[],
  at: Pick<Target, 'baseUrl' | 'workspace'>,
  publisher: string,
): Promise<void> {
  const [id] = await publish(at, publisher, order(crypto.randomUUID()));
  await Promise.all(
    streams.map(async (stream) => {
      const block = await stream.next();
      expect([block.event, block.id], block.raw).toEqual(['message', id]);
    }),
  );
}

/** The code with which a connect is refused; `open` when it is not. */
export async function connect(at: Pick<Target, 'baseUrl' | 'workspace'>, token: string): Promise<string> {
  const stop = new AbortController();
  const response = await fetch(eventsUrl(at), { headers: bearer(token), signal: stop.signal });
  if (response.status === 200) {
    stop.abort();
    return 'open';
  }
  return ((await response.json()) as { code: string }).code;
}
