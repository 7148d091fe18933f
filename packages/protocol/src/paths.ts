import { isWorkspaceSlug } from './workspace.ts';

/** `/realtime/workspace/{ws}/events`: the stream (GET) and publishing (POST). */
export function eventsPath(workspace: string): string {
  return `/realtime/workspace/${workspace}/events`;
}

/** `/workspace/{ws}/api/v1`: the administration of one workspace. */
export function adminPath(workspace: string): string {
  return `/workspace/${workspace}/api/v1`;
}

/** The token endpoint. By itself, so that a client carries this path alone. */
export const TOKEN_PATH = '/oidc/token';

/** The paths that do not name a workspace. */
export const PATHS = {
  token: '/oidc/token',
  revoke: '/oidc/revoke',
  introspect: '/oidc/introspect',
  jwks: '/oidc/jwks',
  authorizationServerMetadata: '/.well-known/oauth-authorization-server',
  openidConfiguration: '/.well-known/openid-configuration',
  protectedResourceMetadata: '/.well-known/oauth-protected-resource',
  openapi: '/workspace/openapi.json',
  healthz: '/healthz',
  readyz: '/readyz',
  metrics: '/metrics',
  check: '/internal/check',
  changes: '/internal/changes',
  audit: '/internal/audit',
  tickets: '/internal/tickets',
  takeTicket: '/internal/tickets/take',
  internalJwks: '/internal/jwks',
} as const;

/** A path below `/realtime/workspace/`, taken apart. `invalid` when the slug is not one. */
export type RealtimePath = { readonly workspace: string; readonly rest: string } | 'invalid' | undefined;

const REALTIME = '/realtime/workspace/';

/**
 * Takes `/realtime/workspace/{ws}/{rest}` apart, byte for byte: nothing is decoded, so that a
 * percent-encoded slash or dot in the slug is `invalid` instead of another path.
 * `undefined` for a path outside.
 */
export function matchRealtimePath(path: string): RealtimePath {
  if (!path.startsWith(REALTIME)) return undefined;
  const slash = path.indexOf('/', REALTIME.length);
  const workspace = slash === -1 ? path.slice(REALTIME.length) : path.slice(REALTIME.length, slash);
  if (!isWorkspaceSlug(workspace)) return 'invalid';
  return { workspace, rest: slash === -1 ? '' : path.slice(slash + 1) };
}
