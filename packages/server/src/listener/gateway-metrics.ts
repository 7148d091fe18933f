import type { Gateway, GatewayObserver } from '../gateway/index.ts';
import type { Metrics } from './metrics.ts';

/** Seconds: a revocation is meant to take effect within 0.1 (p99), 1 with thousands of streams, 5 with IAM away. */
const LAG_BUCKETS: readonly number[] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** Seconds. */
const CALL_BUCKETS: readonly number[] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** Counts what a gateway tells of. */
export function observeGateway(metrics: Metrics): GatewayObserver {
  const lag = metrics.histogram(
    'centrali_revocation_lag_seconds',
    'From a change that ends access, as it came in, to the last write of each stream that it ended',
    LAG_BUCKETS,
  );
  const calls = metrics.histogram('centrali_iam_call_seconds', 'Calls of IAM', CALL_BUCKETS, ['about', 'answered']);
  const decisions = { kept: 0, asked: 0 };
  metrics.gauges('centrali_decisions_total', 'Decisions, by whether they were kept from before', ['from'], () => [
    [{ from: 'memory' }, decisions.kept],
    [{ from: 'iam' }, decisions.asked],
  ]);
  return {
    refused: ({ code, reason }, provider) => metrics.refused('gateway', code, reason, provider),
    revoked: (milliseconds) => lag(milliseconds / 1000),
    decided: (kept) => {
      if (kept) decisions.kept += 1;
      else decisions.asked += 1;
    },
    called: (about, milliseconds, answered) => calls(milliseconds / 1000, { about, answered: String(answered) }),
  };
}

/** Reads at each scrape what a gateway can be asked. */
export function readGateway(metrics: Metrics, gateway: Pick<Gateway, 'readings'>): void {
  metrics.gauges(
    'centrali_open_streams_by_expiry',
    'Open streams by the time until their tokens expire',
    ['within'],
    () => [...gateway.readings().streamsByExpiry].map(([within, count]) => [{ within }, count]),
  );
  metrics.gauges('centrali_key_set_age_seconds', 'Time since a key set was loaded', ['provider'], () =>
    gateway.readings().keySets.map(({ provider, ageSeconds }) => [{ provider }, ageSeconds]),
  );
  metrics.gauges('centrali_key_set_failures_total', 'Loads of a key set that failed', ['provider'], () =>
    gateway.readings().keySets.map(({ provider, failures }) => [{ provider }, failures]),
  );
  metrics.gauge(
    'centrali_streams_in_doubt',
    'Open streams whose reasons are being asked about',
    () => gateway.readings().streamsInDoubt,
  );
  metrics.gauge('centrali_kept_decisions', 'Decisions that are kept', () => gateway.readings().keptDecisions);
  metrics.gauge(
    'centrali_feed_silence_seconds',
    'Time since the last frame of the change feed',
    () => gateway.readings().feedSilenceSeconds,
  );
}
