/** Adapters from Node's transports to the gateway's `Connection` port. */
import type { ServerResponse } from 'node:http';
import { constants, type Http2ServerResponse, type ServerHttp2Stream } from 'node:http2';
import { Socket } from 'node:net';
import type { Connection } from '../gateway/index.ts';
import type { Sent } from './metrics.ts';

const NOTHING = new Uint8Array(0);

/** What both transports have in common once the head is out. */
interface Sink {
  write(bytes: Uint8Array, written?: (error?: Error | null) => void): boolean;
  readonly writableLength: number;
  readonly destroyed: boolean;
  cork(): void;
  uncork(): void;
}

/**
 * HTTP/1.1: sends the head and takes the socket. The body ends with the connection (RFC 9112 section
 * 6.3, rule 8), so that a frame goes to the kernel as the bytes it is, without chunk headers around it,
 * and one buffer serves all sockets.
 */
export function openHttp1(
  res: ServerResponse,
  headers: Readonly<Record<string, string | readonly string[]>>,
  sent: Sent,
): Connection | undefined {
  const { socket } = res;
  if (!socket || socket.destroyed) return undefined;
  res.useChunkedEncodingByDefault = false;
  res.writeHead(200, { ...headers, connection: 'close' } as Record<string, string | string[]>);
  res.flushHeaders();
  // Delivery knows best when a stream stands still.
  socket.setTimeout(0);
  socket.setNoDelay(true);
  socket.setKeepAlive(true, 60_000);
  return fromSink(socket, sent, {
    onClose: (listener) => void res.once('close', listener),
    end: () => void res.end(),
    // RST drops what the kernel still holds; a TLS socket has no handle that could send one.
    reset: () => void (socket.constructor === Socket ? socket.resetAndDestroy() : socket.destroy()),
  });
}

/** HTTP/2: one stream of the session. Its length counts what flow control holds back, too. */
export function openHttp2(
  res: Http2ServerResponse,
  headers: Readonly<Record<string, string | readonly string[]>>,
  sent: Sent,
): Connection | undefined {
  const stream: ServerHttp2Stream | undefined = res.stream;
  if (!stream || stream.destroyed || stream.closed) return undefined;
  res.writeHead(200, headers as Record<string, string | string[]>);
  stream.setTimeout(0);
  return fromSink(stream, sent, {
    onClose: (listener) => void stream.once('close', listener),
    end: () => void stream.end(),
    reset: () => {
      stream.close(constants.NGHTTP2_CANCEL);
      stream.destroy();
    },
  });
}

interface Ends {
  onClose(listener: () => void): void;
  end(): void;
  reset(): void;
}

function fromSink(sink: Sink, sent: Sent, ends: Ends): Connection {
  let over = false;
  return {
    write(bytes) {
      if (over || sink.destroyed) return;
      sent.writes += 1;
      sent.bytes += bytes.byteLength;
      sink.write(bytes);
    },
    get unsentBytes() {
      return sink.writableLength;
    },
    end() {
      if (over) return;
      over = true;
      ends.end();
    },
    reset() {
      over = true;
      if (!sink.destroyed) ends.reset();
    },
    onClose(listener) {
      if (sink.destroyed) queueMicrotask(listener);
      else ends.onClose(listener);
    },
    onDrain(listener) {
      if (over || sink.destroyed) return;
      // Node's own 'drain' comes only after its high-water mark was passed. A write of nothing is done when
      // all before it are; its callback may come at once, and with an error when the socket has gone.
      sink.write(NOTHING, (error) => {
        if (!error) setImmediate(() => (sink.writableLength === 0 ? listener() : this.onDrain(listener)));
      });
    },
    cork: () => sink.cork(),
    uncork: () => sink.uncork(),
  };
}
