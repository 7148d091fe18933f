/** Milliseconds since 1970 as the ISO 8601 instant that answers hold. */
export function instantOf(at: number): string {
  return new Date(at).toISOString();
}

/** The same, null for what has no such moment. */
export function instantOrNull(at: number | null): string | null {
  return at === null ? null : instantOf(at);
}
