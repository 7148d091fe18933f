import {
  FILTER_OPERATORS,
  type Filter,
  FilterError,
  type FilterNode,
  type FilterOperator,
  MAX_FILTER_CLAUSES,
  MAX_FILTER_DEPTH,
  MAX_FILTER_LENGTH,
  MAX_PATH_SEGMENTS,
  makeClause,
  makeFilter,
  type Operand,
} from './ast.ts';

/** How `parseFilter` reads a text. */
export interface ParseFilterOptions {
  /** Whether `{sub}` and `{claims.x}` may stand for an operand. Default false: only grants have them. */
  readonly placeholders?: boolean;
}

/** The fields of an event that a path can begin with; only `data` has something inside. */
const ROOTS: ReadonlySet<string> = new Set([
  'data',
  'event',
  'recordSlug',
  'recordId',
  'workspaceSlug',
  'timestamp',
  'createdBy',
]);
const OPERATORS: ReadonlySet<string> = new Set(FILTER_OPERATORS);
const PLACEHOLDER = /^(sub|claims\.[A-Za-z0-9_.:/-]{1,128})$/;
const NUMBER = /^-?(0|[1-9][0-9]*)(\.[0-9]+)?$/;
const CONTROL = /\p{Cc}/u;

function isBlank(char: string): boolean {
  return char === ' ' || char === '\t' || char === '\n' || char === '\r';
}

/** Characters that end an unquoted word, the blanks apart. */
const MARKS: ReadonlySet<string> = new Set(['(', ')', '"', "'", ':', ',', '{', '}', '\\']);

/** A recursive-descent parser: each character is looked at a bounded number of times. */
class Parser {
  readonly #text: string;
  readonly #placeholders: boolean;
  #at = 0;
  #clauses = 0;

  constructor(text: string, placeholders: boolean) {
    this.#text = text;
    this.#placeholders = placeholders;
  }

