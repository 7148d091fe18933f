/** A TCP proxy that does to connections what networks do: it delays, splits, cuts, stalls, and forgets them. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Seeded } from './seeded.ts';

/** What happens to a connection, after some bytes of the server. `half-open`: one side is gone and nobody says so. */
export type Fate = 'clean' | 'delay' | 'cut' | 'stall' | 'half-open';

/** What the proxy is made from. */
export interface ChaosProxyOptions {
  /** The port of the server. */
  readonly target: number;
  readonly random: Seeded;
  /** Longest stall, in ms. */
  readonly stallMs: number;
  /** How long a half-open connection stays before it is reset, as by a middlebox that has forgotten it, in ms. */
  readonly halfOpenMs: number;
}

/** A running proxy. */
export interface ChaosProxy {
  readonly port: number;
  /** How many connections met each fate. */
  readonly fates: Readonly<Record<Fate, number>>;
  /** From now on connections are left alone; those that were to meet their fate are cut. */
  calm(): void;
  close(): Promise<void>;
}

const FATES: readonly Fate[] = ['clean', 'delay', 'delay', 'cut', 'cut', 'cut', 'stall', 'stall', 'half-open'];
/** Bytes of the server after which a fate comes. */
const FIRST_BYTES = 300;
const LAST_BYTES = 60_000;
/** Longest delay of one piece, in ms. */
const DELAY = 150;

/** Starts a proxy on a free port of loopback. */
export async function startChaosProxy(options: ChaosProxyOptions): Promise<ChaosProxy> {
  const { random } = options;
  const fates: Record<Fate, number> = { clean: 0, delay: 0, cut: 0, stall: 0, 'half-open': 0 };
  const doomed = new Set<Socket>();
  const open = new Set<Socket>();
  let calm = false;
  const server = createServer((client) => {
    const fate = calm ? 'clean' : random.pick(FATES);
    fates[fate]++;
    const upstream = connect({ port: options.target, host: '127.0.0.1' });
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.on('close', () => {
        open.delete(socket);
        doomed.delete(socket);
      });
    }
    if (fate !== 'clean') doomed.add(client);
    client.pipe(upstream);
    client.on('close', () => upstream.destroy());
    void forward(upstream, client, fate, options);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    fates,
    calm() {
      calm = true;
      for (const socket of doomed) socket.destroy();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}

/** The way from the server to the client, in pieces of any size. */
async function forward(from: Socket, to: Socket, fate: Fate, options: ChaosProxyOptions): Promise<void> {
  const { random } = options;
  let left = random.between(FIRST_BYTES, LAST_BYTES);
  try {
    for await (const chunk of from as AsyncIterable<Buffer>) {
      for (let at = 0; at < chunk.length; ) {
        const piece = chunk.subarray(at, at + Math.ceil(random.between(0, chunk.length)));
        at += piece.length;
        left -= piece.length;
        if (fate === 'delay') await sleep(random.between(0, DELAY));
        if (left < 0 && fate !== 'delay' && fate !== 'clean') {
          left = Number.POSITIVE_INFINITY;
          if (await meet(fate, from, to, piece, options)) return;
          continue;
        }
        if (!to.write(piece)) await new Promise<void>((resolve) => afterDrain(to, resolve));
      }
    }
    to.end();
  } catch {
    to.destroy();
  }
}

function afterDrain(socket: Socket, then: () => void): void {
  const done = (): void => {
    socket.off('drain', done).off('close', done);
    then();
  };
  socket.on('drain', done).on('close', done);
}

/** Lets a connection meet its fate in the middle of a piece; `true` when that is its end. */
async function meet(
  fate: Fate,
  from: Socket,
  to: Socket,
  piece: Buffer,
  { random, stallMs, halfOpenMs }: ChaosProxyOptions,
): Promise<boolean> {
  const middle = Math.floor(random.between(0, piece.length));
  to.write(piece.subarray(0, middle));
  if (fate === 'stall') {
    await sleep(random.between(stallMs / 4, stallMs));
    to.write(piece.subarray(middle));
    return false;
  }
  if (fate === 'half-open') {
    // The server's side is gone, the client's is open and silent.
    to.unpipe(from);
    to.resume();
    from.destroy();
    await sleep(halfOpenMs);
    to.resetAndDestroy();
    return true;
  }
  from.destroy();
  if (random() < 0.5) to.resetAndDestroy();
  else to.end();
  return true;
}
