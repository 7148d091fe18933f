import { describe, expect, it } from 'vitest';
import type { GatewayReadings } from '../gateway/index.ts';
import { Refusal } from '../resource-server/index.ts';
import { observeGateway, readGateway } from './gateway-metrics.ts';
import { createMetrics } from './metrics.ts';

/** The series of ours, without comments and defaults. */
const seriesOf = (text: string): string[] => text.split('\n').filter((line) => line.startsWith('centrali_'));

describe('the metrics of a gateway', () => {
  it('count refusals by code and issuer, decisions, calls and the lag of revocations', async () => {
    const metrics = createMetrics();
    const observer = observeGateway(metrics);
    observer.refused?.(new Refusal('INVALID_TOKEN', 'kid_unknown'), 'login');
    observer.refused?.(new Refusal('INVALID_TOKEN', 'kid_unknown'), 'login');
    observer.decided?.(true);
    observer.decided?.(false);
    observer.called?.('streams', 4, true);
    observer.revoked?.(30);
    const series = seriesOf((await metrics.text()).body);
    expect(series).toEqual(
      expect.arrayContaining([
        'centrali_refusals_total{by="gateway",code="INVALID_TOKEN",reason="kid_unknown",provider="login"} 2',
        'centrali_decisions_total{from="memory"} 1',
        'centrali_decisions_total{from="iam"} 1',
        'centrali_iam_call_seconds_bucket{le="0.0025",about="streams",answered="true"} 0',
        'centrali_iam_call_seconds_bucket{le="0.005",about="streams",answered="true"} 1',
        'centrali_revocation_lag_seconds_bucket{le="0.025"} 0',
        'centrali_revocation_lag_seconds_bucket{le="0.05"} 1',
        'centrali_revocation_lag_seconds_count 1',
      ]),
    );
  });

  it('are read at each scrape', async () => {
    const metrics = createMetrics();
    const readings: GatewayReadings = {
      streamsByExpiry: new Map([['1m', 3]]),
      keySets: [
        { provider: 'centrali', ageSeconds: 5, failures: 0 },
        { provider: 'login', ageSeconds: Number.POSITIVE_INFINITY, failures: 2 },
      ],
      streamsInDoubt: 1,
      keptDecisions: 7,
      feedSilenceSeconds: 0.5,
    };
    readGateway(metrics, { readings: () => readings });
    for (let scrape = 0; scrape < 2; scrape++) {
      const series = seriesOf((await metrics.text()).body);
      expect(series).toEqual(
        expect.arrayContaining([
          'centrali_open_streams_by_expiry{within="1m"} 3',
          'centrali_key_set_age_seconds{provider="centrali"} 5',
          'centrali_key_set_age_seconds{provider="login"} +Inf',
          'centrali_key_set_failures_total{provider="login"} 2',
          'centrali_streams_in_doubt 1',
          'centrali_kept_decisions 7',
          'centrali_feed_silence_seconds 0.5',
        ]),
      );
    }
  });

  it('keep the names of providers bounded', async () => {
    const metrics = createMetrics();
    for (let n = 0; n < 300; n++) metrics.refused('gateway', 'FORBIDDEN', 'no_role', `p${n}`);
    const { body } = await metrics.text();
    expect(seriesOf(body).filter((line) => line.startsWith('centrali_refusals_total'))).toHaveLength(201);
    expect(body).toContain('provider="unknown"} 100');
  });
});
