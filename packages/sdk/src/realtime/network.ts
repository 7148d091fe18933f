/** Tells when the machine loses or regains its network, or may have slept. Does nothing where nobody tells. */
export function watchNetwork(online: () => void, offline: () => void, awake: () => void): () => void {
  const controller = new AbortController();
  const { document } = globalThis as { document?: EventTarget };
  const listen = (target: Partial<EventTarget> | undefined, name: string, run: () => void): void =>
    target?.addEventListener?.(name, run, controller);
  listen(globalThis, 'online', online);
  listen(globalThis, 'offline', offline);
  listen(globalThis, 'pageshow', awake);
  listen(document, 'visibilitychange', awake);
  return () => controller.abort();
}
