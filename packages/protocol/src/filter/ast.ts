/** The filter language CFL v1, taken apart. Nodes are frozen: a filter is shared by every stream that uses it. */

/** Most characters (UTF-16 units) of a filter's text. */
export const MAX_FILTER_LENGTH = 1024;
/** Most comparisons of one filter. */
export const MAX_FILTER_CLAUSES = 32;
/** Deepest nesting: each parenthesis and each `NOT` goes one level down. */
export const MAX_FILTER_DEPTH = 8;
/** Most segments of one path. */
export const MAX_PATH_SEGMENTS = 16;

/** The operators, in the order in which messages list them. */
export const FILTER_OPERATORS = [
  'eq',
  'ne',
  'gt',
  'gte',
  'lt',
  'lte',
  'in',
  'nin',
  'contains',
  'startswith',
  'endswith',
  'exists',
] as const;

/** An operator of a clause. */
export type FilterOperator = (typeof FILTER_OPERATORS)[number];

/** A value that a clause compares with. */
export type FilterLiteral = string | number | boolean | null;

/** One side of a comparison: a value, or a name whose value a grant's holder brings. */
export type Operand =
  | {
      readonly kind: 'value';
      readonly value: FilterLiteral;
      /** As it was written, for the operators on texts: `startswith:5` looks for the digit. */
      readonly text: string;
    }
  | { readonly kind: 'placeholder'; readonly name: string };

/** One comparison. */
export interface Clause {
  readonly kind: 'clause';
  /** Names of own properties, from the event inwards. */
  readonly path: readonly string[];
  readonly op: FilterOperator;
  /** One, or for `in` and `nin` at least one. */
  readonly operands: readonly Operand[];
  /** Values of the operands that are not placeholders. */
  readonly values: ReadonlySet<FilterLiteral>;
}

/** A part of a filter. */
export type FilterNode =
  | Clause
  | { readonly kind: 'and' | 'or'; readonly of: readonly FilterNode[] }
  | { readonly kind: 'not'; readonly of: FilterNode };

/** A parsed filter: immutable, made by `parseFilter` and `bindFilter` only. */
export interface Filter {
  readonly root: FilterNode;
  /** Names of its placeholders (`sub`, `claims.team`), each once; empty when it can be evaluated. */
  readonly placeholders: readonly string[];
}

/** Why a text is not a filter, and where. The message never repeats the text. */
export class FilterError extends Error {
  override readonly name = 'FilterError';
  /** Index of the character (UTF-16 unit, from 0) at which the text stops to be a filter. */
  readonly position: number;

  constructor(position: number, message: string) {
    super(message);
    this.position = position;
  }
}

/** Makes a frozen clause. */
export function makeClause(path: readonly string[], op: FilterOperator, operands: readonly Operand[]): Clause {
  const values = new Set<FilterLiteral>();
  for (const operand of operands) if (operand.kind === 'value') values.add(operand.value);
  return Object.freeze({
    kind: 'clause',
    path: Object.freeze([...path]),
    op,
    operands: Object.freeze(operands.map((operand) => Object.freeze(operand))),
    values,
  });
}

/** Makes a frozen filter; finds its placeholders. */
export function makeFilter(root: FilterNode): Filter {
  const names = new Set<string>();
  const visit = (node: FilterNode): void => {
    if (node.kind === 'not') visit(node.of);
    else if (node.kind === 'clause') {
      for (const operand of node.operands) if (operand.kind === 'placeholder') names.add(operand.name);
    } else for (const child of node.of) visit(child);
  };
  visit(root);
  return Object.freeze({ root, placeholders: Object.freeze([...names]) });
}
