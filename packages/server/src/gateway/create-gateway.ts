import { type Decisions, ERROR_CODES } from '@centrali-io/protocol';
import {
  createOutboundGet,
  IssuerDirectory,
  KeySet,
  type KeySetOptions,
  type Log,
  namesDpop,
  type OutboundGet,
  OWN_ALGORITHMS,
  type OwnLifetimes,
  ownIssuer,
  ProofMemory,
  type QueryTokenPolicy,
  Refusal,
  refusalResponse,
  type ServerRequest,
} from '../resource-server/index.ts';
import { Admission, type GatewayLimits } from './access/admit.ts';
import type { Attempt } from './access/attempt.ts';
import { AuditSpool } from './access/audit.ts';
import { auditEntry } from './access/audit-entry.ts';
import type { Authority } from './access/authority.ts';
import { cookieGate } from './access/cookie-origin.ts';
import { followIam } from './access/follow-iam.ts';
import { Tickets } from './access/tickets.ts';
import type { Broker } from './broker/port.ts';
import { closeConnection, listConnections, showConnection } from './connections.ts';
import { EFFECTS, type Effects } from './delivery/effects.ts';
import type { Delivery } from './delivery/port.ts';
import { issueTicket } from './issue-ticket.ts';
import { type GatewayObserver, type GatewayReadings, streamsByExpiry } from './observer.ts';
import { publish } from './publish.ts';
import { renew } from './renew.ts';
import type { Reply } from './reply.ts';
import { handlerOf, type Routes } from './routes.ts';
import { wantsErrorsAsStream } from './selection.ts';
import { refusalStream, subscribe } from './subscribe.ts';

/** What `createGateway` is made from. */
export interface GatewayOptions {
  /** The public base URL without trailing slash: own issuer, own audience, base of challenges. */
  readonly baseUrl: string;
  readonly decisions: Decisions;
  readonly broker: Broker;
  readonly delivery: Delivery;
  readonly log: Log;
  readonly limits?: Partial<GatewayLimits>;
  /** Whether tokens that are bound to a key may be changed for tickets; `false` by default. */
  readonly boundTickets?: boolean;
  /** Origins whose pages may send the token in a cookie, beside our own; absent: the cookie is never read. */
  readonly cookieOrigins?: readonly string[];
  /** `allow` by default. */
  readonly queryTokens?: QueryTokenPolicy;
  /** Longest `exp - iat` of own tokens, in seconds: 25,200 for services, 3,600 for users, 86,400 from dev-tokens. */
  readonly ownLifetimes?: Partial<OwnLifetimes>;
  /** Lets providers' key sets live on private addresses and plain http; for tests. `false` by default. */
  readonly allowPrivateAddresses?: boolean;
  /** Fetches providers' key sets; by default https to public addresses, within 2 s and 256 KiB. */
  readonly get?: OutboundGet;
  /** Ages and bounds of providers' key sets; the defaults of `KeySet`. */
  readonly keySets?: Partial<Pick<KeySetOptions, 'maxAgeMs' | 'staleIfErrorMs' | 'cooldownMs' | 'timeoutMs'>>;
  /** Positive decisions that are kept; 20,000 by default. 0: IAM is asked at each connect. */
  readonly cachedDecisions?: number;
  /** Audit entries that may wait for IAM before new admissions are refused; 10,000 by default. */
  readonly auditCapacity?: number;
  /** Wall clock in ms; `Date.now` by default. */
  readonly now?: () => number;
  /** Monotonic clock in ms; `performance.now` by default. */
  readonly monotonic?: () => number;
  /** [0, 1); `Math.random` by default. */
  readonly random?: () => number;
  /** Runs a task once after so many ms; returns what cancels it. `setTimeout` by default. */
  readonly timer?: Effects['timer'];
  /** Runs a task in a later phase of this loop turn; `setImmediate` by default. */
  readonly afterTurn?: Effects['afterTurn'];
  /** Told of what happens, for metrics. */
  readonly observer?: GatewayObserver;
}

