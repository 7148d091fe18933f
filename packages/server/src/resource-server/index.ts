/** The resource server's side of OAuth (RFC 6749 section 1.1): a bearer token's way from request to claims. */
export type { RefusalInit } from './refusal.ts';
export { Refusal } from './refusal.ts';
export type { ServerRequest } from './request.ts';
export { HeaderFields } from './request.ts';
