/** Names of routes, for logs and metrics: a bounded set that never repeats what a client wrote. */
import { matchRealtimePath, PATHS } from '@centrali-io/protocol';

const FIXED: ReadonlySet<string> = new Set(Object.values(PATHS));
const ADMIN = /^\/workspace\/[a-z0-9][a-z0-9-]{0,62}\/api\/v1\/([a-z-]+)(?:\/|$)/;
const ADMIN_RESOURCES: ReadonlySet<string> = new Set([
  'service-accounts',
  'members',
  'roles',
  'dev-tokens',
  'revocations',
  'audit-log',
  'access',
  'external-auth-providers',
]);

/** The route of a path: `/realtime/workspace/{ws}/events`, `/oidc/token` …, `unknown` for everything else. */
export function routeName(path: string): string {
  if (FIXED.has(path)) return path;
  const realtime = matchRealtimePath(path);
  if (typeof realtime === 'object') {
    const [first = '', id, last, more] = realtime.rest.split('/');
    if (more === undefined && (first === 'events' || first === 'tickets') && id === undefined) {
      return `/realtime/workspace/{ws}/${first}`;
    }
    if (more === undefined && first === 'connections' && (last === undefined || last === 'token')) {
      return `/realtime/workspace/{ws}/connections${id === undefined ? '' : '/{id}'}${last === undefined ? '' : '/token'}`;
    }
    return 'unknown';
  }
  const resource = ADMIN.exec(path)?.[1];
  if (resource !== undefined && ADMIN_RESOURCES.has(resource)) return `/workspace/{ws}/api/v1/${resource}`;
  return path.startsWith('/-/') ? '/-/{file}' : 'unknown';
}
