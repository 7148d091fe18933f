import type { Clause, Filter, FilterLiteral, FilterNode, Operand } from './ast.ts';

/** The text of an operand; texts are always quoted, so that `5` and `"5"` stay two. */
function operandKey(operand: Operand, asText: boolean): string {
  if (operand.kind === 'placeholder') return `{${operand.name}}`;
  const value = asText ? operand.text : operand.value;
  return typeof value === 'string' ? `"${value.replace(/["\\]/g, '\\$&')}"` : String(value);
}

function clauseKey({ path, op, operands }: Clause): string {
  // On an array `contains` compares values, in a text it looks for the text: both are part of the key.
  if (op === 'contains') {
    const [operand] = operands;
    if (operand?.kind === 'value' && typeof operand.value !== 'string')
      return `${path.join('.')}:contains:${operand.text}`;
  }
  const asText = op === 'startswith' || op === 'endswith';
  const keys = [...new Set(operands.map((operand) => operandKey(operand, asText)))].sort();
  const single = op === 'in' && keys.length === 1 ? 'eq' : op === 'nin' && keys.length === 1 ? 'ne' : op;
  return `${path.join('.')}:${single}:${keys.join(',')}`;
}

/** The opposites that are exactly each other's negation, also where a comparison cannot be made. */
const OPPOSITE: ReadonlyMap<string, Clause['op']> = new Map([
  ['eq', 'ne'],
  ['ne', 'eq'],
  ['in', 'nin'],
  ['nin', 'in'],
]);

/** Double negations, doubled and nested parts, and the order of parts are gone. */
function normal(node: FilterNode): FilterNode {
  if (node.kind === 'clause') return node;
  if (node.kind === 'not') {
    const of = normal(node.of);
    if (of.kind === 'not') return of.of;
    const opposite = of.kind === 'clause' ? OPPOSITE.get(of.op) : undefined;
    return of.kind === 'clause' && opposite ? { ...of, op: opposite } : { kind: 'not', of };
  }
  const parts = new Map<string, FilterNode>();
  for (const child of node.of.map(normal)) {
    for (const part of child.kind === node.kind ? child.of : [child]) parts.set(written(part, node.kind), part);
  }
  const [only] = parts.values();
  if (parts.size === 1 && only) return only;
  return { kind: node.kind, of: [...parts.keys()].sort().flatMap((key) => parts.get(key) ?? []) };
}

/** A normal node as CFL; in parentheses where it stands inside another. */
function written(node: FilterNode, inside: FilterNode['kind'] | undefined): string {
  if (node.kind === 'clause') return clauseKey(node);
  if (node.kind === 'not') return `NOT ${written(node.of, 'not')}`;
  const text = node.of.map((part) => written(part, node.kind)).join(node.kind === 'and' ? ' ' : ' OR ');
  return inside === undefined ? text : `(${text})`;
}

/**
 * A normal form: two filters with the same key match the same events, as client filters and in grants,
 * so that one evaluation serves all who use them. Written in CFL itself.
 */
export function filterKey(filter: Filter): string {
  return written(normal(filter.root), undefined);
}

/** A comparison that every matching event passes: `path` leads to exactly `value`. */
export interface FilterEquality {
  readonly path: readonly string[];
  readonly value: FilterLiteral;
}

/**
 * The one conjunct `path = value` of a filter by which an index can find it, if it has one; fields of
 * `data` before those of the event, since they tell more apart. What the path means on an update is
 * `lookup`'s matter.
 */
export function equality(filter: Filter): FilterEquality | undefined {
  let best: FilterEquality | undefined;
  const root = normal(filter.root);
  for (const node of root.kind === 'and' ? root.of : [root]) {
    if (node.kind !== 'clause' || (node.op !== 'eq' && node.op !== 'in')) continue;
    const [value] = node.values;
    if (value === undefined || node.values.size !== 1 || node.operands.some(({ kind }) => kind !== 'value')) continue;
    if (node.path[0] === 'data') return { path: node.path, value };
    best ??= { path: node.path, value };
  }
  return best;
}
