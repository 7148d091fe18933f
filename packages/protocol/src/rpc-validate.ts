/** Validation of what comes over the internal RPC: what does not fit is refused, never guessed. */
import { isPermission, type Permission } from './permissions.ts';
import type { AuditEntry, CheckAnswer, CheckRequest, FeedFrame, Grant, Scalar, TicketRecord } from './rpc.ts';
import { isWorkspaceSlug } from './workspace.ts';

/** Most checks in one call. */
export const MAX_CHECKS = 256;

type Json = Record<string, unknown>;

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isScalars(value: unknown): value is Record<string, Scalar> {
  return isObject(value) && Object.values(value).every((v) => ['string', 'number', 'boolean'].includes(typeof v));
}

function optionalString(value: unknown): boolean {
  return value === undefined || typeof value === 'string';
}

function isCheckRequest(value: unknown): value is CheckRequest {
  return (
    isObject(value) &&
    isWorkspaceSlug(value.workspace) &&
    isPermission(value.permission) &&
    typeof value.provider === 'string' &&
    typeof value.sub === 'string' &&
    typeof value.kid === 'string' &&
    isCount(value.iat) &&
    isCount(value.atLeast) &&
    isStrings(value.scope) &&
    isStrings(value.mappedRoles) &&
    isScalars(value.attributes) &&
    ['clientId', 'jti', 'cred', 'sid'].every((key) => optionalString(value[key]))
  );
}

/** The checks of a `POST /internal/check`, or `undefined` when the body is not an array of 1 to 256 of them. */
export function parseCheckRequests(body: unknown): readonly CheckRequest[] | undefined {
  if (!Array.isArray(body) || body.length === 0 || body.length > MAX_CHECKS) return undefined;
  return body.every(isCheckRequest) ? body : undefined;
}

function isAuditEntry(value: unknown): value is AuditEntry {
  return (
    isObject(value) &&
    isCount(value.at) &&
    isWorkspaceSlug(value.workspace) &&
    (value.kind === 'connect' || value.kind === 'refuse' || value.kind === 'close') &&
    (value.count === undefined || (isCount(value.count) && value.count > 0)) &&
    ['code', 'reason', 'provider', 'sub', 'clientId', 'jti', 'address', 'requestId', 'connectionId'].every((key) =>
      optionalString(value[key]),
    )
  );
}

/** The entries of a `POST /internal/audit`, or `undefined` when the body is not an array of 1 to 256 of them. */
export function parseAuditEntries(body: unknown): readonly AuditEntry[] | undefined {
  if (!Array.isArray(body) || body.length === 0 || body.length > MAX_CHECKS) return undefined;
  return body.every(isAuditEntry) ? body : undefined;
}

/** How long a ticket is good, in seconds. */
export const TICKET_SECONDS = 60;

/** Whether `value` is a ticket's hash: SHA-256 as 64 hex digits. */
export function isTicketHash(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
}

/** What a ticket stands for, or `undefined` when the value is anything else. */
export function parseTicket(value: unknown): TicketRecord | undefined {
  const fits =
    isObject(value) &&
    isWorkspaceSlug(value.workspace) &&
    ['provider', 'sub', 'kid'].every((key) => typeof value[key] === 'string') &&
    ['jti', 'clientId', 'cred', 'sid', 'jkt'].every((key) => optionalString(value[key])) &&
    isCount(value.iat) &&
    isCount(value.expiresAt) &&
    isStrings(value.scope) &&
    isStrings(value.mappedRoles) &&
    isScalars(value.attributes) &&
    isScalars(value.claims);
  return fits ? (value as unknown as TicketRecord) : undefined;
}

function isGrant(value: unknown): value is Grant {
  return (
    isObject(value) &&
    isPermission(value.permission) &&
    (value.structures === undefined || isStrings(value.structures)) &&
    (value.events === undefined || isStrings(value.events)) &&
    optionalString(value.filter)
  );
}

function isCheckAnswer(value: unknown): value is CheckAnswer {
  if (!isObject(value) || !isCount(value.revision)) return false;
  if (value.decision === 'forbidden' || value.decision === 'revoked') return typeof value.reason === 'string';
  if (value.decision !== 'allowed') return false;
  const { principal, grants, roles, permissions } = value;
  return (
    isObject(principal) &&
    typeof principal.provider === 'string' &&
    typeof principal.sub === 'string' &&
    (principal.kind === 'user' || principal.kind === 'service') &&
    Array.isArray(grants) &&
    grants.every(isGrant) &&
    isStrings(roles) &&
    isStrings(permissions) &&
    (permissions as Permission[]).every(isPermission) &&
    (value.holdsMs === undefined || isCount(value.holdsMs))
  );
}

/** The answers to `count` checks, or `undefined` when the body is anything else. */
export function parseCheckAnswers(body: unknown, count: number): readonly CheckAnswer[] | undefined {
  if (!Array.isArray(body) || body.length !== count) return undefined;
  return body.every(isCheckAnswer) ? body : undefined;
}

/** One line of the change feed, or `undefined` when it is not one. Unknown kinds of change are refused. */
export function parseFeedFrame(value: unknown): FeedFrame | undefined {
  if (!isObject(value) || !isCount(value.revision)) return undefined;
  switch (value.type) {
    case 'heartbeat':
      return typeof value.epoch === 'string' ? (value as FeedFrame) : undefined;
    case 'snapshot':
      return typeof value.epoch === 'string' &&
        Array.isArray(value.providers) &&
        value.providers.every(isProvider) &&
        isStrings(value.withdrawnKeys) &&
        Array.isArray(value.revocations) &&
        value.revocations.every(isRevocation)
        ? (value as FeedFrame)
        : undefined;
    case 'change':
      return isChange(value.change) ? (value as FeedFrame) : undefined;
    default:
      return undefined;
  }
}

function isProvider(value: unknown): boolean {
  return (
    isObject(value) &&
    ['id', 'name', 'issuer', 'jwksUri'].every((key) => typeof value[key] === 'string') &&
    ['workspaces', 'audiences', 'typ', 'algorithms'].every((key) => isStrings(value[key])) &&
    isCount(value.maxLifetimeSeconds) &&
    isObject(value.mapping)
  );
}

function isRevocation(value: unknown): boolean {
  return (
    isObject(value) &&
    (value.workspace === null || isWorkspaceSlug(value.workspace)) &&
    typeof value.provider === 'string' &&
    ['jti', 'sub', 'clientId', 'sid'].every((key) => optionalString(value[key])) &&
    (value.notBefore === undefined || isCount(value.notBefore)) &&
    (value.expiresAt === undefined || isCount(value.expiresAt))
  );
}

function isChange(value: unknown): boolean {
  if (!isObject(value)) return false;
  const text = (...keys: string[]): boolean => keys.every((key) => typeof value[key] === 'string');
  switch (value.kind) {
    case 'member':
      return text('workspace', 'provider', 'sub');
    case 'role':
      return text('workspace', 'role');
    case 'account':
      return text('workspace', 'clientId');
    case 'credential':
      return text('workspace', 'cred');
    case 'provider':
      return text('id') && (value.provider === null || isProvider(value.provider));
    case 'workspace':
      return text('workspace');
    case 'key':
      return text('kid') && typeof value.withdrawn === 'boolean';
    case 'revocation':
    case 'revocation-lifted':
      return isRevocation(value.revocation);
    default:
      return false;
  }
}
