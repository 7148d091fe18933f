import {
  encodeComment,
  encodeEvent,
  encodeRetry,
  type GapReason,
  MESSAGE,
  type RealtimeEvent,
  SYSTEM,
  type SystemEvent,
  withoutBefore,
} from '@centrali-io/protocol';
import type { Place, StoredEvent } from '../broker/port.ts';

/** What an event held in memory costs beside its text, roughly, in bytes. */
const OVERHEAD = 256;
/** What stands between a frame's id and its data. */
const BEFORE_DATA: number = encodeEvent('', MESSAGE, '').length - '\n\n'.length;

/**
 * One event of the log with its frames, made once for all who get it: the whole one, and one without
 * `before`. Framed when the first one wants it; parsed at most once a turn.
 */
export class EventFrame implements Place {
  readonly seq: number;
  readonly index: number;
  readonly id: string;
  /** What it costs to keep, in bytes. */
  readonly size: number;
  /** The event's JSON, until there is a frame that holds it. */
  #json: string | undefined;
  #whole: Buffer | undefined;
  #lean: Buffer | undefined;
  #event: RealtimeEvent | undefined;

  constructor({ seq, index, id, json }: StoredEvent) {
    this.seq = seq;
    this.index = index;
    this.id = id;
    this.size = json.length + OVERHEAD;
    this.#json = json;
  }

  /** The frame with the whole event. Shared: nobody changes it. */
  get whole(): Buffer {
    if (!this.#whole) {
      this.#whole = Buffer.from(encodeEvent(this.id, MESSAGE, this.#json ?? ''));
      this.#json = undefined;
    }
    return this.#whole;
  }

  /** The frame for those who may not see `before` of an update. Shared: nobody changes it. */
  get lean(): Buffer {
    this.#lean ??= Buffer.from(encodeEvent(this.id, MESSAGE, JSON.stringify(withoutBefore(this.event))));
    return this.#lean;
  }

  /** The event itself, to be matched. */
  get event(): RealtimeEvent {
    this.#event ??= JSON.parse(this.#json ?? this.#text()) as RealtimeEvent;
    return this.#event;
  }

  #text(): string {
    return this.whole.toString('utf8', BEFORE_DATA + this.id.length, this.whole.length - '\n\n'.length);
  }

  /** Lets go of the parsed event: an object costs several times its frame. */
  settle(): void {
    this.#event = undefined;
  }
}

/** Frames an event about the stream itself. */
export function systemFrame(event: SystemEvent, id?: string): Buffer {
  return Buffer.from(encodeEvent(id, SYSTEM, JSON.stringify(event)));
}

/** Frames a `gap`, which moves the cursor to where the stream goes on. */
export function gapFrame(reason: GapReason, id: string): Buffer {
  return systemFrame({ type: 'gap', reason }, id);
}

/** Frames a `position` event, which moves the cursor of a quiet stream. */
export function positionFrame(id: string): Buffer {
  return systemFrame({ type: 'position' }, id);
}

/** What a stream that catches up gets when it is quiet: its cursor must not move. */
export const PING: Buffer = Buffer.from(encodeComment('ping'));

/** What stands in the first bytes of a stream. */
export interface Head {
  /** Reconnection time in ms. */
  readonly retry: number;
  readonly workspace: string;
  readonly connectionId: string;
  /** Milliseconds since 1970. */
  readonly tokenExpiresAt: number;
  /** The position from which the stream goes on: the cursor given, else the head. */
  readonly id: string;
  readonly resumed: boolean;
}

/** The first bytes of a stream: reconnection time, a greeting for people, and `connected`. */
export function headFrame({ retry, workspace, connectionId, tokenExpiresAt, id, resumed }: Head): Buffer {
  const greeting = encodeComment(`connected to workspace ${workspace}`);
  const connected = encodeEvent(
    id,
    SYSTEM,
    JSON.stringify({
      type: 'connected',
      connectionId,
      workspace,
      tokenExpiresAt: new Date(tokenExpiresAt).toISOString(),
      resumed,
    } satisfies SystemEvent),
  );
  // One block for the first two: the reconnection time, then the comment.
  return Buffer.from(`${encodeRetry(retry).slice(0, -1)}${greeting}${connected}`);
}
