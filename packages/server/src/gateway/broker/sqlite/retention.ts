/** How much of the log is kept. Each bound counts on its own; 0 = no limit. */
export interface Retention {
  /** Seconds; 604,800 (a week) by default. */
  readonly maxAgeSeconds: number;
  /** Bytes of events as JSON; 1 GiB by default. The file is somewhat larger, and is reused rather than shrunk. */
  readonly maxBytes: number;
  /** Number of events; 0 by default. */
  readonly maxEvents: number;
}

/** A week, 1 GiB, any number of events. */
export const DEFAULT_RETENTION: Retention = { maxAgeSeconds: 604_800, maxBytes: 2 ** 30, maxEvents: 0 };

/** What the log holds. */
export interface Totals {
  readonly bytes: number;
  readonly events: number;
}

/** Whether the oldest record, stored at `at` (ms), has to go. */
export function mustGo(at: number, totals: Totals, now: number, retention: Retention): boolean {
  const { maxAgeSeconds, maxBytes, maxEvents } = retention;
  return (
    (maxAgeSeconds > 0 && at < now - maxAgeSeconds * 1000) ||
    (maxBytes > 0 && totals.bytes > maxBytes) ||
    (maxEvents > 0 && totals.events > maxEvents)
  );
}
