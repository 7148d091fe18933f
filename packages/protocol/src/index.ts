/** The vocabulary of Centrali Realtime. No dependencies; runs in browsers and servers. */
export type { AccessTokenClaims } from './claims.ts';
export { DEV_CLIENT, OPERATOR_CLIENT, scopeAllows, scopeOf } from './claims.ts';
export type { ErrorBody } from './error-body.ts';
export { errorBody, parseErrorBody } from './error-body.ts';
export type { Challenge, ErrorRow } from './error-codes.ts';
export { ERROR_CODES } from './error-codes.ts';
export type { AuthErrorCode, ClientAction, ClientErrorCode, ErrorCode, ServerErrorCode } from './error-handling.ts';
export { ERROR_HANDLING, isAuthErrorCode, isServerErrorCode } from './error-handling.ts';
export type {
  ComputeEvent,
  ComputeEventName,
  CustomEvent,
  EventBase,
  EventInput,
  EventProblem,
  RealtimeEvent,
  RealtimeRecordEvent,
  RecordCreatedEvent,
  RecordDeletedEvent,
  RecordEventName,
  RecordUpdatedEvent,
} from './event.ts';
export {
  eventProblem,
  isComputeEventName,
  isEventName,
  isPlainText,
  isRecordEventName,
  MAX_EVENT_BYTES,
  MAX_REQUEST_BYTES,
  MAX_REQUEST_EVENTS,
} from './event.ts';
export { EVENT_STREAM, encodeComment, encodeEvent, encodeRetry, isEventId, MESSAGE, SYSTEM } from './event-stream.ts';
export type {
  Filter,
  FilterableEvent,
  FilterEquality,
  FilterLiteral,
  FilterOperator,
  FilterSteps,
  GrantMatch,
  MatchOptions,
  ParseFilterOptions,
} from './filter/index.ts';
export {
  bindFilter,
  equality,
  FILTER_OPERATORS,
  FilterError,
  filterKey,
  grantMatches,
  lookup,
  MAX_FILTER_CLAUSES,
  MAX_FILTER_DEPTH,
  MAX_FILTER_LENGTH,
  matchesFilter,
  parseFilter,
  withoutBefore,
} from './filter/index.ts';
export type { RealtimePath } from './paths.ts';
export { adminPath, eventsPath, matchRealtimePath, PATHS, TOKEN_PATH } from './paths.ts';
export type { BuiltInRole, Permission } from './permissions.ts';
export { BUILT_IN_ROLES, isBuiltInRole, isPermission, PERMISSIONS } from './permissions.ts';
export type { Principal, PrincipalKind } from './principal.ts';
export { OWN_PROVIDER, principalKey, writePrincipal } from './principal.ts';
export type { RealtimeErrorInit } from './realtime-error.ts';
export { RealtimeError } from './realtime-error.ts';
export type {
  AuditEntry,
  Change,
  CheckAnswer,
  CheckRequest,
  Decisions,
  FeedFrame,
  FeedPosition,
  Grant,
  ProviderMapping,
  ProviderRecord,
  RevocationRecord,
  Scalar,
  TicketRecord,
} from './rpc.ts';
export {
  isTicketHash,
  MAX_CHECKS,
  parseAuditEntries,
  parseCheckAnswers,
  parseCheckRequests,
  parseFeedFrame,
  parseTicket,
  TICKET_SECONDS,
} from './rpc-validate.ts';
export type {
  ClosingEvent,
  ClosingReason,
  ConnectedEvent,
  ExpiringEvent,
  GapEvent,
  GapReason,
  PositionEvent,
  RenewedEvent,
  StreamErrorEvent,
  SystemEvent,
} from './system-event.ts';
export { isWorkspaceSlug } from './workspace.ts';
