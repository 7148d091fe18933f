/** The gateway: subscribe and publish below `/realtime/workspace/{ws}/`. */
export type { Decisions } from '@centrali-io/protocol';
export type { Access, TokenFacts } from './access/access.ts';
export type { GatewayLimits } from './access/admit.ts';
export type { HttpDecisionsOptions } from './access/http-decisions.ts';
export { createHttpDecisions } from './access/http-decisions.ts';
export type { Batch, Broker, Located, Page, Place, Position, StoredEvent } from './broker/port.ts';
export { LogInUse } from './broker/sqlite/lock.ts';
export type { SqliteBroker, SqliteBrokerOptions } from './broker/sqlite/open.ts';
export { backupLog, openSqliteBroker } from './broker/sqlite/open.ts';
export type { Retention } from './broker/sqlite/retention.ts';
export type { Gateway, GatewayOptions, GatewayStatus } from './create-gateway.ts';
export { createGateway } from './create-gateway.ts';
export type { Connection } from './delivery/connection.ts';
export type { DeliveryLimits, DeliveryOptions } from './delivery/create-delivery.ts';
export { createDelivery } from './delivery/create-delivery.ts';
export type {
  Delivery,
  Selection,
  StreamEnd,
  StreamEnding,
  StreamInfo,
  StreamRequest,
} from './delivery/port.ts';
export type { GatewayObserver, GatewayReadings } from './observer.ts';
export type { Reply, StreamReply } from './reply.ts';
export { isStreamReply } from './reply.ts';
