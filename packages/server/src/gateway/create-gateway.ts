import type { Decisions } from '@centrali-io/protocol';
import { type Log, Refusal, refusalResponse, type ServerRequest } from '../resource-server/index.ts';
import type { Broker } from './broker/port.ts';
import type { Delivery } from './delivery/port.ts';
import type { Reply } from './reply.ts';

/** Limits of one gateway process. 0 = no limit. */
export interface GatewayLimits {
  /** Open streams per workspace; 1,000 by default. */
  readonly connectionsPerWorkspace: number;
  /** Open streams per principal and workspace; 100 by default. */
  readonly connectionsPerPrincipal: number;
  /** Authorized requests (streams opened, publishes) per second and principal; 50 by default. */
  readonly requestsPerSecondPerPrincipal: number;
}

/** What a token may come by in the query: as the guide does it, with a lifetime cap, or not at all. */
export type QueryTokenPolicy = 'allow' | 'short-lived' | 'deny';

/** What `createGateway` is made from. */
export interface GatewayOptions {
  /** The public base URL without trailing slash: own issuer, own audience, realm of challenges. */
  readonly baseUrl: string;
  readonly decisions: Decisions;
  readonly broker: Broker;
  readonly delivery: Delivery;
  readonly log: Log;
  readonly limits?: Partial<GatewayLimits>;
  /** `allow` by default. */
  readonly queryTokens?: QueryTokenPolicy;
  /** Longest `exp - iat` of own tokens, in seconds: 25,200 for services, 3,600 for users, 86,400 from dev-tokens. */
  readonly ownLifetimes?: Partial<OwnLifetimes>;
  /** Lets providers' key sets live on private addresses and plain http; for tests. `false` by default. */
  readonly allowPrivateAddresses?: boolean;
  /** Wall clock in ms; `Date.now` by default. */
  readonly now?: () => number;
  /** Monotonic clock in ms; `performance.now` by default. */
  readonly monotonic?: () => number;
  /** [0, 1); `Math.random` by default. */
  readonly random?: () => number;
}

/** Longest lifetimes of own tokens, in seconds. */
export interface OwnLifetimes {
  readonly service: number;
  readonly user: number;
  readonly dev: number;
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

/** The gateway: everything below `/realtime/workspace/{ws}/`. */
export interface Gateway {
  /** Answers a request. Never rejects: refusals and faults become answers. */
  handle(request: ServerRequest, route: { readonly workspace: string; readonly rest: string }): Promise<Reply>;
  status(): GatewayStatus;
  /** Refuses new streams, ends the open ones spread over `milliseconds`. */
  drain(milliseconds: number): Promise<void>;
  /** Ends the change feed, flushes what audit holds, cuts what is left. */
  close(): Promise<void>;
}

/** Makes the gateway and starts to follow IAM's change feed. */
export function createGateway(options: GatewayOptions): Gateway {
  return {
    async handle(request) {
      const refusal = new Refusal('UNAVAILABLE', 'not_built');
      return refusalResponse(refusal, { requestId: request.id, baseUrl: options.baseUrl });
    },
    status: () => ({
      ready: false,
      feed: 'starting',
      broker: options.broker.status(),
      streams: options.delivery.streams,
      draining: false,
    }),
    drain: (milliseconds) => options.delivery.drain(milliseconds),
    close: () => options.delivery.close(),
  };
}
