import { Refusal } from '../../resource-server/index.ts';
import type { Broker } from '../broker/port.ts';
import { EFFECTS, type Effects } from './effects.ts';
import type { Delivery } from './port.ts';

/** Bounds and times of delivery. */
export interface DeliveryLimits {
  /** Longest life of a stream, in seconds, from its opening; it ends at a random 80 to 100 % of it. 3,600 by default. */
  readonly lifetimeSeconds: number;
  /** Seconds without an event after which a `position` event (or a ping) is sent; 15 by default. */
  readonly positionSeconds: number;
  /** Unsent bytes over which a stream is ended as a slow consumer; 1 MiB by default. */
  readonly maxUnsentBytes: number;
  /** Bytes of recent events kept framed for streams that catch up; 64 MiB by default. */
  readonly ringBytes: number;
  /** Most new streams that wait for their first bytes; 20,000 by default. Beyond it, UNAVAILABLE. */
  readonly maxOpening: number;
}

/** What delivery is made from. */
export interface DeliveryOptions {
  readonly broker: Broker;
  readonly limits?: Partial<DeliveryLimits>;
  readonly effects?: Effects;
}

/** Makes delivery and subscribes it to the broker. */
export function createDelivery(options: DeliveryOptions): Delivery {
  const effects = options.effects ?? EFFECTS;
  return {
    openStream: () => Promise.reject(new Refusal('UNAVAILABLE', `not_built_${effects.now()}`)),
    end: () => false,
    find: () => undefined,
    list: () => [],
    drain: () => Promise.resolve(),
    close: () => Promise.resolve(),
    streams: 0,
  };
}
