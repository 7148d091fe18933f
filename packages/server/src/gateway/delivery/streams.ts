import { errorBody, type ServerErrorCode } from '@centrali-io/protocol';
import type { Access } from '../access/access.ts';
import type { Broker } from '../broker/port.ts';
import type { Connection } from './connection.ts';
import type { Effects } from './effects.ts';
import { Farewells } from './farewells.ts';
import { PING, systemFrame } from './frames.ts';
import { Hub, type Why } from './hub.ts';
import { endsOf, tokenEndsOf } from './lifetime.ts';
import type { StreamEnding, StreamRequest } from './port.ts';
import { Selection } from './selection.ts';
import { Stream } from './stream.ts';
import { TimeWheel } from './time-wheel.ts';
import type { Work } from './turn.ts';

/** How long a stream that was ended may take to close before it is reset, in ms. */
const LINGER = 5000;
/** How long to wait for a full socket before its client is told that its token dies, in ms. */
const RETELL = 250;
/** How long a socket may take nothing at all before its stream is slow, in ms. */
const STUCK = 60_000;

/** Bounds and times of streams. */
export interface StreamLimits {
  readonly lifetimeSeconds: number;
  readonly positionSeconds: number;
  readonly maxUnsentBytes: number;
  readonly ringBytes: number;
}

/** What `Streams` is made from. */
export interface StreamsOptions {
  readonly broker: Broker;
  readonly effects: Effects;
  readonly limits: StreamLimits;
  readonly newConnectionId: () => string;
}

/** All streams of this process: registered before their first byte, ended for one reason, once. */
export class Streams implements Work {
  readonly hub: Hub;
  readonly #effects: Effects;
  readonly #limits: StreamLimits;
  readonly #newConnectionId: () => string;
  readonly #open = new Map<string, Stream>();
  /** Ended ones whose sockets are not closed yet. */
  readonly #lingering = new Set<Stream>();
  readonly #wheel: TimeWheel<Stream>;
  readonly #farewells: Farewells;
  #serial = 0;
  #due: Stream[] = [];
  #emptied: (() => void)[] = [];

