import type { Clause, Filter, FilterLiteral, FilterNode } from './ast.ts';
import { type FilterableEvent, type FilterSteps, lookup, type StateView } from './lookup.ts';
import { holdsText } from './text-search.ts';

/** How `matchesFilter` looks at an event. */
export interface MatchOptions {
  /**
   * Whether `data.before` of a `record_updated` can be read. Default true. False for a subscriber whose
   * grants leave `before` out, or the filter would tell what the frame does not.
   */
  readonly before?: boolean;
  /** Counts the steps taken, for tests. */
  readonly steps?: FilterSteps;
}

/** Whether a grant covers an event. */
export interface GrantMatch {
  readonly match: boolean;
  /** Whether the whole event may be shown; false when `data.before` of a `record_updated` must be left out. */
  readonly before: boolean;
}

/** One evaluation: what it reads, and whether a comparison could not be made. */
interface Run {
  readonly event: FilterableEvent;
  readonly view: StateView;
  /** A grant looks at every clause, so that its answer does not depend on their order. */
  readonly whole: boolean;
  readonly steps: FilterSteps | undefined;
  incomparable: boolean;
}

function isLiteral(value: unknown): value is FilterLiteral {
  return value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

function ordered<T extends string | number>(op: 'gt' | 'gte' | 'lt' | 'lte', left: T, right: T): boolean {
  if (op === 'gt') return left > right;
  if (op === 'gte') return left >= right;
  return op === 'lt' ? left < right : left <= right;
}

/** The comparison without the negation of `ne` and `nin`; `undefined` when it cannot be made. */
function compare(clause: Clause, value: unknown, steps: FilterSteps | undefined): boolean | undefined {
  const { op, values } = clause;
  const [operand] = clause.operands;
  if (operand?.kind !== 'value') return undefined;
  if (steps) steps.count += 1 + values.size + (typeof value === 'string' ? value.length + operand.text.length : 0);
  switch (op) {
    case 'exists':
      return (value !== undefined) === operand.value;
    case 'eq':
    case 'ne':
    case 'in':
    case 'nin':
      return isLiteral(value) ? values.has(value) : undefined;
    case 'gt':
    case 'gte':
    case 'lt':
    case 'lte':
      if (typeof value === 'number' && typeof operand.value === 'number') return ordered(op, value, operand.value);
      if (typeof value === 'string' && typeof operand.value === 'string') return ordered(op, value, operand.value);
      return undefined;
    case 'contains':
      if (typeof value === 'string') return holdsText(value, operand.text);
      if (!Array.isArray(value)) return undefined;
      if (steps) steps.count += value.length;
      return value.some((item: unknown) => isLiteral(item) && values.has(item));
    case 'startswith':
      return typeof value === 'string' ? value.startsWith(operand.text) : undefined;
    case 'endswith':
    default:
      return typeof value === 'string' ? value.endsWith(operand.text) : undefined;
  }
}

function evaluate(node: FilterNode, run: Run): boolean {
  if (node.kind === 'clause') {
    const result = compare(node, lookup(run.event, node.path, run.view, run.steps), run.steps);
    if (result === undefined) run.incomparable = true;
    return node.op === 'ne' || node.op === 'nin' ? result !== true : result === true;
  }
  if (node.kind === 'not') return !evaluate(node.of, run);
  const decides = node.kind === 'or';
  let decided = false;
  for (const child of node.of) {
    if (evaluate(child, run) !== decides) continue;
    decided = true;
    if (!run.whole) break;
  }
  return decided ? decides : !decides;
}

/**
 * Whether an event passes a client's filter. A comparison that cannot be made (no such path, or types
 * that do not compare) is false; `ne` and `nin` are then true. A filter with unbound placeholders
 * passes nothing.
 */
export function matchesFilter(filter: Filter, event: FilterableEvent, options: MatchOptions = {}): boolean {
  if (filter.placeholders.length > 0) return false;
  const view = options.before === false ? 'after-only' : 'after';
  return evaluate(filter.root, { event, view, whole: false, steps: options.steps, incomparable: false });
}

function grants(filter: Filter, event: FilterableEvent, view: StateView, steps: FilterSteps | undefined): boolean {
  const run: Run = { event, view, whole: true, steps, incomparable: false };
  return evaluate(filter.root, run) && !run.incomparable;
}

const NO_MATCH: GrantMatch = Object.freeze({ match: false, before: false });

/**
 * Whether an event is covered by a grant with this filter. One comparison that cannot be made denies the
 * whole grant, wherever it stands (`exists` can always be made). An update must match with its
 * state after; `before` tells whether the state before matches too. Deletes are judged on the last state.
 */
export function grantMatches(filter: Filter, event: FilterableEvent, steps?: FilterSteps): GrantMatch {
  if (filter.placeholders.length > 0 || !grants(filter, event, 'after', steps)) return NO_MATCH;
  return { match: true, before: event.event !== 'record_updated' || grants(filter, event, 'before', steps) };
}

/** An event as it is for whom `before` is not: a `record_updated` without it, any other unchanged. */
export function withoutBefore<E extends FilterableEvent>(event: E): E {
  if (event.event !== 'record_updated' || typeof event.data !== 'object' || event.data === null) return event;
  const { before: _, ...data } = event.data as Readonly<Record<string, unknown>>;
  return { ...event, data };
}
