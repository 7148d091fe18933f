import { randomBytes } from 'node:crypto';
import { EVENT_STREAM, isEventId } from '@centrali-io/protocol';
import { Refusal } from '../../resource-server/index.ts';
import type { Broker, Located } from '../broker/port.ts';
import { drain } from './drain.ts';
import { EFFECTS, type Effects } from './effects.ts';
import { Opening } from './opening.ts';
import type { Delivery, OpenedStream, StreamRequest } from './port.ts';
import { Selection } from './selection.ts';
import { Streams } from './streams.ts';

/** Bounds and times of delivery. */
export interface DeliveryLimits {
  /** Longest life of a stream, in seconds, from its opening; it ends at a random 80 to 100 % of it. 3,600 by default. */
  readonly lifetimeSeconds: number;
  /** Seconds without an event after which a `position` event (or a ping) is sent; 15 by default. */
  readonly positionSeconds: number;
  /** Unsent bytes over which a stream is ended as a slow consumer; 1 MiB by default. */
  readonly maxUnsentBytes: number;
  /** Bytes of recent events kept for streams that catch up; 64 MiB by default. */
  readonly ringBytes: number;
  /** Most new streams that wait for their first bytes; 20,000 by default. Beyond it, UNAVAILABLE. */
  readonly maxOpening: number;
}

const DEFAULT_LIMITS: DeliveryLimits = {
  lifetimeSeconds: 3600,
  positionSeconds: 15,
  maxUnsentBytes: 2 ** 20,
  ringBytes: 64 * 2 ** 20,
  maxOpening: 20_000,
};

/** What delivery is made from. */
export interface DeliveryOptions {
  readonly broker: Broker;
  readonly limits?: Partial<DeliveryLimits>;
  /** The real ones by default. */
  readonly effects?: Effects;
  /** Makes the id of a new stream; `cn_` and 128 random bits by default. */
  readonly newConnectionId?: () => string;
}

/** Headers of every stream. `no-transform` and `X-Accel-Buffering` keep proxies from holding events back. */
const HEADERS: Readonly<Record<string, string>> = {
  'Content-Type': EVENT_STREAM,
  'Cache-Control': 'no-store, no-transform',
  'X-Accel-Buffering': 'no',
  'Referrer-Policy': 'no-referrer',
};

/** Makes delivery and subscribes it to the broker. */
export function createDelivery(options: DeliveryOptions): Delivery {
  const { broker } = options;
  const effects = options.effects ?? EFFECTS;
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const newConnectionId = options.newConnectionId ?? (() => `cn_${randomBytes(16).toString('hex')}`);
  const streams = new Streams({ broker, effects, limits, newConnectionId });
  const opening = new Opening(streams, effects, limits.maxOpening);
  let draining = false;

  const locate = async ({ cursor, access }: StreamRequest): Promise<Located | undefined> =>
    cursor === undefined ? undefined : broker.locate(access.workspace, cursor);

  const openStream = async (request: StreamRequest): Promise<OpenedStream> => {
    if (draining) throw new Refusal('UNAVAILABLE', 'draining');
    if (opening.full) throw new Refusal('UNAVAILABLE', 'opening_queue_full');
    const { access, selection, cursor } = request;
    if (cursor !== undefined && !isEventId(cursor)) throw new Refusal('BAD_REQUEST', 'cursor_invalid');
    const stream = streams.register(request, new Selection(selection, access.grants, access.placeholders));
    try {
      stream.located = await locate(request);
    } catch (cause) {
      // One that has ended meanwhile has told so, and is answered with its end.
      if (stream.state !== 'over') {
        streams.forget(stream);
        throw new Refusal('UNAVAILABLE', 'broker_unavailable', { cause });
      }
    }
    return {
      status: 200,
      headers: HEADERS,
      connectionId: stream.connectionId,
      attach: (connection) => {
        if (streams.connect(stream, connection)) opening.add(stream);
      },
      abandon: () => streams.abandon(stream),
    };
  };

  return {
    openStream,
    end: (connectionId, ending) => {
      const stream = streams.find(connectionId);
      return stream !== undefined && streams.end(stream, ending, ending.kind === 'error' ? 'soon' : 'now');
    },
    redecide: (connectionId, access, told) => {
      const stream = streams.find(connectionId);
      if (stream) streams.redecide(stream, access, told);
      return stream !== undefined;
    },
    find: (connectionId) => streams.find(connectionId),
    *list(workspace) {
      for (const stream of streams.list()) if (workspace === undefined || stream.workspace === workspace) yield stream;
    },
    drain: (milliseconds) => {
      draining = true;
      return drain(streams, milliseconds, effects);
    },
    close: async () => {
      draining = true;
      streams.cut();
      streams.close();
    },
    get streams() {
      return streams.size;
    },
  };
}