/** Whether the gateway can serve, and what stands beside that. */
export interface GatewayStatus {
  /**
   * Once the first whole snapshot of providers, withdrawn keys and revocations is in, this falls only
   * for draining or own faults.
   */
  readonly ready: boolean;
  /** The change feed to IAM. */
  readonly feed: 'starting' | 'live' | 'lost';
  readonly broker: { readonly ready: boolean; readonly detail?: string };
  readonly streams: number;
  readonly draining: boolean;
}

/** A path below `/realtime/workspace/`, taken apart. */
export interface Route {
  readonly workspace: string;
  /** What follows the workspace: `events`, `tickets` … */
  readonly rest: string;
}

/** The gateway: everything below `/realtime/workspace/{ws}/`. */
export interface Gateway {
  /** Answers a request. Never rejects: refusals and faults become answers. */
  handle(request: ServerRequest, route: Route): Promise<Reply>;
  /**
   * Answers a request that the listener refuses by itself (limits of an address), as `handle` would have
   * answered: counted, audited, as a stream where the client asked for that.
   */
  refuse(refusal: Refusal, request: ServerRequest, route: Route): Response;
  status(): GatewayStatus;
  /** What can be measured now. Walks through all streams, so it is for a scrape, not for a request. */
  readings(): GatewayReadings;
  /** Refuses new streams and publishes, ends the open streams spread over `milliseconds`. */
  drain(milliseconds: number): Promise<void>;
  /** Ends the change feed, flushes what audit holds, cuts what is left. */
  close(): Promise<void>;
}

/** Makes the gateway and starts to follow IAM's change feed. */
export function createGateway(options: GatewayOptions): Gateway {
  const { baseUrl, broker, delivery, log, queryTokens = 'allow' } = options;
  const {
    now = EFFECTS.now,
    monotonic = EFFECTS.monotonic,
    random = EFFECTS.random,
    timer = EFFECTS.timer,
    afterTurn = EFFECTS.afterTurn,
  } = options;
  const authority = makeAuthority(options, { now, monotonic, random, timer, afterTurn });
  const mayUseCookie = options.cookieOrigins && cookieGate(baseUrl, options.cookieOrigins);
  let draining = false;

  const routes: Routes = {
    events: {
      GET: (request, { workspace }, attempt) =>
        subscribe({ authority, delivery, queryTokens, mayUseCookie }, request, workspace, attempt),
      POST: (request, { workspace }, attempt) => publish({ authority, broker }, request, workspace, attempt),
    },
    tickets: { POST: (...call) => issueTicket({ authority }, ...call) },
    connections: { GET: (...call) => listConnections({ authority, delivery }, ...call) },
    'connections/{id}/token': { POST: (...call) => renew({ authority, delivery }, ...call) },
    'connections/{id}': {
      GET: (...call) => showConnection({ authority, delivery }, ...call),
      DELETE: (...call) => closeConnection({ authority, delivery }, ...call),
    },
  };

  function refused(refusal: Refusal, request: ServerRequest, workspace: string, attempt: Attempt): void {
    const { subject, provider: named } = attempt;
    const known = subject?.provider ?? named;
    options.observer?.refused?.(refusal, (known && authority.issuers.nameOf(known)) ?? 'unknown');
    const { code, reason } = refusal;
    const entry = { at: now(), kind: 'refuse', workspace, code, reason } as const;
    if (subject) authority.audit.add(auditEntry({ subject, request }, entry));
    else authority.audit.addStranger({ ...entry, address: request.address, requestId: request.id });
  }

  function answerRefusal(refusal: Refusal, request: ServerRequest, route: Route, attempt: Attempt): Response {
    refused(refusal, request, route.workspace, attempt);
    const isSubscription = request.method === 'GET' && route.rest === 'events';
    return isSubscription && wantsErrorsAsStream(request.query)
      ? refusalStream(refusal, request.id, random)
      : refusalResponse(refusal, {
          requestId: request.id,
          baseUrl,
          random,
          scheme: namesDpop(request.headers) ? 'DPoP' : 'Bearer',
        });
  }

  return {
    async handle(request, { workspace, rest }) {
      const attempt: Attempt = {};
      try {
        const { handler, connectionId } = handlerOf(routes, request.method, rest);
        if (draining) throw new Refusal('UNAVAILABLE', 'draining');
        return await handler(request, { workspace, connectionId }, attempt);
      } catch (error) {
        const refusal = asRefusal(error, request.id, log);
        return answerRefusal(refusal, request, { workspace, rest }, attempt);
      }
    },
    refuse: (refusal, request, route) => answerRefusal(refusal, request, route, {}),
    status: () => ({
      ready: authority.feed.isReady && broker.status().ready && !draining,
      feed: authority.feed.state,
      broker: broker.status(),
      streams: delivery.streams,
      draining,
    }),
    readings: () => ({
      streamsByExpiry: streamsByExpiry(delivery.list(), now()),
      keySets: [...authority.issuers.keySets()].map(({ provider, keys }) => ({
        provider,
        ageSeconds: keys.age / 1000,
        failures: keys.failedLoads,
      })),
      streamsInDoubt: authority.ends.inDoubt,
      keptDecisions: authority.decisions.kept,
      feedSilenceSeconds: (monotonic() - authority.feed.lastFrameAt) / 1000,
    }),
    drain: (milliseconds) => {
      draining = true;
      return delivery.drain(milliseconds);
    },
    close: async () => {
      draining = true;
      authority.ends.close();
      await delivery.close();
      await authority.audit.close();
      await authority.feed.stop();
    },
  };
}

