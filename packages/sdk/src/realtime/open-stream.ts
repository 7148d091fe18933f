import { EVENT_STREAM, eventsPath, RealtimeError } from '@centrali-io/protocol';
import type { ClientConfig } from '../options.ts';
import { ANSWER_MS, foreignAnswer, noAnswer, post, type RequestContext, send } from '../request.ts';
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

/** The URL of a workspace's events, or of what else is beside them. */
export function realtimeUrl({ baseUrl, workspace }: ClientConfig, last = 'events'): string {
  return baseUrl + eventsPath(workspace).replace(/events$/, last);
}

/**
 * Opens a stream and reads up to its `connected` event, for at most 30 s. Rejects with the
 * `RealtimeError` that the service answered, or NETWORK_ERROR. `onBytes` is called with each chunk,
 * also later; `controller` ends everything.
 */
export async function openStream(
  context: RequestContext,
  token: string,
  selection: EventSelection,
  cursor: string | null,
  onBytes: () => void,
  controller: AbortController,
): Promise<OpenStream> {
  const { config, env } = context;
  const url = realtimeUrl(config);
  const bearer = `Bearer ${token}`;
  const cancel = env.after(ANSWER_MS, () => controller.abort());
  try {
    const { structures, events, filter, jobId, triggerType, functionId } = selection;
    const query = new URLSearchParams();
    // The cursor goes here, not into a header: that would cost a preflight at each reconnect.
    const all = { structures, events, filter, jobId, triggerType, functionId, last_event_id: cursor };
    // Empty means all.
    for (const [name, value] of Object.entries(all)) if (value?.length) query.set(name, String(value));
    const headers: Record<string, string> = { accept: EVENT_STREAM };
    if (config.delivery === 'query') query.set('access_token', token);
    else if (config.delivery === 'header') headers.authorization = bearer;
    else {
      const { ticket } = await post(context, realtimeUrl(config, 'tickets'), bearer);
      query.set('ticket', String(ticket));
    }
    const init = { headers, signal: controller.signal };
    const { body, status, headers: answer } = await send(context, `${url}?${query.toString()}`, init);
    if (!body || !answer.get('content-type')?.startsWith(EVENT_STREAM)) throw foreignAnswer(url, { status });
    const frames = readFrames(body, onBytes);
    const { value } = await frames.next();
    const first = value?.system;
    if (first?.type === 'connected') return { ...first, id: value?.id, frames };
    throw RealtimeError.fromBody(first) ?? foreignAnswer(url, { status });
  } catch (cause) {
    controller.abort();
    throw noAnswer(url, cause);
  } finally {
    cancel();
  }
}
