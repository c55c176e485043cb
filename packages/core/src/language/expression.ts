/** The small language inside `${{ }}`: literals, names, comparison, logic, arithmetic, a few functions. */

/** A place inside an expression's text. */
export interface ExpressionSpan {
  readonly start: number;
  readonly end: number;
}

/** An expression cannot be read or computed. */
export class ExpressionError extends Error {
  readonly kind: 'syntax' | 'name' | 'type';
  readonly span: ExpressionSpan;
  /** Names that could have been meant. */
  readonly known: readonly string[];

  constructor(
    kind: ExpressionError['kind'],
    message: string,
    span: ExpressionSpan,
    known: readonly string[] = [],
  ) {
    super(message);
    this.name = 'ExpressionError';
    this.kind = kind;
    this.span = span;
    this.known = known;
  }
}

interface Token extends ExpressionSpan {
  readonly kind: 'number' | 'string' | 'name' | 'operator' | 'end';
  readonly text: string;
}

const pattern =
  /\s*(?:(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|('(?:[^']|'')*'|"(?:[^"\\]|\\.)*")|([A-Za-z_][\w-]*)|(==|!=|<=|>=|&&|\|\||[<>!+\-*/%?:().,[\]]))/y;

function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = [];
  pattern.lastIndex = 0;
  while (text.slice(pattern.lastIndex).trim() !== '') {
    const from = pattern.lastIndex;
    const match = pattern.exec(text);
    if (match === null) {
      const start = from + (text.slice(from).length - text.slice(from).trimStart().length);
      throw new ExpressionError('syntax', `${JSON.stringify(text[start])} has no meaning here.`, {
        start,
        end: start + 1,
      });
    }
    const [, number, string, name, operator] = match;
    const found = number ?? string ?? name ?? operator ?? '';
    const kind =
      number !== undefined
        ? 'number'
        : string !== undefined
          ? 'string'
          : name !== undefined
            ? 'name'
            : 'operator';
    tokens.push({ kind, text: found, start: pattern.lastIndex - found.length, end: pattern.lastIndex });
  }
  return [...tokens, { kind: 'end', text: '', start: text.length, end: text.length }];
}

/** Values by the first name of a path, such as `params`. */
export type Scope = Readonly<Record<string, unknown>>;

const levels: readonly (readonly string[])[] = [
  ['||'],
  ['&&'],
  ['==', '!='],
  ['<', '<=', '>', '>='],
  ['+', '-'],
  ['*', '/', '%'],
];

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;
const isTrue = (value: unknown): boolean =>
  value !== false && value !== null && value !== undefined && value !== 0 && value !== '';

const functions: Readonly<Record<string, (...values: readonly unknown[]) => unknown>> = {
  contains: (whole, part) =>
    Array.isArray(whole) ? whole.includes(part) : String(whole).includes(String(part)),
  startsWith: (whole, part) => String(whole).startsWith(String(part)),
  endsWith: (whole, part) => String(whole).endsWith(String(part)),
  format: (template, ...values) =>
    String(template).replace(/\{(\d+)\}/g, (_, index: string) => String(values[Number(index)] ?? '')),
  toJSON: (value) => JSON.stringify(value),
  default: (value, other) => value ?? other,
};

/** Reads and computes an expression in one pass, from left to right. */
class Evaluator {
  readonly #tokens: readonly Token[];
  readonly #scope: Scope;
  #at = 0;

  constructor(text: string, scope: Scope) {
    this.#tokens = tokenize(text);
    this.#scope = scope;
  }

  run(): unknown {
    const value = this.#ternary();
    const rest = this.#peek();
    if (rest.kind !== 'end')
      throw new ExpressionError('syntax', `"${rest.text}" comes after the end of the expression.`, rest);
    return value;
  }

