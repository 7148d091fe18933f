import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** Writes to the sockets of streams, and their bytes. */
export interface Sent {
  writes: number;
  bytes: number;
}

/** What the process counts. Labels are routes, codes and reasons of closed sets: never what a client wrote. */
export interface Metrics {
  /** An answer went out. */
  answered(route: string, method: string, status: number): void;
  /** A request was refused: `reason` is the inner one, `provider` the configured name of the token's issuer. */
  refused(by: 'listener' | 'gateway', code: string, reason: string, provider?: string): void;
  /** The gateway put questions to IAM. */
  asked(checks: number): void;
  /** A stream was attached; the returned function says that it is over. */
  streamOpened(): () => void;
  /** Number of attached streams. */
  readonly openStreams: number;
  /** What went out on streams; added to at each write, so it is two numbers and no call. */
  readonly sent: Sent;
  /** Adds a gauge that is read at each scrape. */
  gauge(name: string, help: string, read: () => number): void;
  /** Adds a gauge or, by its name, a counter of several series that are read at each scrape. */
  gauges(name: string, help: string, labels: readonly string[], read: () => readonly Series[]): void;
  /** Adds a histogram; the returned function takes one value of it. */
  histogram(
    name: string,
    help: string,
    buckets: readonly number[],
    labels?: readonly string[],
  ): (value: number, labels?: Readonly<Record<string, string>>) => void;
  /** Adds a counter that is read at each scrape. */
  counter(name: string, help: string, read: () => number): void;
  /** The text of `/metrics` and its media type. */
  text(): Promise<{ readonly body: string; readonly type: string }>;
}

/** One series: its labels and its value. */
export type Series = readonly [labels: Readonly<Record<string, string>>, value: number];

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS']);

/** Most inner reasons with a series of their own; they are a closed set, and this makes sure. */
const MAX_REASONS = 300;

/** Makes the metrics in a registry of their own. */
export function createMetrics(): Metrics {
  const register = new Registry();
  collectDefaultMetrics({ register });
  const answers = new Counter({
    name: 'centrali_http_answers_total',
    help: 'Answers of the public listener',
    labelNames: ['route', 'method', 'status'],
    registers: [register],
  });
  const refusals = new Counter({
    name: 'centrali_refusals_total',
    help: 'Refused requests by error code, inner reason and issuer of the token',
    labelNames: ['by', 'code', 'reason', 'provider'],
    registers: [register],
  });
  const checks = new Counter({
    name: 'centrali_iam_checks_total',
    help: 'Questions that the gateway put to IAM',
    registers: [register],
  });
  const names = new Names();
  const reasons = new Set<string>();
  const known = (reason: string): string => {
    if (reasons.has(reason)) return reason;
    if (reasons.size >= MAX_REASONS || !/^\w{1,64}$/.test(reason)) return 'unknown';
    reasons.add(reason);
    return reason;
  };
  let open = 0;
  const metrics: Metrics = {
    answered: (route, method, status) =>
      answers.inc({ route, method: METHODS.has(method) ? method : 'other', status: String(status) }),
    refused: (by, code, reason, provider = 'unknown') =>
      refusals.inc({ by, code, reason: known(reason), provider: names.known(provider) }),
    asked: (count) => checks.inc(count),
    streamOpened() {
      open += 1;
      let over = false;
      return () => {
        if (!over) open -= 1;
        over = true;
      };
    },
    get openStreams() {
      return open;
    },
    gauge(name, help, read) {
      register.registerMetric(
        new Gauge({
          name,
          help,
          registers: [],
          collect() {
            this.set(read());
          },
        }),
      );
    },
    gauges(name, help, labelNames, read) {
      register.registerMetric(
        new (name.endsWith('_total') ? Counter : Gauge)({
          name,
          help,
          labelNames: [...labelNames],
          registers: [],
          collect() {
            this.reset();
            for (const [labels, value] of read()) {
              const { provider } = labels;
              this.inc(provider === undefined ? labels : { ...labels, provider: names.known(provider) }, value);
            }
          },
        }),
      );
    },
    histogram(name, help, buckets, labelNames = []) {
      const histogram = new Histogram({
        name,
        help,
        buckets: [...buckets],
        labelNames: [...labelNames],
        registers: [register],
      });
      return (value, labels = {}) => histogram.observe(labels, value);
    },
    counter(name, help, read) {
      register.registerMetric(
        new Counter({
          name,
          help,
          registers: [],
          collect() {
            this.reset();
            this.inc(read());
          },
        }),
      );
    },
    sent: { writes: 0, bytes: 0 },
    text: async () => ({ body: await register.metrics(), type: register.contentType }),
  };
  const { sent } = metrics;
  metrics.gauge('centrali_open_streams', 'Open event streams', () => open);
  metrics.counter('centrali_stream_writes_total', 'Writes to the sockets of streams', () => sent.writes);
  metrics.counter('centrali_stream_bytes_total', 'Bytes written to the sockets of streams', () => sent.bytes);
  return metrics;
}

/** Most names of providers with a series of their own. */
const MAX_NAMES = 200;

/** Names that administrators gave: the first ones, as they are; the rest are `unknown`, so that series stay bounded. */
class Names {
  readonly #names = new Set<string>();

  known(name: string): string {
    if (this.#names.has(name)) return name;
    if (this.#names.size >= MAX_NAMES) return 'unknown';
    this.#names.add(name);
    return name;
  }
}
