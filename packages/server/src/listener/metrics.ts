import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';

/** What the process counts. Labels are routes, codes and reasons of closed sets: never what a client wrote. */
export interface Metrics {
  /** An answer went out. */
  answered(route: string, method: string, status: number): void;
  /** A request was refused at the listener, before a handler saw it. */
  refused(code: string, reason: string): void;
  /** A stream was attached; the returned function says that it is over. */
  streamOpened(): () => void;
  /** Number of attached streams. */
  readonly openStreams: number;
  /** Adds a gauge that is read at each scrape. */
  gauge(name: string, help: string, read: () => number): void;
  /** The text of `/metrics` and its media type. */
  text(): Promise<{ readonly body: string; readonly type: string }>;
}

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS']);

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
    name: 'centrali_listener_refusals_total',
    help: 'Requests refused before any handler',
    labelNames: ['code', 'reason'],
    registers: [register],
  });
  let open = 0;
  const metrics: Metrics = {
    answered: (route, method, status) =>
      answers.inc({ route, method: METHODS.has(method) ? method : 'other', status: String(status) }),
    refused: (code, reason) => refusals.inc({ code, reason }),
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
      new Gauge({
        name,
        help,
        registers: [register],
        collect() {
          this.set(read());
        },
      });
    },
    text: async () => ({ body: await register.metrics(), type: register.contentType }),
  };
  metrics.gauge('centrali_open_streams', 'Open event streams', () => open);
  return metrics;
}