  constructor({ broker, effects, limits, newConnectionId }: StreamsOptions) {
    this.#effects = effects;
    this.#limits = limits;
    this.#newConnectionId = newConnectionId;
    this.hub = new Hub({
      broker,
      effects,
      ringBytes: limits.ringBytes,
      maxUnsentBytes: limits.maxUnsentBytes,
      end: (stream, why) => this.end(stream, ENDS[why]),
    });
    this.#farewells = new Farewells(this.hub.turn, (stream) => {
      if (this.#lingering.has(stream) && stream.ending) this.#say(stream, stream.ending);
    });
    this.#wheel = new TimeWheel<Stream>(effects, (items) => {
      for (const stream of items) {
        // What the socket of a dead token holds is dropped now: the kernel may take it before the end of this turn.
        if (stream.unsentBytes > 0) this.#lookAfter(stream);
        else this.#due.push(stream);
      }
      this.hub.turn.add(this);
    });
  }

  /** Number of open streams. */
  get size(): number {
    return this.#open.size;
  }

  /** Registers a stream: from now on it can be found, listed and ended. */
  register(request: StreamRequest, selection: Selection): Stream {
    const { access } = request;
    const openedAt = this.#effects.now();
    const now = this.#effects.monotonic();
    const ends = endsOf({
      now: openedAt,
      monotonic: now,
      random: this.#effects.random(),
      tokenExpiresAt: access.token.expiresAt,
      lifetimeSeconds: this.#limits.lifetimeSeconds,
    });
    const audience = this.hub.feed(access.workspace).hold(selection);
    const stream = new Stream(this.#newConnectionId(), request, audience, {
      serial: ++this.#serial,
      openedAt,
      now,
      ...ends,
    });
    this.#open.set(stream.connectionId, stream);
    this.#schedule(stream);
    return stream;
  }

  /** Unregisters a stream that could not be opened; nobody is told. */
  forget(stream: Stream): void {
    if (stream.state === 'over') return;
    this.#wheel.cancel(stream);
    this.#open.delete(stream.connectionId);
    this.hub.leave(stream);
    stream.state = 'over';
    this.#wakeIfEmpty();
  }

  find(connectionId: string): Stream | undefined {
    return this.#open.get(connectionId);
  }

  /** Oldest first. */
  list(): Iterable<Stream> {
    return this.#open.values();
  }

  /** Gives a registered stream its connection. `false`: it has ended meanwhile, and has been told. */
  connect(stream: Stream, connection: Connection): boolean {
    stream.connection = connection;
    connection.onClose(() => this.#closed(stream));
    if (stream.state !== 'over') return true;
    this.#lingering.add(stream);
    this.#say(stream, stream.ending ?? CLOSED);
    return false;
  }

  /** Ends a stream; `false` when it is over already. Its last words may be left to the end of this turn. */
  end(stream: Stream, ending: StreamEnding, words: 'now' | 'soon' = 'now'): boolean {
    if (stream.state === 'over') return false;
    // What was matched before an end of ours still belongs to the stream; access that is gone takes it along.
    if (ending.kind === 'closing' && stream.state === 'live') this.hub.flushAudience(stream.audience);
    stream.ending = ending;
    if (stream.connection) this.#lingering.add(stream);
    this.#over(stream, ending.reason, ending.kind === 'error' ? ending.code : undefined);
    // What its socket holds is dropped now: the kernel may take it before the end of this turn.
    if (words === 'soon' && stream.connection && stream.unsentBytes === 0) this.#farewells.add(stream);
    else if (stream.connection) this.#say(stream, ending);
    return true;
  }

  /** Puts a new decision in the place of a stream's. Throws what `Selection` throws. */
  redecide(stream: Stream, access: Access, told: 'renewed' | 'silently'): void {
    const { token, grants } = stream.access;
    stream.access = access;
    if (grants !== access.grants || token !== access.token) {
      const { selection } = stream.audience;
      const next = new Selection(stream.request.selection, access.grants, access.placeholders);
      // What its socket holds cannot be judged anew: who reads slowly must not get what is not theirs any more.
      if (stream.unsentBytes > 0 && !next.widens(selection)) return this.#cut(stream, 'grants_changed');
      this.hub.reselect(stream, next);
    }
    const now = this.#effects.monotonic();
    // The end of the token that it has stays where it was armed: a clock that was set back lengthens nothing.
    if (token.expiresAt !== access.token.expiresAt || token.iat !== access.token.iat) {
      const ends = tokenEndsOf({
        now: this.#effects.now(),
        monotonic: now,
        random: this.#effects.random(),
        tokenExpiresAt: access.token.expiresAt,
      });
      stream.expiresAt = ends.expiresAt;
      stream.expiringAt = ends.expiringAt;
    }
    if (told === 'renewed' && stream.state !== 'opening') {
      const tokenExpiresAt = new Date(access.token.expiresAt).toISOString();
      stream.write(systemFrame({ type: 'renewed', tokenExpiresAt }), now);
    }
    this.#schedule(stream);
  }

  #cut(stream: Stream, reason: string): void {
    if (stream.connection) this.#lingering.add(stream);
    this.#over(stream, reason);
    stream.connection?.reset();
  }

  /** The client went before it had a connection. */
  abandon(stream: Stream): void {
    if (stream.state !== 'over') this.#over(stream, 'client_gone');
  }

  #over(stream: Stream, reason: string, code?: ServerErrorCode): void {
    this.forget(stream);
    const { connectionId, request } = stream;
    request.onEnd(code === undefined ? { connectionId, reason } : { connectionId, reason, code });
  }

  /** The last words of a stream, and its end. */
  #say(stream: Stream, ending: StreamEnding): void {
    const { connection, request } = stream;
    if (!connection) return;
    if (ending.kind === 'closing') {
      connection.write(systemFrame({ type: 'closing', reason: ending.reason }));
    } else if (connection.unsentBytes > 0) {
      connection.reset();
      ending.said?.();
      return;
    } else {
      const body = errorBody(ending.code, request.requestId, undefined, wholeSeconds(ending.retryAfter));
      connection.write(systemFrame({ type: 'error', ...body }));
      ending.said?.();
    }
    connection.end();
    this.#wheel.schedule(stream, this.#effects.monotonic() + LINGER);
  }

  #closed(stream: Stream): void {
    if (stream.state !== 'over') this.#over(stream, 'client_gone');
    this.#wheel.cancel(stream);
    this.#lingering.delete(stream);
    this.#wakeIfEmpty();
  }

  #schedule(stream: Stream): void {
    const quiet = stream.wroteAt + this.#limits.positionSeconds * 1000;
    this.#wheel.schedule(stream, Math.min(stream.expiresAt, stream.expiringAt, stream.endsAt, quiet));
  }

  /** Looks after one stream whose time has come. */
  step(): boolean {
    const stream = this.#due.pop();
    if (!stream) return false;
    if (stream.wheelBucket < 0) this.#lookAfter(stream);
    return this.#due.length > 0;
  }

  #lookAfter(stream: Stream): void {
    const now = this.#effects.monotonic();
    if (stream.state === 'over') {
      if (this.#lingering.has(stream)) stream.connection?.reset();
    } else if (now >= stream.expiresAt) this.end(stream, EXPIRED);
    else if (now >= stream.hold.until) this.end(stream, UNPROVEN);
    else if (now >= stream.endsAt) this.end(stream, LIFETIME);
    else {
      if (now >= stream.expiringAt && stream.state !== 'opening') this.#expiring(stream, now);
      if (now >= stream.wroteAt + this.#limits.positionSeconds * 1000) this.#quiet(stream, now);
      // It may have been found stuck.
      if (stream.connection === undefined || this.#open.has(stream.connectionId)) this.#schedule(stream);
    }
  }

  /** Tells the client ahead that its token dies, once for each token. */
  #expiring(stream: Stream, now: number): void {
    // Behind bytes that nobody takes it would be read too late, or never.
    if (stream.unsentBytes > 0) {
      stream.expiringAt = now + RETELL;
      return;
    }
    stream.expiringAt = Number.POSITIVE_INFINITY;
    const at = new Date(stream.access.token.expiresAt).toISOString();
    stream.write(systemFrame({ type: 'expiring', at }), now);
  }

  /** Moves the cursor of a quiet stream, or just lets proxies see that it is alive. */
  #quiet(stream: Stream, now: number): void {
    if (stream.state === 'live') this.hub.flushAudience(stream.audience);
    if (stream.state === 'opening' || stream.state === 'over') return;
    if (stream.unsentBytes > 0) {
      // A socket that is full needs no ping. One that takes nothing for a minute has nobody at its end.
      stream.wroteAt = now;
      stream.fullSince ||= now;
      if (now - stream.fullSince >= STUCK) this.end(stream, SLOW);
      return;
    }
    stream.fullSince = 0;
    if (stream.state === 'live') stream.write(this.hub.feed(stream.workspace).positionFrame(), now);
    else stream.write(PING, now);
  }

  /** Resolves when no stream is open or lingering. */
  emptied(): Promise<void> {
    return new Promise((resolve) => {
      this.#emptied.push(resolve);
      this.#wakeIfEmpty();
    });
  }

  #wakeIfEmpty(): void {
    if (this.#open.size > 0 || this.#lingering.size > 0) return;
    for (const resolve of this.#emptied.splice(0)) resolve();
  }

  /** Resets everything that is left. */
  cut(): void {
    for (const stream of this.#open.values()) {
      if (stream.connection) this.#lingering.add(stream);
      this.#over(stream, 'cut');
    }
    for (const stream of this.#lingering) {
      this.#wheel.cancel(stream);
      stream.connection?.reset();
    }
  }

  /** Takes no more events, runs no more timers. */
  close(): void {
    this.#wheel.stop();
    this.hub.close();
  }
}

const CLOSED: StreamEnding = { kind: 'closing', reason: 'closed' };
const SLOW: StreamEnding = { kind: 'closing', reason: 'slow_consumer' };
const LIFETIME: StreamEnding = { kind: 'closing', reason: 'lifetime' };
const EXPIRED: StreamEnding = { kind: 'error', code: 'TOKEN_EXPIRED', reason: 'token_expired' };
const UNPROVEN: StreamEnding = { kind: 'error', code: 'AUTH_ERROR', reason: 'authority_lost' };

const ENDS: Readonly<Record<Why, StreamEnding>> = { expired: EXPIRED, unproven: UNPROVEN, slow: SLOW };

/** As in the header of an answer: whole seconds (RFC 9110 section 10.2.3), never fewer. */
function wholeSeconds(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : Math.ceil(seconds);
}
