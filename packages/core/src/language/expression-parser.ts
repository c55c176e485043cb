/** A place inside an expression's text. */
export interface ExpressionSpan {
  readonly start: number;
  readonly end: number;
}

/** An expression cannot be read or computed. */
export class ExpressionError extends Error {
  /** `told` when it follows from a mistake that has been told already. */
  readonly kind: 'syntax' | 'name' | 'type' | 'secret' | 'told';
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

/** An expression as a tree. */
export type Expression = ExpressionSpan &
  (
    | { readonly kind: 'literal'; readonly value: string | number | boolean | null }
    | { readonly kind: 'name'; readonly name: string }
    | {
        readonly kind: 'member';
        readonly of: Expression;
        readonly key: Expression;
        readonly isDotted: boolean;
      }
    | { readonly kind: 'call'; readonly name: string; readonly values: readonly Expression[] }
    | { readonly kind: 'unary'; readonly operator: string; readonly value: Expression }
    | {
        readonly kind: 'binary';
        readonly operator: string;
        readonly left: Expression;
        readonly right: Expression;
      }
    | {
        readonly kind: 'choice';
        readonly condition: Expression;
        readonly yes: Expression;
        readonly no: Expression;
      }
  );

interface Token extends ExpressionSpan {
  readonly kind: 'number' | 'string' | 'name' | 'operator' | 'end';
  readonly text: string;
}

const pattern =
  /\s*(?:(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|('(?:[^']|'')*'|"(?:[^"\\]|\\.)*")|([\p{L}_][\p{L}\p{N}\p{M}_-]*)|(==|!=|<=|>=|&&|\|\||[<>!+\-*/%?:().,[\]]))/uy;

function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = [];
  pattern.lastIndex = 0;
  while (text.slice(pattern.lastIndex).trim() !== '') {
    const from = pattern.lastIndex;
    const match = pattern.exec(text);
    if (match === null) throw explainCharacter(text, from + text.slice(from).search(/\S/));
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

function explainCharacter(text: string, start: number): ExpressionError {
  const character = String.fromCodePoint(text.codePointAt(start) ?? 0);
  const span = { start, end: start + character.length };
  if (character === '=') return new ExpressionError('syntax', 'Two values are compared with "==".', span);
  if (character === "'" || character === '"')
    return new ExpressionError('syntax', 'This text has no closing quote.', { start, end: text.length });
  return new ExpressionError('syntax', `"${character}" has no meaning here.`, span);
}

const levels: readonly (readonly string[])[] = [
  ['||'],
  ['&&'],
  ['==', '!='],
  ['<', '<=', '>', '>='],
  ['+', '-'],
  ['*', '/', '%'],
];

/** Nested deeper than this, an expression would end the parser's own stack. */
const maxDepth = 200;

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#tokens = tokenize(text);
  }

  run(): Expression {
    const expression = this.#choice();
    const rest = this.#peek();
    if (rest.kind === 'end') return expression;
    throw new ExpressionError('syntax', `"${rest.text}" comes after the end of the expression.`, rest);
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

  #expect(text: string): Token {
    const token = this.#peek();
    if (this.#accept(text)) return token;
    const found = token.kind === 'end' ? 'the end' : `"${token.text}"`;
    throw new ExpressionError('syntax', `Here must be "${text}", but is ${found}.`, token);
  }

  #choice(): Expression {
    if (++this.#depth > maxDepth)
      throw new ExpressionError('syntax', 'The expression is nested too deeply.', this.#peek());
    const condition = this.#binary(0);
    let result = condition;
    if (this.#accept('?')) {
      const yes = this.#choice();
      this.#expect(':');
      const no = this.#choice();
      result = { kind: 'choice', condition, yes, no, start: condition.start, end: no.end };
    }
    this.#depth--;
    return result;
  }

  #binary(level: number): Expression {
    const operators = levels[level];
    if (operators === undefined) return this.#unary();
    let left = this.#binary(level + 1);
    for (
      let token = this.#peek();
      token.kind === 'operator' && operators.includes(token.text);
      token = this.#peek()
    ) {
      this.#next();
      const right = this.#binary(level + 1);
      left = { kind: 'binary', operator: token.text, left, right, start: left.start, end: right.end };
    }
    return left;
  }

  #unary(): Expression {
    const token = this.#peek();
    const isOperator = token.kind === 'operator' && (token.text === '!' || token.text === '-');
    if (!isOperator) return this.#path();
    if (++this.#depth > maxDepth)
      throw new ExpressionError('syntax', 'The expression is nested too deeply.', token);
    this.#next();
    const value = this.#unary();
    this.#depth--;
    return { kind: 'unary', operator: token.text, value, start: token.start, end: value.end };
  }

  #path(): Expression {
    let value = this.#primary();
    for (;;) {
      if (this.#accept('.')) {
        const token = this.#next();
        if (token.kind !== 'name') throw new ExpressionError('syntax', 'After a dot comes a name.', token);
        const key: Expression = {
          kind: 'literal',
          value: token.text.normalize('NFC'),
          start: token.start,
          end: token.end,
        };
        value = { kind: 'member', of: value, key, isDotted: true, start: value.start, end: token.end };
      } else if (this.#accept('[')) {
        const key = this.#choice();
        const { end } = this.#expect(']');
        value = { kind: 'member', of: value, key, isDotted: false, start: value.start, end };
      } else return value;
    }
  }

  #primary(): Expression {
    const token = this.#next();
    const { start, end } = token;
    if (token.kind === 'number') return { kind: 'literal', value: Number(token.text), start, end };
    if (token.kind === 'string') return { kind: 'literal', value: readText(token), start, end };
    if (token.kind === 'name') return this.#name(token);
    if (token.kind === 'operator' && token.text === '(') {
      const value = this.#choice();
      return { ...value, start, end: this.#expect(')').end };
    }
    const message =
      token.kind === 'end' ? 'The expression ends too early.' : `"${token.text}" cannot stand here.`;
    throw new ExpressionError('syntax', message, token);
  }

  #name(token: Token): Expression {
    const { start, end } = token;
    const text = token.text.normalize('NFC');
    if (text === 'true' || text === 'false') return { kind: 'literal', value: text === 'true', start, end };
    if (text === 'null') return { kind: 'literal', value: null, start, end };
    if (!this.#accept('(')) return { kind: 'name', name: text, start, end };
    const values: Expression[] = [];
    while (!this.#accept(')')) {
      if (values.length > 0) this.#expect(',');
      values.push(this.#choice());
    }
    return { kind: 'call', name: text, values, start, end };
  }
}

/** 'it''s' as SQL writes it, or "text" as JSON does. */
function readText(token: Token): string {
  if (token.text.startsWith("'")) return token.text.slice(1, -1).replaceAll("''", "'");
  try {
    return String(JSON.parse(token.text));
  } catch {
    throw new ExpressionError('syntax', 'This text is not as JSON writes it.', token);
  }
}

const parsed = new Map<string, Expression>();

/** Reads an expression; a matrix asks for the same one many times. */
export function parseExpression(text: string): Expression {
  const known = parsed.get(text);
  if (known !== undefined) return known;
  const expression = new Parser(text).run();
  if (parsed.size > 10_000) parsed.clear();
  parsed.set(text, expression);
  return expression;
}
