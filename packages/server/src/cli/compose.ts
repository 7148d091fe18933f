/**
 * The composition root: makes the parts and puts them together. One process with everything, a gateway
 * alone, or IAM alone; what changes is who answers `Decisions`.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Decisions } from '@centrali-io/protocol';
import {
  createDelivery,
  createGateway,
  createHttpDecisions,
  type Gateway,
  openSqliteBroker,
} from '../gateway/index.ts';
import { createIam, type Iam } from '../iam/index.ts';
import {
  createInternalListener,
  createMetrics,
  createPublicListener,
  type Metrics,
  observeGateway,
  type ProcessLog,
  type Readiness,
  readGateway,
  type ServedFile,
  type TlsFiles,
} from '../listener/index.ts';
import type { Config } from './config/index.ts';

/** What `compose` is made from. */
export interface ComposeOptions {
  readonly config: Config;
  readonly internalCredential: string | undefined;
  readonly log: ProcessLog;
  /** With it, the public listener speaks TLS. */
  readonly tls?: TlsFiles | undefined;
  /** For `dev`: every origin of this machine may read answers. */
  readonly loopbackOrigins?: boolean;
  /** For `dev`: files below `/-/`. */
  file?(path: string): ServedFile | undefined;
}

/** The running service. */
export interface Service {
  /** The public base URL: issuer and audience. */
  readonly baseUrl: string;
  /** Where the public listener really listens. */
  readonly listenUrl: string;
  readonly internalUrl: string;
  /** Absent for role gateway. */
  readonly iam: Iam | undefined;
  readiness(): Readiness;
  /** Takes a renewed certificate for new connections. */
  renewCertificate(tls: TlsFiles): void;
  /**
   * Ends everything in order: not ready, no new streams, streams end spread over the drain time,
   * answers in flight go out, then the parts are closed.
   */
  stop(drainSeconds: number): Promise<void>;
}

/** How long answers in flight may take once the streams are gone, in ms. */
const GRACE = 5000;

/** Binds the ports, makes the parts, mounts them. Rejects, with everything closed again, when one of them fails. */
export async function compose(options: ComposeOptions): Promise<Service> {
  const { config, log } = options;
  const closers: (() => Promise<void>)[] = [];
  const metrics = createMetrics();
  let draining = false;
  try {
    const open = createPublicListener({
      host: config.host,
      port: config.port,
      tls: options.tls,
      maxConnections: config.maxConnections,
      origins: {
        allowed: config.allowedOrigins,
        loopback: options.loopbackOrigins ?? false,
        cookies: config.tokens.cookie,
      },
      trustedProxies: config.trustedProxies,
      limits: config.limits,
      log,
      metrics,
      monotonic: () => performance.now(),
    });
    const { url } = await open.listen();
    closers.push(() => open.close(GRACE));
    const baseUrl = config.publicUrl?.replace(/\/$/, '') ?? url;

    const internal = createInternalListener({
      ...config.internal,
      credential: options.internalCredential,
      log,
      metrics,
    });
    const { url: internalUrl } = await internal.listen();
    closers.push(() => internal.close(GRACE));

    mkdirSync(config.data, { recursive: true, mode: 0o700 });
    const iam = config.role === 'gateway' ? undefined : await openIam(config, baseUrl, log);
    if (iam) closers.push(() => iam.close());
    const parts = config.role === 'iam' ? undefined : await openGateway(options, baseUrl, iam?.decisions, metrics);
    if (parts) closers.push(() => parts.close());

    const readiness = (): Readiness => {
      const gateway = parts?.gateway.status();
      return { ready: !draining && gateway?.ready !== false, role: config.role, draining, ...(gateway && { gateway }) };
    };
    open.mount({
      baseUrl,
      gateway: parts?.gateway,
      iam,
      readiness,
      ...(options.file ? { file: options.file } : {}),
    });
    internal.mount({ iam, readiness });

    return {
      baseUrl,
      listenUrl: url,
      internalUrl,
      iam,
      readiness,
      renewCertificate: (tls) => open.renew(tls),
      async stop(drainSeconds) {
        draining = true;
        await parts?.gateway.drain(drainSeconds * 1000);
        await closeAll(closers, log);
      },
    };
  } catch (error) {
    await closeAll(closers, log);
    throw error;
  }
}

