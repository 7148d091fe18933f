/** Waits until `probe` gives something truthy, asking every 20 ms; rejects after `timeoutMs`, naming what was waited for. */
export async function until<T>(what: string, probe: () => T | Promise<T>, timeoutMs = 8_000): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
