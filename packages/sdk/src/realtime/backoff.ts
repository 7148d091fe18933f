/**
 * How long to wait: `floorMs`, and on it full jitter over a span that doubles with each failure in a
 * row, from 1 s to 30 s. The floor alone would bring everyone back at the same moment.
 */
export function backoffMs(failures: number, floorMs: number, random: number): number {
  return floorMs + (failures > 0 ? random * Math.min(30_000, 500 * 2 ** failures) : 0);
}