  #peek(): Token {
    const token = this.#tokens[this.#at] ?? this.#tokens.at(-1);
    if (token === undefined) throw new Error('Internal error: no tokens.');
    return token;
  }

  #next(): Token {
    const token = this.#peek();
    this.#at++;
    return token;
  }

  #accept(text: string): boolean {
    const token = this.#peek();
    if (token.kind !== 'operator' || token.text !== text) return false;
    this.#at++;
    return true;
  }

  #expect(text: string): void {
    const token = this.#peek();
    if (!this.#accept(text))
      throw new ExpressionError(
        'syntax',
        `Here must be "${text}", but is ${token.kind === 'end' ? 'the end' : `"${token.text}"`}.`,
        token,
      );
  }

  #ternary(): unknown {
    const condition = this.#binary(0);
    if (!this.#accept('?')) return condition;
    const yes = this.#ternary();
    this.#expect(':');
    const no = this.#ternary();
    return isTrue(condition) ? yes : no;
  }

  #binary(level: number): unknown {
    const operators = levels[level];
    if (operators === undefined) return this.#unary();
    let left = this.#binary(level + 1);
    for (
      let token = this.#peek();
      token.kind === 'operator' && operators.includes(token.text);
      token = this.#peek()
    ) {
      this.#next();
      left = compute(token, left, this.#binary(level + 1));
    }
    return left;
  }

  #unary(): unknown {
    const token = this.#peek();
    if (this.#accept('!')) return !isTrue(this.#unary());
    if (this.#accept('-')) return -asNumber(this.#unary(), token);
    return this.#path();
  }

  #path(): unknown {
    const start = this.#peek();
    let value = this.#primary();
    let shown = start.text;
    for (;;) {
      if (this.#accept('.')) {
        const name = this.#next();
        if (name.kind !== 'name') throw new ExpressionError('syntax', 'After a dot comes a name.', name);
        value = lookUp(value, name.text, shown, name);
        shown += `.${name.text}`;
      } else if (this.#accept('[')) {
        const token = this.#peek();
        const key = this.#ternary();
        this.#expect(']');
        value = lookUp(value, String(key), shown, token);
      } else return value;
    }
  }

  #primary(): unknown {
    const token = this.#next();
    if (token.kind === 'number') return Number(token.text);
    if (token.kind === 'string')
      return token.text.startsWith("'")
        ? token.text.slice(1, -1).replaceAll("''", "'")
        : (JSON.parse(token.text) as unknown);
    if (token.kind === 'name') return this.#name(token);
    if (token.kind === 'operator' && token.text === '(') {
      const value = this.#ternary();
      this.#expect(')');
      return value;
    }
    throw new ExpressionError(
      'syntax',
      token.kind === 'end' ? 'The expression ends too early.' : `"${token.text}" cannot stand here.`,
      token,
    );
  }

  #name(token: Token): unknown {
    if (token.text === 'true' || token.text === 'false') return token.text === 'true';
    if (token.text === 'null') return null;
    if (this.#accept('(')) return this.#call(token);
    if (token.text in this.#scope) return this.#scope[token.text];
    throw new ExpressionError('name', `"${token.text}" is not defined.`, token, Object.keys(this.#scope));
  }

  #call(token: Token): unknown {
    const values: unknown[] = [];
    while (!this.#accept(')')) {
      if (values.length > 0) this.#expect(',');
      values.push(this.#ternary());
    }
    const apply = Object.hasOwn(functions, token.text) ? functions[token.text] : undefined;
    if (apply === undefined)
      throw new ExpressionError(
        'name',
        `There is no function "${token.text}".`,
        token,
        Object.keys(functions),
      );
    return apply(...values);
  }
}

function lookUp(value: unknown, key: string, shown: string, span: ExpressionSpan): unknown {
  if (isRecord(value) && Object.hasOwn(value, key)) return value[key];
  const known = isRecord(value) ? Object.keys(value) : [];
  throw new ExpressionError('name', `${shown} has no "${key}".`, span, known);
}

function asNumber(value: unknown, span: ExpressionSpan): number {
  if (typeof value === 'number') return value;
  throw new ExpressionError('type', `Here must be a number, but is ${JSON.stringify(value)}.`, span);
}

function compute(token: Token, left: unknown, right: unknown): unknown {
  switch (token.text) {
    case '||':
      return isTrue(left) ? left : right;
    case '&&':
      return isTrue(left) ? right : left;
    case '==':
      return left === right;
    case '!=':
      return left !== right;
    case '+':
      return typeof left === 'string' || typeof right === 'string'
        ? String(left) + String(right)
        : asNumber(left, token) + asNumber(right, token);
    case '-':
      return asNumber(left, token) - asNumber(right, token);
    case '*':
      return asNumber(left, token) * asNumber(right, token);
    case '/':
      return asNumber(left, token) / asNumber(right, token);
    case '%':
      return asNumber(left, token) % asNumber(right, token);
    case '<':
      return asNumber(left, token) < asNumber(right, token);
    case '<=':
      return asNumber(left, token) <= asNumber(right, token);
    case '>':
      return asNumber(left, token) > asNumber(right, token);
    default:
      return asNumber(left, token) >= asNumber(right, token);
  }
}

const placeholder = /\$\{\{(.*?)\}\}/gs;

/** True when a text holds an expression. */
export const hasExpression = (text: string): boolean => text.includes('${{');

/**
 * Computes the expressions in a text. A text that is one expression keeps the value's type; else values
 * are put into the text. `onError` is told where in the text something is wrong.
 */
export function evaluateText(
  text: string,
  scope: Scope,
  onError: (error: ExpressionError, offset: number) => void,
): unknown {
  const compute = (inner: string, offset: number): unknown => {
    try {
      return new Evaluator(inner, scope).run();
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      onError(error, offset);
      return '';
    }
  };
  const whole = /^\s*\$\{\{((?:(?!\}\}).)*)\}\}\s*$/s.exec(text);
  if (whole?.[1] !== undefined) return compute(whole[1], text.indexOf('${{') + 3);
  const open = text.lastIndexOf('${{');
  if (open !== -1 && !text.slice(open).includes('}}'))
    onError(
      new ExpressionError('syntax', 'An expression begins with "${{" and never ends.', { start: 0, end: 3 }),
      open,
    );
  return text.replace(placeholder, (match, inner: string, at: number) => {
    const value = compute(inner, at + 3);
    return typeof value === 'object' ? JSON.stringify(value) : String(value);
  });
}
