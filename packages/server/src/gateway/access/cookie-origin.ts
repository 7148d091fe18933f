import type { ServerRequest } from '../../resource-server/index.ts';

/**
 * Decides for which requests the cookie with the token counts. A browser adds a cookie to whatever page asks, so
 * the page must be known: an origin that the operator listed, or one of our own host. Origins are compared byte
 * for byte; `*` lists nobody. A request that says neither was made by no page that can be known.
 */
export function cookieGate(
  baseUrl: string,
  allowedOrigins: readonly string[],
): (headers: ServerRequest['headers']) => boolean {
  const known = new Set([
    ...allowedOrigins.filter((origin) => origin !== '*' && origin !== 'null'),
    new URL(baseUrl).origin,
  ]);
  return (headers) => {
    const [origin, ...moreOrigins] = headers.all('origin');
    if (origin !== undefined) return moreOrigins.length === 0 && known.has(origin);
    // A page cannot write this header (Fetch Metadata, section 2.3), and no other page of our site counts as ours.
    const [site, ...moreSites] = headers.all('sec-fetch-site');
    return moreSites.length === 0 && site === 'same-origin';
  };
}
