import type { Principal } from '@centrali-io/protocol';
import type { FastifyRequest } from 'fastify';
import type { Actor, RequestContext } from '../services.ts';

/** Who calls the administration: a verified principal with `iam:manage` in this workspace, named in the scope. */
export interface Caller {
  /** The workspace of the URL, which the token names. */
  readonly workspace: string;
  readonly principal: Principal;
  /** Roles that the provider's mapping gives; empty for tokens of our own. */
  readonly mappedRoles: readonly string[];
  /** Which client obtained the token: `centrali-dev` for a dev token. */
  readonly clientId: string | undefined;
  /** For audit rows. */
  readonly actor: Actor;
}

/**
 * Steps 1 to 4 of the connection flow for `iam:manage`: bearer from the header only, verified, its
 * workspaces hold the URL's, IAM allows. Throws a `Refusal` otherwise.
 */
export type AuthorizeAdmin = (request: FastifyRequest, workspace: string) => Promise<Caller>;

declare module 'fastify' {
  interface FastifyRequest {
    /** What the listener knows of the request; set by IAM's public server. */
    context: RequestContext;
    /** Set before the body is read, on every route of the administration. */
    caller: Caller;
  }
}