/** Closes in the opposite order of opening; one that fails does not keep the others open. */
async function closeAll(closers: (() => Promise<void>)[], log: ProcessLog): Promise<void> {
  for (let close = closers.pop(); close; close = closers.pop()) {
    try {
      await close();
    } catch (error) {
      log.error({ error: String(error) }, 'A part could not be closed cleanly');
    }
  }
}

function openIam(config: Config, issuer: string, log: ProcessLog): Promise<Iam> {
  return createIam({
    file: join(config.data, 'state.db'),
    issuer,
    algorithm: config.tokens.algorithm,
    serviceLifetimeSeconds: config.tokens.serviceLifetimeSeconds,
    userLifetimeSeconds: config.tokens.userLifetimeSeconds,
    keyPublishLeadSeconds: config.keys.publishLeadSeconds,
    maxPublishedKeys: config.keys.maxPublished,
    auditMaxAgeSeconds: config.audit.maxAgeSeconds,
    devTokens: config.devTokens,
    allowPrivateAddresses: config.providers.allowPrivateAddresses,
    log,
  });
}

async function openGateway(
  { config, log, internalCredential }: ComposeOptions,
  baseUrl: string,
  inMemory: Decisions | undefined,
  metrics: Metrics,
): Promise<{ readonly gateway: Gateway; close(): Promise<void> }> {
  const broker = await openSqliteBroker({
    file: join(config.data, 'log.db'),
    retention: config.log,
    onFault: (detail) => log.error({ detail }, 'A thread of the log has ended and is started again'),
  });
  let events = 0;
  broker.subscribe((batch) => {
    events += batch.length;
  });
  metrics.counter('centrali_events_total', 'Events that the log has committed', () => events);
  metrics.counter('centrali_log_pages_total', 'Pages that streams behind were given from the log', () => broker.pages);
  const delivery = createDelivery({ broker, limits: config.stream });
  const { decisions, close: closeDecisions } = openDecisions(config, internalCredential, inMemory);
  const gateway = createGateway({
    baseUrl,
    decisions: counted(decisions, metrics),
    broker,
    delivery,
    log,
    limits: config.limits,
    queryTokens: config.tokens.query,
    boundTickets: config.tickets.bound,
    ...(config.tokens.cookie ? { cookieOrigins: config.allowedOrigins } : {}),
    ownLifetimes: { service: config.tokens.serviceLifetimeSeconds, user: config.tokens.userLifetimeSeconds },
    allowPrivateAddresses: config.providers.allowPrivateAddresses,
    observer: observeGateway(metrics),
  });
  readGateway(metrics, gateway);
  return {
    gateway,
    async close() {
      await gateway.close();
      closeDecisions();
      await broker.close();
    },
  };
}

/** IAM in this process, or the one behind `iamUrl`. */
function openDecisions(
  { iamUrl = '' }: Config,
  credential = '',
  inMemory: Decisions | undefined,
): { readonly decisions: Decisions; close(): void } {
  if (inMemory) return { decisions: inMemory, close() {} };
  const decisions = createHttpDecisions({ url: iamUrl.split(','), credential });
  return { decisions, close: () => decisions.close() };
}

/** The same decisions, with each question counted. */
function counted(decisions: Decisions, metrics: Metrics): Decisions {
  return {
    check(requests, signal) {
      metrics.asked(requests.length);
      return decisions.check(requests, signal);
    },
    changes: (position, signal) => decisions.changes(position, signal),
    record: (entries, signal) => decisions.record(entries, signal),
    putTicket: (hash, ticket, signal) => decisions.putTicket(hash, ticket, signal),
    takeTicket: (hash, signal) => decisions.takeTicket(hash, signal),
    jwks: (signal) => decisions.jwks(signal),
  };
}
