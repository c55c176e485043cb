/** Formulas of `multi` graders: numbers, names, + - * / ^, brackets and a few functions; nothing else can be called. */

/** A formula cannot be read. */
export class FormulaError extends Error {
  /** Names that could have been meant. */
  readonly known: readonly string[];

  constructor(message: string, known: readonly string[] = []) {
    super(message);
    this.name = 'FormulaError';
    this.known = known;
  }
}

/** Computes a formula from values by name. */
export type Formula = (values: Readonly<Record<string, number>>) => number;

interface FormulaFunction {
  /** How many values it takes; absent means one or more. */
  readonly takes?: number;
  readonly apply: (...values: readonly number[]) => number;
}

const one = (apply: (value: number) => number): FormulaFunction => ({
  takes: 1,
  apply: (value = 0) => apply(value),
});

const functions: Readonly<Record<string, FormulaFunction>> = {
  min: { apply: Math.min },
  max: { apply: Math.max },
  abs: one(Math.abs),
  floor: one(Math.floor),
  ceil: one(Math.ceil),
  exp: one(Math.exp),
  sqrt: one(Math.sqrt),
  log: one(Math.log),
};

const pattern = /\s*(?:(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\.\d+)|([A-Za-z_]\w*)|([-+*/^(),]))/y;

interface Token {
  readonly kind: 'number' | 'name' | 'mark' | 'end';
  readonly text: string;
  /** From 1. */
  readonly column: number;
}

function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = [];
  pattern.lastIndex = 0;
  const source = text.trimEnd();
  while (pattern.lastIndex < source.length) {
    const from = pattern.lastIndex;
    const match = pattern.exec(source);
    if (match === null) {
      const at = from + source.slice(from).search(/\S/);
      throw new FormulaError(`"${source[at] ?? ''}" at column ${at + 1} has no meaning in a formula.`);
    }
    const [, number, name, mark] = match;
    const found = number ?? name ?? mark ?? '';
    const kind = number !== undefined ? 'number' : name !== undefined ? 'name' : 'mark';
    tokens.push({ kind, text: found, column: pattern.lastIndex - found.length + 1 });
  }
  return [...tokens, { kind: 'end', text: '', column: source.length + 1 }];
}

const operators: Readonly<Record<string, (left: number, right: number) => number>> = {
  '+': (left, right) => left + right,
  '-': (left, right) => left - right,
  '*': (left, right) => left * right,
  '/': (left, right) => left / right,
};

/** Reads a formula from left to right: sums of products of powers. */
class Parser {
  readonly #tokens: readonly Token[];
  readonly #names: readonly string[];
  #at = 0;

  constructor(text: string, names: readonly string[]) {
    this.#tokens = tokenize(text);
    this.#names = names;
  }

  get #token(): Token {
    return this.#tokens[this.#at] ?? { kind: 'end', text: '', column: 1 };
  }

  #takes(...marks: readonly string[]): string | undefined {
    const { kind, text } = this.#token;
    if (kind !== 'mark' || !marks.includes(text)) return undefined;
    this.#at++;
    return text;
  }

  #need(mark: string): void {
    if (this.#takes(mark) === undefined) throw this.#unexpected(`"${mark}"`);
  }

  #unexpected(wanted: string): FormulaError {
    const { kind, text, column } = this.#token;
    const found = kind === 'end' ? 'the formula ends' : `there is "${text}"`;
    return new FormulaError(`${found[0]?.toUpperCase() ?? ''}${found.slice(1)} at column ${column}, where ${wanted} is expected.`); // prettier-ignore
  }

  run(): Formula {
    const formula = this.#sum();
    if (this.#token.kind !== 'end') throw this.#unexpected('an operator, or the end,');
    return formula;
  }

  #chain(marks: readonly string[], next: () => Formula): Formula {
    let left = next();
    for (let mark = this.#takes(...marks); mark !== undefined; mark = this.#takes(...marks)) {
      const [first, second, apply] = [left, next(), operators[mark]];
      left = (values) => apply?.(first(values), second(values)) ?? Number.NaN;
    }
    return left;
  }

  /** A sign stands before a power: -2 ^ 2 is -4. */
  #sign(): Formula {
    const sign = this.#takes('-', '+');
    if (sign === undefined) return this.#power();
    const value = this.#sign();
    return sign === '-' ? (values) => -value(values) : value;
  }

  #power(): Formula {
    const base = this.#atom();
    if (this.#takes('^') === undefined) return base;
    const exponent = this.#sign();
    return (values) => base(values) ** exponent(values);
  }

  #sum(): Formula {
    return this.#chain(['+', '-'], () => this.#chain(['*', '/'], () => this.#sign()));
  }

  #atom(): Formula {
    const { kind, text } = this.#token;
    if (this.#takes('(') !== undefined) {
      const inner = this.#sum();
      this.#need(')');
      return inner;
    }
    if (kind !== 'number' && kind !== 'name') throw this.#unexpected('a number, a grader or "("');
    this.#at++;
    if (kind === 'number') return () => Number(text);
    return this.#takes('(') === undefined ? this.#value(text) : this.#call(text);
  }

  #value(name: string): Formula {
    if (this.#names.includes(name)) return (values) => values[name] ?? Number.NaN;
    const isFunction = Object.hasOwn(functions, name);
    throw new FormulaError(
      isFunction ? `The function ${name} has no values in brackets.` : `There is no grader "${name}".`,
      isFunction ? [] : this.#names,
    );
  }

  #call(name: string): Formula {
    const called = Object.hasOwn(functions, name) ? functions[name] : undefined;
    if (called === undefined)
      throw new FormulaError(`There is no function "${name}".`, Object.keys(functions));
    const values = [this.#sum()];
    while (this.#takes(',') !== undefined) values.push(this.#sum());
    this.#need(')');
    const { takes, apply } = called;
    if (takes !== undefined && values.length !== takes)
      throw new FormulaError(`${name} takes one value, but is given ${values.length}.`);
    return (given) => apply(...values.map((value) => value(given)));
  }
}

/**
 * Reads a formula over graders of some names.
 *
 * @throws FormulaError
 */
export const parseFormula = (text: string, names: readonly string[]): Formula =>
  new Parser(text, names).run();
