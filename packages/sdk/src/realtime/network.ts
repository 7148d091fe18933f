/** Tells when the machine loses or regains its network, or may have slept. Does nothing where nobody tells. */
export function watchNetwork(on: { online(): void; offline(): void; awake(): void }): () => void {
  const controller = new AbortController();
  const { signal } = controller;
  if (typeof globalThis.addEventListener === 'function') {
    addEventListener('online', () => on.online(), { signal });
    addEventListener('offline', () => on.offline(), { signal });
    addEventListener('pageshow', () => on.awake(), { signal });
  }
  if (typeof document === 'object') document.addEventListener('visibilitychange', () => on.awake(), { signal });
  return () => controller.abort();
}
