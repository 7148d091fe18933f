import type { Located, Place } from '../broker/port.ts';
import type { Audience, Linked } from './audience.ts';
import type { Connection } from './connection.ts';
import type { FrameList } from './frame-list.ts';
import type { StreamEnding, StreamInfo, StreamRequest } from './port.ts';
import type { WheelItem } from './time-wheel.ts';

/** Lists up to this many bytes are joined even for one socket: a copy is cheaper than several writes. */
const JOIN_BYTES = 16 * 1024;

/**
 * One stream: what it is bound to, where it is, when it ends. No timer, no queue and no closure of its
 * own: live, it is a link in its audience's list and in the wheel's.
 */
export class Stream implements StreamInfo, WheelItem, Linked<Stream> {
  readonly connectionId: string;
  readonly serial: number;
  readonly request: StreamRequest;
  /** What it is allowed now; renewals replace it. */
  access: StreamRequest['access'];
  audience: Audience<Stream>;
  readonly openedAt: number;
  /** When the token dies, monotonic ms: nothing is written from then on. */
  expiresAt: number;
  /** When its client is told so ahead, monotonic ms; infinite once it has been. */
  expiringAt: number;
  /** When the stream ends at the latest, monotonic ms. */
  readonly endsAt: number;
  state: 'opening' | 'catching-up' | 'live' | 'over' = 'opening';
  connection: Connection | undefined;
  /** What its cursor means, until its first bytes are written. */
  located: Located | undefined;
  /** How it ended before it had a connection. */
  ending: StreamEnding | undefined;
  /** The last place considered for it; live, the hub's stands for it. */
  position: Place = { seq: 0, index: 0 };
  /** When it last got something, monotonic ms. */
  wroteAt: number;
  /** Since when its socket has been found full, monotonic ms; 0: it is not. */
  fullSince = 0;
  nextInAudience: Stream | undefined;
  previousInAudience: Stream | undefined;
  wheelBucket = -1;
  wheelNext: WheelItem | undefined;
  wheelPrevious: WheelItem | undefined;

  constructor(
    connectionId: string,
    request: StreamRequest,
    audience: Audience<Stream>,
    times: {
      readonly serial: number;
      readonly openedAt: number;
      readonly expiresAt: number;
      readonly expiringAt: number;
      readonly endsAt: number;
      readonly now: number;
    },
  ) {
    this.connectionId = connectionId;
    this.request = request;
    this.access = request.access;
    this.audience = audience;
    this.serial = times.serial;
    this.openedAt = times.openedAt;
    this.expiresAt = times.expiresAt;
    this.expiringAt = times.expiringAt;
    this.endsAt = times.endsAt;
    this.wroteAt = times.now;
  }

  get hold(): StreamRequest['hold'] {
    return this.request.hold;
  }

  get address(): string {
    return this.request.address;
  }

  get requestId(): string {
    return this.request.requestId;
  }

  get workspace(): string {
    return this.access.workspace;
  }

  get unsentBytes(): number {
    return this.connection?.unsentBytes ?? 0;
  }

  /** Writes one buffer. */
  write(bytes: Buffer, now: number): void {
    this.connection?.write(bytes);
    this.wroteAt = now;
  }

  /** Writes a list of frames: one buffer for all who get the same list, else the shared frames at once. */
  writeList(list: FrameList, now: number): void {
    const { connection } = this;
    if (!connection || list.length === 0) return;
    this.wroteAt = now;
    if (list.users > 1 || list.bytes <= JOIN_BYTES) return connection.write(list.joined);
    connection.cork?.();
    for (const frame of list.frames()) connection.write(frame);
    connection.uncork?.();
  }
}
