import { Refusal } from '../../resource-server/index.ts';
import { DEFAULT_LIMIT } from './fields.ts';

/** One page of a list: its items and where the next one begins. */
export interface Page<Item> {
  readonly items: Item[];
  /** Opaque; null at the end. */
  readonly next: string | null;
}

/** A list's query, as validated. */
export interface PageQuery {
  readonly after?: string | undefined;
  readonly limit?: number | undefined;
}

/**
 * Cursors are opaque to clients and name the last key of a page, so that a page neither skips nor
 * repeats when rows come and go. They hold nothing but what the list itself shows, and no workspace:
 * a cursor of another list is just a key that may not exist.
 */
export function encodeCursor(key: readonly string[]): string {
  return Buffer.from(JSON.stringify(key)).toString('base64url');
}

/** The key in a cursor of `parts` parts; BAD_REQUEST when it is not one. */
export function decodeCursor(cursor: string | undefined, parts: number): readonly string[] | undefined {
  if (cursor === undefined) return undefined;
  let key: unknown;
  try {
    key = JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    key = undefined;
  }
  if (!Array.isArray(key) || key.length !== parts || !key.every((part) => typeof part === 'string'))
    throw new Refusal('BAD_REQUEST', 'cursor_invalid', { message: 'after: is not a cursor of this list.' });
  return key;
}

/**
 * Makes a page from rows that were read with one more than the limit.
 * @param rows At most `limit + 1` rows in the list's order.
 */
export function pageFrom<Row, Item>(
  rows: readonly Row[],
  query: PageQuery,
  key: (row: Row) => readonly string[],
  item: (row: Row) => Item,
): Page<Item> {
  const limit = limitOf(query);
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return { items: page.map(item), next: rows.length > limit && last !== undefined ? encodeCursor(key(last)) : null };
}

/** The page size that a query asks for. */
export function limitOf(query: PageQuery): number {
  return query.limit ?? DEFAULT_LIMIT;
}
