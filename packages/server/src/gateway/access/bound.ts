import { OWN_PROVIDER } from '@centrali-io/protocol';
import type { Refusal } from '../../resource-server/index.ts';
import type { Hold } from '../delivery/port.ts';
import type { Access } from './access.ts';

/** How long a stream may go on without proof that its reasons still hold, in ms. */
export const UNPROVEN_MS = 5000;
/** The last part of that, over which the ends of streams are spread, in ms. */
export const SPREAD_MS = 1000;

/** Streams that share their coarse reasons, as a list through the streams' own fields. */
export interface ReasonGroup {
  readonly key: string;
  readonly workspace: string;
  readonly provider: string;
  readonly kid: string;
  readonly roles: readonly string[];
  first: Bound | undefined;
}

/** The part of the change feed that a stream's right to go on hangs on. */
export interface Proof {
  /** When the last frame came, monotonic ms: up to then every change is known. */
  readonly lastFrameAt: number;
}

/**
 * When it was last known that the reasons of an access hold, monotonic ms. What a provider's mapping gives is
 * known from the feed alone: an answer of IAM is about roles by a mapping that may not be the provider's any more.
 */
export function provenAt({ principal, askedAt }: Access, { lastFrameAt }: Proof): number {
  return principal.provider === OWN_PROVIDER ? Math.max(lastFrameAt, askedAt) : lastFrameAt;
}

/**
 * A stream as the access side knows it: what it lives on, and what of it is in doubt. Made before the stream
 * is registered with delivery, so that no change is missed; without closures or timers of its own.
 */
export class Bound implements Hold {
  /** What it lives on now. */
  access: Access;
  /** Delivery's name of it, once it has one. */
  connectionId: string | undefined;
  /** Why it ended, if it has. */
  fate: Refusal | undefined;
  /** Its access was swapped before it had a name. */
  swapped = false;
  /**
   * Since when its reasons may have changed without a decision, monotonic ms: from the last frame of the feed
   * before the change, since it may have come at any moment after that. `Infinity`: they have not.
   */
  doubtSince: number = Number.POSITIVE_INFINITY;
  /** When the feed told of that, monotonic ms. */
  toldAt: number = Number.POSITIVE_INFINITY;
  /** Waits for its next decision, or is being asked about. */
  queued = false;
  over = false;
  /** Links of `ReasonIndex`. */
  group: ReasonGroup | undefined;
  nextInGroup: Bound | undefined;
  previousInGroup: Bound | undefined;
  /** `jti` of the tokens that it lived on before. */
  earlier: Set<string> | undefined;
  readonly #proof: Proof;
  /** Its own part of the spread, in ms. */
  readonly #spread: number;

  /** `random`: [0, 1). */
  constructor(access: Access, proof: Proof, random: number) {
    this.access = access;
    this.#proof = proof;
    this.#spread = Math.floor(random * SPREAD_MS);
  }

  /** When it was last known that its reasons hold, monotonic ms. */
  get provenAt(): number {
    return provenAt(this.access, this.#proof);
  }

  /** Monotonic ms: nothing may be written from then on, unless a proof comes before. */
  get until(): number {
    return Math.min(this.doubtSince, this.provenAt) + UNPROVEN_MS - SPREAD_MS + this.#spread;
  }
}
