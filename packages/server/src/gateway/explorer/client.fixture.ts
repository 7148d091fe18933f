import type { Connection } from '../delivery/connection.ts';
import type { TokenModel } from './model.fixture.ts';

/** The world's time, and what happens later in it. */
export interface Clock {
  readonly time: number;
  post(milliseconds: number, task: () => void): void;
}

/** One block that a client got, and when. */
export interface Got {
  readonly at: number;
  /** When the gateway wrote it. */
  readonly wroteAt: number;
  readonly id: string | undefined;
  readonly name: string;
  readonly data: Record<string, unknown>;
}

/**
 * A client of a stream: its socket, which can refuse to take anything, and what came out of it. What waits
 * in the socket of a client that does not read is the gateway's still, until it is taken.
 */
export class SimulatedClient implements Connection {
  readonly name: string;
  readonly workspace: string;
  readonly cursor: string | undefined;
  /** What it lives on; renewals replace it. */
  token: TokenModel;
  readonly jtis: Set<string>;
  /** Tokens that it is being renewed with: it may live on them already. */
  readonly renewing = new Set<TokenModel>();
  /** Tokens that it lived on, and until when. */
  readonly formerly: { readonly token: TokenModel; readonly until: number }[] = [];
  /** Asked for orders alone. */
  narrowed = false;
  readonly startedAt: number;
  connectedAt: number | undefined;
  connectionId = '';
  /** How the gateway refused it, if it did. */
  refused: { readonly at: number; readonly code: string; readonly reason: string } | undefined;
  /** How the socket was closed: by an end of the gateway, by its reset, by the client. */
  closed: { readonly at: number; readonly how: 'end' | 'reset' | 'left' } | undefined;
  readonly got: Got[] = [];
  /** Whether it takes nothing at present. */
  blocked = false;
  /** Whether it has ever been. */
  wasBlocked = false;
  onGot: (got: Got) => void = () => {};
  readonly #clock: Clock;
  #waiting: { readonly bytes: Uint8Array; readonly wroteAt: number }[] = [];
  #ending = false;
  readonly #onClose: (() => void)[] = [];
  readonly #onDrain: (() => void)[] = [];

  constructor(name: string, workspace: string, token: TokenModel, cursor: string | undefined, clock: Clock) {
    this.name = name;
    this.workspace = workspace;
    this.token = token;
    this.jtis = new Set([token.jti]);
    this.cursor = cursor;
    this.#clock = clock;
    this.startedAt = clock.time;
  }

  get isOpen(): boolean {
    return this.connectedAt !== undefined && !this.closed;
  }

  get unsentBytes(): number {
    return this.#waiting.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
  }

  write(bytes: Uint8Array): void {
    if (this.closed || this.#ending) throw new Error(`${this.name}: written to after its end`);
    if (this.blocked) this.#waiting.push({ bytes, wroteAt: this.#clock.time });
    else this.#take(bytes, this.#clock.time);
  }

  #take(bytes: Uint8Array, wroteAt: number): void {
    for (const block of Buffer.from(bytes).toString().split('\n\n')) {
      const fields = new Map(block.split('\n').map((line) => line.split(': ', 2) as [string, string]));
      const text = /^data: (.*)$/m.exec(block)?.[1];
      if (text === undefined) continue;
      const got = {
        at: this.#clock.time,
        wroteAt,
        id: fields.get('id'),
        name: fields.get('event') ?? 'message',
        data: JSON.parse(text),
      };
      this.got.push(got);
      this.onGot(got);
    }
  }

  end(): void {
    this.#ending = true;
    if (!this.blocked) this.#close('end');
  }

  reset(): void {
    this.#waiting = [];
    this.#close('reset');
  }

  /** The client goes. */
  leave(): void {
    this.#waiting = [];
    this.#close('left');
  }

  #close(how: 'end' | 'reset' | 'left'): void {
    if (this.closed) return;
    this.closed = { at: this.#clock.time, how };
    for (const listener of this.#onClose.splice(0)) listener();
  }

  /** Takes what waits, and everything from now on. */
  unblock(): void {
    this.blocked = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { bytes, wroteAt } of waiting) this.#take(bytes, wroteAt);
    if (this.#ending) this.#close('end');
    else if (waiting.length > 0) this.#drained();
  }

  /** In a later turn, and never after the end. */
  #drained(): void {
    this.#clock.post(0, () => {
      if (this.closed || this.unsentBytes > 0) return;
      for (const listener of this.#onDrain.splice(0)) listener();
    });
  }

  block(): void {
    this.blocked = true;
    this.wasBlocked = true;
  }

  onClose(listener: () => void): void {
    if (this.closed) listener();
    else this.#onClose.push(listener);
  }

  onDrain(listener: () => void): void {
    this.#onDrain.push(listener);
    if (this.unsentBytes === 0) this.#drained();
  }
}
