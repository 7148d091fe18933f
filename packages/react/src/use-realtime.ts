import type { SubscribeOptions } from '@centrali-io/centrali-sdk';
import { useEffect, useMemo, useRef, useSyncExternalStore } from 'react';
import { useCentrali } from './provider.ts';
import { CONNECTING, type Cursor, createSubscriptionStore, type RealtimeStatus } from './subscription-store.ts';

/**
 * Subscribes as long as the component is mounted, with the client of the nearest `CentraliProvider`, and
 * tells how the stream is. Options are those of `realtime.subscribe`. Handlers may be new functions at
 * each render: those of the last one are called. When the selection changes, the stream is opened anew
 * and goes on where it was. Under StrictMode there is one stream; on a server there is none.
 */
export function useRealtime<Data = Record<string, unknown>, const Name extends string = string>(
  options: SubscribeOptions<Data, Name>,
): RealtimeStatus {
  const client = useCentrali();
  const { structures, events, filter, jobId, triggerType, functionId } = options;
  // Arrays are new ones at each render; what they say is what counts.
  const key = JSON.stringify({ structures, events, filter, jobId, triggerType, functionId });
  const latest = useRef(options as object as SubscribeOptions);
  useEffect(() => {
    latest.current = options as object as SubscribeOptions;
  });
  const cursor = useRef<Cursor>({});
  const store = useMemo(() => createSubscriptionStore(client, JSON.parse(key), latest, cursor.current), [client, key]);
  return useSyncExternalStore(store.subscribe, store.getSnapshot, () => CONNECTING);
}
