import type { FastifyInstance, HTTPMethods } from 'fastify';
import { Refusal } from '../../resource-server/index.ts';

/** What a client may try on a path; `HEAD` goes with `GET`, and preflights never come here. */
const METHODS: readonly HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];

/**
 * Makes every path answer METHOD_NOT_ALLOWED, with `Allow` (RFC 9110 section 15.5.6), for the methods that
 * it does not have. Call it before the hooks and routes of a scope are made, and `close` after.
 */
export function refuseOtherMethods(scope: FastifyInstance): { close(): void } {
  const paths = new Map<string, Set<string>>();
  let open = true;
  // Before the body is read: a wrong method is told whoever asks, and whatever it sends.
  scope.addHook('onRequest', async ({ routeOptions }) => {
    const { allow } = routeOptions.config as { readonly allow?: string };
    if (allow !== undefined) throw new Refusal('METHOD_NOT_ALLOWED', 'method', { headers: { allow } });
  });
  scope.addHook('onRoute', ({ routePath, method }) => {
    if (!open) return;
    const known = paths.get(routePath) ?? new Set();
    for (const name of [method].flat()) known.add(name);
    paths.set(routePath, known);
  });
  return {
    close() {
      open = false;
      for (const [path, known] of paths) {
        const allow = [...known].sort().join(', ');
        const method = METHODS.filter((name) => !known.has(name));
        if (method.length === 0) continue;
        scope.route({
          method,
          url: path,
          schema: { hide: true },
          config: { allow },
          handler: async () => undefined,
        });
      }
    },
  };
}
