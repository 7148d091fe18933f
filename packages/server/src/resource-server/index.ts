/** The resource server's side of OAuth (RFC 6749 section 1.1): a bearer token's way from request to claims. */
export type { AnswerContext } from './challenge.ts';
export { challengeOf, ERROR_HEADERS, refusalResponse, retryAfterOf } from './challenge.ts';
export type { Log } from './log.ts';
export { SILENT } from './log.ts';

export type { OutboundAnswer, OutboundGet, OutboundOptions, OutboundReason } from './outbound.ts';
export { createOutboundGet, OutboundError } from './outbound.ts';
export type { RefusalInit } from './refusal.ts';
export { Refusal } from './refusal.ts';
export type { ServerRequest } from './request.ts';
export { HeaderFields } from './request.ts';
