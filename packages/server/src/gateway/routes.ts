import { Refusal, type ServerRequest } from '../resource-server/index.ts';
import type { Attempt } from './access/attempt.ts';
import type { Reply } from './reply.ts';

/** What the path of a request names. */
export interface Place {
  readonly workspace: string;
  /** The id in `connections/{id}`, as sent; empty on other routes. */
  readonly connectionId: string;
}

/** A handler of one route. */
export type Handler = (request: ServerRequest, place: Place, attempt: Attempt) => Promise<Reply>;

/** Handlers by route (`connections/{id}/token`), then by method. */
export type Routes = Readonly<Record<string, Readonly<Record<string, Handler>>>>;

/** The routes below `/realtime/workspace/{ws}/`; nothing is decoded, so `%2F` in an id is no slash. */
const ROUTE = /^(?:events|tickets|connections(?:\/([^/]+)(?:\/token)?)?)$/;

/**
 * The handler of a request.
 *
 * @throws Refusal `NOT_FOUND` for a path that is no route, `METHOD_NOT_ALLOWED` with `Allow`
 */
export function handlerOf(
  routes: Routes,
  method: string,
  rest: string,
): { readonly handler: Handler; readonly connectionId: string } {
  const match = ROUTE.exec(rest);
  if (!match) throw new Refusal('NOT_FOUND', 'no_route');
  const [, connectionId = ''] = match;
  const route = connectionId === '' ? rest : `connections/{id}${rest.slice(`connections/${connectionId}`.length)}`;
  const methods = new Map(Object.entries(routes[route] ?? {}));
  if (methods.size === 0) throw new Refusal('NOT_FOUND', 'no_route');
  const handler = methods.get(method);
  if (handler) return { handler, connectionId };
  throw new Refusal('METHOD_NOT_ALLOWED', 'no_method', {
    headers: { allow: [...methods.keys(), 'OPTIONS'].join(', ') },
  });
}
