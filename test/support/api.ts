/** The HTTP interface as tests use it: by `fetch`, with what the contract says about paths and bodies. */
import { expect } from 'vitest';
import type { Dev } from './centrali.ts';

/** What is needed of a running server. */
export type Target = Pick<Dev, 'baseUrl' | 'workspace' | 'clientId' | 'clientSecret' | 'adminToken'>;

/** The URL of the stream with a query. */
export function eventsUrl(
  { baseUrl, workspace }: Pick<Target, 'baseUrl' | 'workspace'>,
  query: Readonly<Record<string, string>> = {},
): string {
  const search = new URLSearchParams(query).toString();
  return `${baseUrl}/realtime/workspace/${workspace}/events${search && `?${search}`}`;
}

/** A bearer's header. */
export function bearer(token: string): { authorization: string } {
  return { authorization: `Bearer ${token}` };
}

/** `client_secret_basic` (RFC 6749 section 2.3.1). */
export function basic(id: string, secret: string): { authorization: string } {
  return {
    authorization: `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`,
  };
}

/** A form's body and header. */
export function form(fields: Readonly<Record<string, string>>): { body: string; headers: Record<string, string> } {
  return {
    body: new URLSearchParams(fields).toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  };
}

/** Gets a token of the service account by client credentials. */
export async function serviceToken(
  { baseUrl, clientId, clientSecret }: Pick<Target, 'baseUrl' | 'clientId' | 'clientSecret'>,
  fields: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { body, headers } = form({ grant_type: 'client_credentials', ...fields });
  const response = await fetch(`${baseUrl}/oidc/token`, {
    method: 'POST',
    body,
    headers: { ...headers, ...basic(clientId, clientSecret) },
  });
  const answer = (await response.json()) as { access_token?: string };
  expect(response.status, JSON.stringify(answer)).toBe(200);
  return answer.access_token ?? '';
}

/** Calls the administration; the answer's JSON, if any. */
export async function admin(
  { baseUrl, workspace, adminToken }: Pick<Target, 'baseUrl' | 'workspace' | 'adminToken'>,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; json: any }> {
  const response = await fetch(`${baseUrl}/workspace/${workspace}/api/v1/${path}`, {
    method,
    headers: { ...bearer(adminToken), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, json: text === '' ? undefined : JSON.parse(text) };
}

/** Calls the administration and expects a status. */
export async function adminOk(
  target: Pick<Target, 'baseUrl' | 'workspace' | 'adminToken'>,
  method: string,
  path: string,
  body?: unknown,
): Promise<any> {
  const { status, json } = await admin(target, method, path, body);
  expect([200, 201, 204], `${method} ${path}: ${JSON.stringify(json)}`).toContain(status);
  return json;
}

/** A user's token by `dev-tokens`; with `role` the user becomes a member. */
export async function devToken(
  target: Pick<Target, 'baseUrl' | 'workspace' | 'adminToken'>,
  body: { sub: string; role?: string; ttl?: number; claims?: Record<string, unknown> },
): Promise<string> {
  return (await adminOk(target, 'POST', 'dev-tokens', body)).token;
}

/** Adds a provider that listens on loopback; its id. */
export async function addProvider(
  target: Pick<Target, 'baseUrl' | 'workspace' | 'adminToken'>,
  provider: { name: string; issuer: string; audiences: readonly string[] } & Readonly<Record<string, unknown>>,
): Promise<string> {
  const answer = await adminOk(target, 'POST', 'external-auth-providers', {
    mapping: { defaultRole: 'viewer' },
    typ: ['at+jwt', 'JWT'],
    ...provider,
  });
  return answer.id;
}

/** Publishes events; the response. */
export function publishRaw(
  target: Pick<Target, 'baseUrl' | 'workspace'>,
  token: string,
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return fetch(eventsUrl(target), {
    method: 'POST',
    headers: { ...bearer(token), 'content-type': 'application/json', ...headers },
    body: body as string,
  });
}

/** Publishes events and expects 202; the ids. */
export async function publish(
  target: Pick<Target, 'baseUrl' | 'workspace'>,
  token: string,
  events: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<string[]> {
  const response = await publishRaw(target, token, JSON.stringify(events), headers);
  const answer = (await response.json()) as { ids: string[] };
  expect(response.status, JSON.stringify(answer)).toBe(202);
  return answer.ids;
}

/** A record event to publish. */
export function order(id: string, data: Record<string, unknown> = {}): Record<string, unknown> {
  return { event: 'record_created', recordSlug: 'order', recordId: id, data };
}