  parse(): FilterNode {
    this.#blanks();
    if (this.#at === this.#text.length) this.#fail('The filter is empty.');
    const root = this.#or(0);
    if (this.#at < this.#text.length) this.#fail('This parenthesis closes nothing.');
    return root;
  }

  #or(depth: number): FilterNode {
    const of = [this.#and(depth)];
    while (this.#keyword('OR')) of.push(this.#and(depth));
    return of.length === 1 && of[0] ? of[0] : Object.freeze({ kind: 'or', of: Object.freeze(of) });
  }

  #and(depth: number): FilterNode {
    const of = [this.#unary(depth)];
    while (this.#at < this.#text.length && this.#peek() !== ')' && !this.#isKeyword('OR')) of.push(this.#unary(depth));
    return of.length === 1 && of[0] ? of[0] : Object.freeze({ kind: 'and', of: Object.freeze(of) });
  }

  #unary(depth: number): FilterNode {
    const start = this.#at;
    if (this.#keyword('NOT')) {
      if (depth === MAX_FILTER_DEPTH) this.#tooDeep(start);
      return Object.freeze({ kind: 'not', of: this.#unary(depth + 1) });
    }
    if (this.#peek() !== '(') return this.#clause();
    if (depth === MAX_FILTER_DEPTH) this.#tooDeep(start);
    this.#at++;
    this.#blanks();
    const inner = this.#or(depth + 1);
    if (this.#peek() !== ')') this.#fail('A parenthesis opened before this is not closed.');
    this.#at++;
    this.#endOfTerm();
    return inner;
  }

  #clause(): FilterNode {
    if (this.#clauses === MAX_FILTER_CLAUSES) this.#fail(`A filter has at most ${MAX_FILTER_CLAUSES} clauses.`);
    this.#clauses++;
    const path = this.#path();
    const op = this.#operator();
    const operands = [this.#operand(op)];
    if (op === 'in' || op === 'nin') {
      for (; this.#peek() === ','; operands.push(this.#operand(op))) this.#at++;
    }
    if (this.#peek() === ',') this.#fail('Lists are for in and nin; quote a value that holds a comma.');
    this.#endOfTerm();
    return makeClause(path, op ?? 'eq', operands);
  }

  #path(): readonly string[] {
    const start = this.#at;
    const word = this.#word(false);
    if (word === 'AND') this.#fail('A blank already means AND.', start);
    if (this.#peek() !== ':') {
      this.#fail(word === '' ? 'A clause path:value is expected here.' : 'A path is followed by a colon.');
    }
    const path = word.split('.');
    if (path.length > MAX_PATH_SEGMENTS) this.#fail(`A path has at most ${MAX_PATH_SEGMENTS} segments.`, start);
    if (path.includes('') || path.includes('__proto__') || CONTROL.test(word)) {
      this.#fail('A path is names joined by dots.', start);
    }
    const [root = ''] = path;
    if (!ROOTS.has(root)) this.#fail(`A path begins with one of ${[...ROOTS].join(', ')}.`, start);
    if (root !== 'data' && path.length > 1) this.#fail('Only data has fields inside.', start);
    this.#at++;
    return path;
  }

  /** The operator and its colon; `undefined` when the clause is `path:value`. */
  #operator(): FilterOperator | undefined {
    const start = this.#at;
    const word = this.#word(false);
    if (word !== '' && this.#peek() === ':') {
      if (!OPERATORS.has(word)) {
        this.#fail(`An operator is one of ${FILTER_OPERATORS.join(', ')}; quote a value that holds a colon.`, start);
      }
      this.#at++;
      return word as FilterOperator;
    }
    this.#at = start;
    return undefined;
  }

  #operand(op: FilterOperator | undefined): Operand {
    const start = this.#at;
    const char = this.#peek();
    const quoted = char === '"' || char === "'";
    const operand = quoted ? this.#quoted(char) : char === '{' ? this.#placeholder() : this.#unquoted(op !== undefined);
    if (op === 'exists' && (operand.kind !== 'value' || typeof operand.value !== 'boolean')) {
      this.#fail('exists takes true or false.', start);
    }
    const ordered = op === 'gt' || op === 'gte' || op === 'lt' || op === 'lte';
    if (ordered && operand.kind === 'value' && typeof operand.value !== 'number' && typeof operand.value !== 'string') {
      this.#fail(`${op} compares numbers or texts.`, start);
    }
    return operand;
  }

  #quoted(quote: string): Operand {
    const start = this.#at++;
    let text = '';
    for (;;) {
      let char = this.#peek();
      if (char === '') this.#fail('This quote is not closed.', start);
      this.#at++;
      if (char === quote) return { kind: 'value', value: text, text };
      if (char === '\\') {
        char = this.#peek();
        if (char !== quote && char !== '\\') this.#fail('A backslash in quotes stands before a quote or a backslash.');
        this.#at++;
      }
      text += char;
    }
  }

  #placeholder(): Operand {
    const start = this.#at;
    if (!this.#placeholders) this.#fail('Placeholders are for grants; quote a value that holds a brace.');
    const end = this.#text.indexOf('}', start);
    const name = end === -1 ? '' : this.#text.slice(start + 1, end);
    if (!PLACEHOLDER.test(name)) this.#fail('A placeholder is {sub} or {claims.name}.', start);
    this.#at = end + 1;
    return { kind: 'placeholder', name };
  }

  /** After an explicit operator, a value may hold colons: `timestamp:gt:2026-01-01T00:00:00Z`. */
  #unquoted(colons: boolean): Operand {
    const start = this.#at;
    const text = this.#word(colons);
    if (text === '') this.#fail('A value is expected here; "" is the empty text.');
    if (CONTROL.test(text)) this.#fail('Quote a value that holds control characters.', start);
    if (text === 'true' || text === 'false') return { kind: 'value', value: text === 'true', text };
    if (text === 'null') return { kind: 'value', value: null, text };
    if (!NUMBER.test(text)) return { kind: 'value', value: text, text };
    const value = Number(text);
    // Two such numbers would be equal although their digits differ.
    if (Math.abs(value) > Number.MAX_SAFE_INTEGER) {
      this.#fail('This number is too large to be exact; quote it if it is a text.', start);
    }
    return { kind: 'value', value, text };
  }

  #word(colons: boolean): string {
    const start = this.#at;
    for (; this.#at < this.#text.length; this.#at++) {
      const char = this.#text.charAt(this.#at);
      if (isBlank(char) || (MARKS.has(char) && !(colons && char === ':'))) break;
    }
    return this.#text.slice(start, this.#at);
  }

  /** A clause or a closed parenthesis ends at a blank, at a closing parenthesis or with the text. */
  #endOfTerm(): void {
    const char = this.#peek();
    if (char !== '' && char !== ')' && !isBlank(char))
      this.#fail('A blank is expected here; quote special characters.');
    this.#blanks();
  }

  #isKeyword(word: string): boolean {
    if (!this.#text.startsWith(word, this.#at)) return false;
    const next = this.#text.charAt(this.#at + word.length);
    return next === '' || next === '(' || next === ')' || isBlank(next);
  }

  #keyword(word: string): boolean {
    if (!this.#isKeyword(word)) return false;
    this.#at += word.length;
    this.#blanks();
    return true;
  }

  #blanks(): void {
    while (isBlank(this.#peek())) this.#at++;
  }

  #peek(): string {
    return this.#text.charAt(this.#at);
  }

  #tooDeep(position: number): never {
    this.#fail(`A filter nests at most ${MAX_FILTER_DEPTH} deep.`, position);
  }

  #fail(message: string, position: number = this.#at): never {
    throw new FilterError(position, message);
  }
}

/**
 * Reads a CFL v1 expression. At most 1,024 characters, 32 clauses, 8 levels; linear in the text.
 *
 * @throws {FilterError} when the text is not one, with the position.
 */
export function parseFilter(text: string, options: ParseFilterOptions = {}): Filter {
  if (text.length > MAX_FILTER_LENGTH) {
    throw new FilterError(MAX_FILTER_LENGTH, `A filter has at most ${MAX_FILTER_LENGTH} characters.`);
  }
  return makeFilter(new Parser(text, options.placeholders === true).parse());
}
