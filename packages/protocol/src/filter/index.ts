/** CFL v1, the filter language of subscriptions and grants. */
export type {
  Clause,
  Filter,
  FilterLiteral,
  FilterNode,
  FilterOperator,
  Operand,
} from './ast.ts';
export {
  FILTER_OPERATORS,
  FilterError,
  MAX_FILTER_CLAUSES,
  MAX_FILTER_DEPTH,
  MAX_FILTER_LENGTH,
} from './ast.ts';
export { bindFilter } from './bind.ts';
export type { GrantMatch, MatchOptions } from './evaluate.ts';
export { grantMatches, matchesFilter, withoutBefore } from './evaluate.ts';
export type { FilterableEvent, FilterSteps, StateView } from './lookup.ts';
export { lookup } from './lookup.ts';
export type { FilterEquality } from './normal-form.ts';
export { equality, filterKey } from './normal-form.ts';
export type { ParseFilterOptions } from './parse.ts';
export { parseFilter } from './parse.ts';