/** Puts together what the connection flow stands on, and starts the change feed. */
function makeAuthority(
  options: GatewayOptions,
  effects: Effects,
): Authority & { readonly audit: AuditSpool; readonly issuers: IssuerDirectory } {
  const { baseUrl, decisions, delivery, log, ownLifetimes, keySets, limits } = options;
  const { now, monotonic } = effects;
  const {
    feed,
    ends,
    decisions: queue,
  } = followIam({
    decisions,
    delivery,
    effects,
    log,
    issuers: () => issuers,
    observer: options.observer,
    cachedDecisions: options.cachedDecisions,
  });
  const own = ownIssuer({
    baseUrl,
    // Our own IAM is near and tells of its changes; an unknown kid may ask it each second.
    keys: new KeySet({
      load: (signal) => decisions.jwks(signal),
      algorithms: OWN_ALGORITHMS,
      monotonic,
      cooldownMs: 1000,
      onFailure: (reason) => log.warn({ reason }, 'Our own key set could not be loaded'),
    }),
    acceptsBound: true,
    isWithdrawn: (kid) => feed.isWithdrawn(kid),
    ...(ownLifetimes === undefined ? {} : { lifetimes: ownLifetimes }),
  });
  const allowPrivateAddresses = options.allowPrivateAddresses ?? false;
  const issuers: IssuerDirectory = new IssuerDirectory({
    own,
    acceptsBound: true,
    get: options.get ?? createOutboundGet({ allowPrivateAddresses, timeoutMs: 2000 }),
    monotonic,
    ...(keySets === undefined ? {} : { keySets }),
    onFailure: (provider, reason) => log.warn({ provider, reason }, "A provider's key set could not be loaded"),
  });
  feed.start();
  return {
    issuers,
    feed,
    decisions: queue,
    ends,
    admission: new Admission(limits),
    binding: { baseUrl, proofs: new ProofMemory(monotonic), now },
    tickets: new Tickets({ decisions, bound: options.boundTickets ?? false }),
    audit: new AuditSpool({
      decisions,
      log,
      ...(options.auditCapacity === undefined ? {} : { capacity: options.auditCapacity }),
    }),
    now,
  };
}

/** A fault of ours is told to the log, by its name and place, and to nobody else. */
function asRefusal(error: unknown, requestId: string, log: Log): Refusal {
  if (error instanceof Refusal) {
    if (ERROR_CODES[error.code].status >= 500)
      log.warn({ requestId, code: error.code, reason: error.reason }, 'Refused');
    return error;
  }
  const fault = error instanceof Error ? { name: error.name, stack: error.stack?.split('\n').slice(1, 8) } : {};
  log.error({ requestId, ...fault }, 'A request failed');
  return new Refusal('INTERNAL_ERROR', 'fault', { cause: error });
}
