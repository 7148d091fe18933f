import { EVENT_STREAM, eventsPath, RealtimeError } from '@centrali-io/protocol';
import type { Environment } from '../environment.ts';
import type { ClientConfig } from '../options.ts';
import { ANSWER_MS, foreignAnswer, noAnswer, post, refusalOf, send } from '../request.ts';
import type { EventSelection } from '../types.ts';
import { type Frame, readFrames } from './event-stream.ts';

/** A stream that is open. */
export interface OpenStream {
  readonly connectionId: string;
  readonly resumed: boolean;
  /** From where it goes on. */
  readonly id: string | undefined;
  /** What comes after `connected`. */
  readonly frames: AsyncGenerator<Frame, void, undefined>;
}

/** What to open. */
export interface StreamRequest {
  readonly token: string;
  readonly selection: EventSelection;
  /** Go on after this id. */
  readonly cursor: string | null;
}

function realtimeUrl(config: ClientConfig, last: string): string {
  return config.baseUrl + eventsPath(config.workspace).replace(/events$/, last);
}

/** The URL of a workspace's events. */
export function eventsUrl(config: ClientConfig): string {
  return realtimeUrl(config, 'events');
}

async function takeTicket(config: ClientConfig, env: Environment, token: string, signal: AbortSignal): Promise<string> {
  const url = realtimeUrl(config, 'tickets');
  const answer = Object(await post(config, env, url, { authorization: `Bearer ${token}` }, undefined, signal));
  if (typeof answer.ticket !== 'string') throw foreignAnswer(url);
  return answer.ticket;
}

/** The query: empty selections are left out, since they mean all. */
function queryOf(selection: EventSelection, cursor: string | null): URLSearchParams {
  const { structures, events, filter, jobId, triggerType, functionId } = selection;
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({
    structures: structures?.join(),
    events: events?.join(),
    filter,
    jobId,
    triggerType,
    functionId,
    // In the query, not in a header: a header would cost a preflight at each reconnect.
    last_event_id: cursor,
  })) {
    if (value) query.set(name, value);
  }
  return query;
}

/**
 * Opens a stream and reads up to its `connected` event, for at most 30 s. Rejects with the
 * `RealtimeError` that the service answered, or NETWORK_ERROR. `onBytes` is called with each chunk,
 * also later; `controller` ends everything.
 */
export async function openStream(
  config: ClientConfig,
  env: Environment,
  { token, selection, cursor }: StreamRequest,
  onBytes: () => void,
  controller: AbortController,
): Promise<OpenStream> {
  const { signal } = controller;
  const url = eventsUrl(config);
  const cancel = env.after(ANSWER_MS, () => controller.abort());
  try {
    const query = queryOf(selection, cursor);
    const headers: Record<string, string> = { accept: EVENT_STREAM };
    if (config.delivery === 'ticket') query.set('ticket', await takeTicket(config, env, token, signal));
    else if (config.delivery === 'query') query.set('access_token', token);
    else headers.authorization = `Bearer ${token}`;
    const search = query.toString();
    const response = await send(config, search ? `${url}?${search}` : url, { headers, signal });
    if (!response.ok) throw await refusalOf(response, url, env.now());
    const type = response.headers.get('content-type') ?? '';
    if (!response.body || !type.toLowerCase().startsWith(EVENT_STREAM)) {
      throw foreignAnswer(url, { status: response.status });
    }
    const frames = readFrames(response.body, onBytes);
    const { value } = await frames.next();
    const first = value?.system;
    if (first?.type === 'error') throw RealtimeError.fromBody(first) ?? foreignAnswer(url);
    if (first?.type !== 'connected') throw foreignAnswer(url);
    return { connectionId: first.connectionId, resumed: first.resumed, id: value?.id, frames };
  } catch (cause) {
    controller.abort();
    if (RealtimeError.is(cause)) throw cause;
    throw cause instanceof SyntaxError ? foreignAnswer(url, { cause }) : noAnswer(url, cause);
  } finally {
    cancel();
  }
}

/** Renews the token of an open stream in place. Rejects with the `RealtimeError` that came. */
export async function renewToken(
  config: ClientConfig,
  env: Environment,
  connectionId: string,
  token: string,
): Promise<void> {
  const url = realtimeUrl(config, `connections/${encodeURIComponent(connectionId)}/token`);
  await post(config, env, url, { authorization: `Bearer ${token}` });
}
