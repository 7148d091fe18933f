/** What is known of the sockets of one server: which are open, and which take no further request. */
import type { Socket } from 'node:net';
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

/** Follows the sockets of a server, and answers what its parser cannot read. */
export function watchSockets(
  server: AnyServer,
  metrics: Metrics,
): { readonly open: ReadonlySet<Socket>; stateOf(socket: Socket): SocketState } {
  const open = new Set<Socket>();
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
