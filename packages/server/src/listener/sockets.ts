/** What is known of the sockets of one server: which are open, and which take no further request. */
import type { Socket } from 'node:net';
import { limitKey, plainAddress } from './address.ts';
import { newRequestId, rawAnswer } from './answers.ts';
import type { Metrics } from './metrics.ts';
import type { AnyServer } from './server.ts';

/** One HTTP/1.1 socket. */
export interface SocketState {
  /** Requests whose answers are not out yet. */
  pending: number;
  /** A stream has taken the socket, or is about to; or it is closing. No further request runs on it. */
  taken: boolean;
  /** The answer that is on its way ends the connection. */
  closing: boolean;
}

/** A state for a request that shares its socket with nobody: an HTTP/2 stream. */
export function ownState(): SocketState {
  return { pending: 0, taken: false, closing: false };
}

/** How long the last answer of a connection may take, in ms. */
const CLOSING = 5000;

/** How many sockets one address may hold. */
export interface SocketLimit {
  /** 0 = no limit. */
  readonly perAddress: number;
  /** Addresses that speak for many: proxies. */
  readonly isExempt: (address: string) => boolean;
}

/**
 * Follows the sockets of a server, and answers what its parser cannot read. A socket over the limit is closed
 * without a word: whoever opens so many does not read, and one address must not take the places of all others.
 */
export function watchSockets(
  server: AnyServer,
  metrics: Metrics,
  limit: SocketLimit = { perAddress: 0, isExempt: () => true },
): { readonly open: ReadonlySet<Socket>; stateOf(socket: Socket): SocketState } {
  const open = new Set<Socket>();
  const held = new Map<string, number>();
  const states = new WeakMap<Socket, SocketState>();
  const stateOf = (socket: Socket): SocketState => {
    let state = states.get(socket);
    if (!state) {
      state = ownState();
      states.set(socket, state);
    }
    return state;
  };
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    const address = plainAddress(socket.remoteAddress ?? '');
    if (limit.perAddress === 0 || limit.isExempt(address)) return;
    const key = limitKey(address);
    const count = (held.get(key) ?? 0) + 1;
    held.set(key, count);
    socket.once('close', () => {
      const left = (held.get(key) ?? 0) - 1;
      if (left > 0) held.set(key, left);
      else held.delete(key);
    });
    if (count <= limit.perAddress) return;
    metrics.refused('listener', 'RATE_LIMIT_EXCEEDED', 'sockets_per_address');
    socket.destroy();
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    const state = stateOf(socket);
    // The bytes behind a refused head make no sense either; the refusal is on its way.
    if (state.closing) {
      socket.setTimeout(CLOSING, () => socket.destroy());
      return;
    }
    // Bytes of ours must not land in the middle of an answer that is being written.
    const free = socket.writable && state.pending === 0 && !state.taken;
    state.taken = true;
    metrics.refused('listener', 'BAD_REQUEST', error.code ?? 'parser');
    if (free && error.code !== 'ECONNRESET') socket.end(rawAnswer(error, newRequestId()), () => socket.destroy());
    else socket.destroy();
  });
  server.on('drop', () => metrics.refused('listener', 'UNAVAILABLE', 'max_connections'));
  return { open, stateOf };
}
