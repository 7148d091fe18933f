/** The listeners: HTTP/1.1 and HTTP/2 on the outside, the server's own requests and answers on the inside. */
export { isLoopbackHost, trustedProxies } from './address.ts';
export type { ServedFile } from './answers.ts';
export { isWebOrigin, type OriginPolicy } from './cors.ts';
export { observeGateway, readGateway } from './gateway-metrics.ts';
export { createInternalListener, type InternalListener } from './internal.ts';
export type { AddressLimits } from './limits.ts';
export { createLog, LOG_LEVELS, type LogLevel, type ProcessLog } from './log.ts';
export { createMetrics, type Metrics } from './metrics.ts';
export { createPublicListener, type Mounted, type PublicListener, type Readiness } from './public.ts';
export type { TlsFiles } from './server.ts';
