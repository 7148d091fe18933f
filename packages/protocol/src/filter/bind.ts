import type { Scalar } from '../rpc.ts';
import { type Filter, type FilterNode, makeClause, makeFilter, type Operand } from './ast.ts';

/** A value that can take a placeholder's place; checked at run time, since claims come from tokens. */
function isBindable(value: unknown): value is Scalar {
  return (typeof value === 'string' && value !== '') || typeof value === 'boolean' || Number.isFinite(value);
}

/**
 * Puts values in the place of placeholders, as typed values, never as text. `undefined` (the grant is
 * void) when one of them has no value, an empty one, or one that is not a scalar.
 */
export function bindFilter(filter: Filter, values: ReadonlyMap<string, Scalar | undefined>): Filter | undefined {
  if (filter.placeholders.length === 0) return filter;
  if (!filter.placeholders.every((name) => isBindable(values.get(name)))) return undefined;
  const bindOperand = (operand: Operand): Operand => {
    if (operand.kind === 'value') return operand;
    const value = values.get(operand.name) ?? '';
    return { kind: 'value', value, text: String(value) };
  };
  const bind = (node: FilterNode): FilterNode => {
    if (node.kind === 'clause') return makeClause(node.path, node.op, node.operands.map(bindOperand));
    if (node.kind === 'not') return Object.freeze({ kind: 'not', of: bind(node.of) });
    return Object.freeze({ kind: node.kind, of: Object.freeze(node.of.map(bind)) });
  };
  return makeFilter(bind(filter.root));
}
