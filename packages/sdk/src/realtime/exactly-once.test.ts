import { encodeEvent, errorBody, type ServerErrorCode } from '@centrali-io/protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fakeToken, makeClient } from '../testing/stream-server.ts';

/** How many events there are, e-1 to e-N. */
const EVENTS = 24;

/** What one connection does, after so many events. */
type Turn =
  | { readonly kind: 'refuse'; readonly code: ServerErrorCode }
  | { readonly kind: 'cut' | 'torn' | 'close' | 'expire' | 'renew' | 'lose'; readonly after: number };

const after = fc.nat(6);
const turn: fc.Arbitrary<Turn> = fc.oneof(
  fc.record({
    kind: fc.constant('refuse' as const),
    code: fc.constantFrom<ServerErrorCode>('AUTH_ERROR', 'UNAVAILABLE', 'TOKEN_EXPIRED', 'INTERNAL_ERROR'),
  }),
  fc.record({ kind: fc.constantFrom('cut', 'torn', 'close', 'expire', 'renew', 'renew', 'lose'), after }),
);

/** A server in memory that holds the log and plays one turn a connection; when they are used up, all goes well. */
function playServer(turns: Turn[]) {
  const dead = new Set<string>();
  const streams = new Set<string>();
  let connections = 0;
  let most = 0;
  let deadSent = 0;
  const json = (status: number, code: ServerErrorCode): Response => Response.json(errorBody(code, 'req_1'), { status });

  async function answer(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
    const url = new URL(new Request(input).url);
    // Answers take their time.
    await new Promise((resolve) => setImmediate(resolve));
    if (init?.method === 'POST') return json(404, 'NOT_FOUND');
    const token = url.searchParams.get('access_token') ?? '';
    if (dead.has(token)) deadSent++;
    const play = turns.shift() ?? { kind: 'lose', after: Number.POSITIVE_INFINITY };
    if (play.kind === 'refuse') {
      if (play.code === 'TOKEN_EXPIRED') dead.add(token);
      return json(503, play.code);
    }
    const id = `c-${++connections}`;
    let last = Number(url.searchParams.get('last_event_id')?.slice(2) ?? 0);
    let sent = 0;
    const text = (...parts: string[]): Uint8Array => new TextEncoder().encode(parts.join(''));
    const system = (data: object, eventId?: string): string => encodeEvent(eventId, 'system', JSON.stringify(data));
    streams.add(id);
    most = Math.max(most, streams.size);
    const gone = (): void => void streams.delete(id);
    init?.signal?.addEventListener('abort', gone);
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) =>
          controller.enqueue(
            text(system({ type: 'connected', connectionId: id, workspace: 'demo', resumed: last > 0 }, `e-${last}`)),
          ),
        async pull(controller) {
          await new Promise((resolve) => setImmediate(resolve));
          if (init?.signal?.aborted) return controller.error(new Error('aborted'));
          if (sent === play.after && play.kind !== 'lose') {
            sent++;
            if (play.kind === 'renew') return controller.enqueue(text(system({ type: 'expiring', at: '' })));
            gone();
            if (play.kind === 'torn') controller.enqueue(text(`id: e-${last + 1}\nevent: message\ndata: {"n"`));
            if (play.kind === 'close') controller.enqueue(text(system({ type: 'closing', reason: 'drain' })));
            if (play.kind === 'expire') {
              dead.add(token);
              controller.enqueue(text(system({ type: 'error', ...errorBody('TOKEN_EXPIRED', 'req_1') })));
            }
            if (play.kind === 'cut') return controller.error(new Error('cut'));
            return controller.close();
          }
          sent++;
          if (last < EVENTS) {
            last++;
            return controller.enqueue(
              text(encodeEvent(`e-${last}`, 'message', JSON.stringify({ event: 'made', n: last }))),
            );
          }
          controller.enqueue(text(system({ type: 'position' }, `e-${last}`)));
        },
        cancel: gone,
      },
      { highWaterMark: 0 },
    );
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
  }
  return {
    answer,
    get most() {
      return most;
    },
    get deadSent() {
      return deadSent;
    },
  };
}

test('each event comes once and in order, whatever the connections do; no dead token is sent', async () => {
  let handOvers = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(turn, { maxLength: 12 }),
      fc.array(fc.nat(2), { minLength: 1 }),
      async (turns, manners) => {
        const server = playServer([...turns]);
        let tokens = 0;
        const exp = Math.floor(Date.now() / 1000) + 3_600;
        const { realtime } = makeClient({
          fetch: server.answer,
          getToken: async () => fakeToken({ jti: String(++tokens), exp }),
        });
        const seen: number[] = [];
        let busy = false;
        await new Promise<void>((resolve) => {
          const subscription = realtime.subscribe({
            lastEventId: 'e-0',
            onError: () => {},
            async onEvent(event, { id }) {
              expect(busy).toBe(false);
              busy = true;
              seen.push(Number(id.slice(2)));
              expect(event).toMatchObject({ n: seen.at(-1) });
              const manner = manners[seen.length % manners.length];
              if (manner === 1) await new Promise((done) => setImmediate(done));
              busy = false;
              if (seen.at(-1) === EVENTS) {
                subscription.unsubscribe();
                resolve();
              }
              if (manner === 2) throw new Error('mine');
            },
          });
        });
        expect(seen).toEqual(Array.from({ length: EVENTS }, (_, index) => index + 1));
        expect(server.deadSent).toBe(0);
        expect(server.most).toBeLessThanOrEqual(2);
        if (server.most === 2) handOvers++;
      },
    ),
    { numRuns: 150 },
  );
  // Otherwise the overlap of two streams was never tried.
  expect(handOvers).toBeGreaterThan(0);
}, 60_000);
