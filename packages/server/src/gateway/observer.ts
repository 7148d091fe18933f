import type { Refusal } from '../resource-server/index.ts';
import type { StreamInfo } from './delivery/port.ts';

/** Told of what happens in the gateway, for metrics. Called often: none of it may throw or wait. */
export interface GatewayObserver {
  /** A request was refused. `provider`: the configured name of its token's issuer, or `unknown`. */
  refused?(refusal: Refusal, provider: string): void;
  /** A stream ended because its access had: milliseconds from the change, as it came in, to the last write. */
  revoked?(milliseconds: number): void;
  /** A decision was asked for: whether it was kept from before. */
  decided?(kept: boolean): void;
  /** A call of IAM, for new connects or about open streams: how long it took in ms, whether it was answered. */
  called?(about: 'connects' | 'streams', milliseconds: number, answered: boolean): void;
}

/** A key set as it is now. */
export interface KeySetReading {
  /** Configured name of the issuer. */
  readonly provider: string;
  /** Seconds since it was loaded; `Infinity`: never. */
  readonly ageSeconds: number;
  /** Loads that have failed since the start. */
  readonly failures: number;
}

/** What the gateway can be asked at any time, for metrics. */
export interface GatewayReadings {
  /** Open streams by the time until their tokens expire. */
  readonly streamsByExpiry: ReadonlyMap<ExpiresWithin, number>;
  readonly keySets: readonly KeySetReading[];
  /** Streams whose reasons are being asked about. */
  readonly streamsInDoubt: number;
  readonly keptDecisions: number;
  /** Seconds since the last frame of the change feed. */
  readonly feedSilenceSeconds: number;
}

const STEPS = [
  ['1m', 60],
  ['5m', 300],
  ['15m', 900],
  ['1h', 3600],
  ['longer', Number.POSITIVE_INFINITY],
] as const;

/** The time until a token expires, in steps; each stream is in one of them. */
export type ExpiresWithin = (typeof STEPS)[number][0];

/** Sorts streams by the time until their tokens expire. `now`: wall clock, ms. */
export function streamsByExpiry(streams: Iterable<StreamInfo>, now: number): ReadonlyMap<ExpiresWithin, number> {
  const counts = new Map<ExpiresWithin, number>(STEPS.map(([name]) => [name, 0]));
  for (const { access } of streams) {
    const left = (access.token.expiresAt - now) / 1000;
    const [name = 'longer'] = STEPS.find(([, seconds]) => left <= seconds) ?? [];
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}
