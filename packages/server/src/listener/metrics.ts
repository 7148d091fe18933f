import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';

/** Writes to the sockets of streams, and their bytes. */
export interface Sent {
  writes: number;
  bytes: number;
}

/** What the process counts. Labels are routes, codes and reasons of closed sets: never what a client wrote. */
export interface Metrics {
  /** An answer went out. */
  answered(route: string, method: string, status: number): void;
  /** A request was refused: `reason` is the inner one. */
  refused(by: 'listener' | 'gateway', code: string, reason: string): void;
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
  /** Adds a counter that is read at each scrape. */
  counter(name: string, help: string, read: () => number): void;
  /** The text of `/metrics` and its media type. */
  text(): Promise<{ readonly body: string; readonly type: string }>;
}

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
    help: 'Refused requests by error code and inner reason',
    labelNames: ['by', 'code', 'reason'],
    registers: [register],
  });
  const checks = new Counter({
    name: 'centrali_iam_checks_total',
    help: 'Questions that the gateway put to IAM',
    registers: [register],
  });
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
    refused: (by, code, reason) => refusals.inc({ by, code, reason: known(reason) }),
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
