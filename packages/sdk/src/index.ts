/** Centrali Realtime for browsers and servers. */
export type {
  AuthErrorCode,
  ComputeEvent,
  ComputeEventName,
  CustomEvent,
  ErrorCode,
  EventInput,
  RealtimeEvent,
  RealtimeRecordEvent,
  RecordCreatedEvent,
  RecordDeletedEvent,
  RecordEventName as RealtimeEventType,
  RecordUpdatedEvent,
} from '@centrali-io/protocol';
export { RealtimeError } from '@centrali-io/protocol';
export { CentraliSDK } from './client.ts';
export type {
  CentraliSDKOptions,
  ConnectionInfo,
  DisconnectReason,
  EventContext,
  EventOf,
  EventSelection,
  EventsOptions,
  GapInfo,
  GetToken,
  PublishOptions,
  PublishResult,
  Realtime,
  RealtimeEvents,
  RealtimeSubscription,
  SubscribeOptions,
  SubscriptionHandlers,
  SubscriptionState,
  TokenDelivery,
  TokenRefresh,
} from './types.ts';
