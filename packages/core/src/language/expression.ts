/** The small language inside `${{ }}`: literals, names, comparison, logic, arithmetic, a few functions. */
import { isDeepStrictEqual } from 'node:util';
import type { Expression, ExpressionSpan } from './expression-parser.ts';
import { ExpressionError, parseExpression } from './expression-parser.ts';

/** Values by the first name of a path, such as `params`. */
export type Scope = Readonly<Record<string, unknown>>;

type Fields = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Fields => typeof value === 'object' && value !== null;
/** What counts as true: everything but false, null, 0 and the empty text. */
export const isTrue = (value: unknown): boolean =>
  value !== false && value !== null && value !== undefined && value !== 0 && value !== '';

/** A secret stands for itself until the step starts: nothing can be computed from it. */
export const isSecret = (value: unknown): value is { readonly $secret: string } =>
  isRecord(value) && typeof value['$secret'] === 'string';

/** True for a secret, and for what holds one. */
export function hasSecret(value: unknown): boolean {
  return isSecret(value) || (isRecord(value) && Object.values(value).some(hasSecret));
}

/** Stands for a value that is wrong or missing, which has been told: nothing that needs it is told again. */
export const unknownValue: object = Object.freeze({});

interface FunctionRule {
  /** How many values it takes, at least and at most. */
  readonly takes: readonly [number, number];
  readonly apply: (...values: readonly unknown[]) => unknown;
}

/** A value as it is put into a longer text. */
export const toText = (value: unknown): string =>
  typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value);

const functions: Readonly<Record<string, FunctionRule>> = {
  contains: {
    takes: [2, 2],
    apply: (whole, part) =>
      Array.isArray(whole)
        ? whole.some((item) => isDeepStrictEqual(item, part))
        : toText(whole).includes(toText(part)),
  },
  startsWith: { takes: [2, 2], apply: (whole, part) => toText(whole).startsWith(toText(part)) },
  endsWith: { takes: [2, 2], apply: (whole, part) => toText(whole).endsWith(toText(part)) },
  format: {
    takes: [1, 100],
    apply: (template, ...values) =>
      toText(template).replace(/\{(\d+)\}/g, (match, index: string) =>
        Number(index) < values.length ? toText(values[Number(index)]) : match,
      ),
  },
  toJSON: { takes: [1, 1], apply: (value) => JSON.stringify(value) },
  default: { takes: [2, 2], apply: (value, other) => value ?? other },
};

const counted = ([least, most]: readonly [number, number]): string =>
  `${least === most ? least : `at least ${least}`} ${least === 1 ? 'value' : 'values'}`;

/** What a member expression is called in messages, such as `params.model`. */
function nameOf(expression: Expression): string {
  if (expression.kind === 'name') return expression.name;
  if (expression.kind === 'member' && expression.key.kind === 'literal')
    return `${nameOf(expression.of)}.${String(expression.key.value)}`;
  return 'This value';
}

/** Checks the names of all branches, those not taken included: `params`, `params.x`, functions. */
export function checkNames(expression: Expression, scope: Scope): void {
  switch (expression.kind) {
    case 'literal':
      return;
    case 'name':
      lookUpName(expression.name, scope, expression);
      return;
    case 'member':
      checkNames(expression.of, scope);
      checkNames(expression.key, scope);
      if (expression.of.kind === 'name' && expression.key.kind === 'literal')
        lookUp(scope[expression.of.name], expression.key.value, expression.of.name, expression.key);
      return;
    case 'call': {
      const rule = Object.hasOwn(functions, expression.name) ? functions[expression.name] : undefined;
      if (rule === undefined) {
        const message = `There is no function "${expression.name}".`;
        throw new ExpressionError('name', message, expression, Object.keys(functions));
      }
      const count = expression.values.length;
      if (count < rule.takes[0] || count > rule.takes[1]) {
        const message = `${expression.name}() takes ${counted(rule.takes)}, but is given ${count}.`;
        throw new ExpressionError('type', message, expression);
      }
      for (const value of expression.values) checkNames(value, scope);
      return;
    }
    case 'unary':
      checkNames(expression.value, scope);
      return;
    case 'binary':
      checkNames(expression.left, scope);
      checkNames(expression.right, scope);
      return;
    case 'choice':
      checkNames(expression.condition, scope);
      checkNames(expression.yes, scope);
      checkNames(expression.no, scope);
  }
}

function lookUpName(name: string, scope: Scope, span: ExpressionSpan): unknown {
  if (Object.hasOwn(scope, name)) return scope[name];
  throw new ExpressionError('name', `"${name}" is not defined.`, span, Object.keys(scope));
}

function lookUp(value: unknown, key: unknown, shown: string, span: ExpressionSpan): unknown {
  if (isSecret(value)) throw new ExpressionError('secret', `${shown} is a secret and has no parts.`, span);
  if (Array.isArray(value)) {
    const item: unknown = typeof key === 'number' ? value[key < 0 ? value.length + key : key] : undefined;
    if (item !== undefined) return item;
    throw new ExpressionError(
      'type',
      `${shown} has ${value.length} items, and none at ${toText(key)}; the first is at 0.`,
      span,
    );
  }
  if (isRecord(value) && Object.hasOwn(value, String(key))) {
    const item = value[String(key)];
    if (item !== unknownValue) return item;
    throw new ExpressionError('told', `${shown}.${toText(key)} has no value.`, span);
  }
  const known = isRecord(value) ? Object.keys(value) : [];
  throw new ExpressionError('name', `${shown} has no "${toText(key)}".`, span, known);
}

/** Computes an expression whose names have been checked. */
export function evaluate(expression: Expression, scope: Scope): unknown {
  switch (expression.kind) {
    case 'literal':
      return expression.value;
    case 'name':
      return lookUpName(expression.name, scope, expression);
    case 'member': {
      const key = evaluate(expression.key, scope);
      return lookUp(evaluate(expression.of, scope), key, nameOf(expression.of), expression.key);
    }
    case 'call': {
      const values = expression.values.map((value) => usable(evaluate(value, scope), value));
      return functions[expression.name]?.apply(...values);
    }
    case 'unary': {
      const value = usable(evaluate(expression.value, scope), expression.value);
      return expression.operator === '!' ? !isTrue(value) : -asNumber(value, expression.value);
    }
    case 'choice':
      return isTrue(usable(evaluate(expression.condition, scope), expression.condition))
        ? evaluate(expression.yes, scope)
        : evaluate(expression.no, scope);
    case 'binary':
      return computeBinary(expression, scope);
  }
}

/** A value that something may be computed from. */
function usable(value: unknown, span: ExpressionSpan): unknown {
  if (!hasSecret(value)) return value;
  throw new ExpressionError('secret', 'Nothing can be computed from a secret.', span);
}

function asNumber(value: unknown, span: ExpressionSpan): number {
  if (typeof value === 'number') return value;
  throw new ExpressionError('type', `Here must be a number, but is ${JSON.stringify(value)}.`, span);
}

const arithmetic: Readonly<Record<string, (left: number, right: number) => unknown>> = {
  '+': (left, right) => left + right,
  '-': (left, right) => left - right,
  '*': (left, right) => left * right,
  '/': (left, right) => left / right,
  '%': (left, right) => left % right,
  '<': (left, right) => left < right,
  '<=': (left, right) => left <= right,
  '>': (left, right) => left > right,
  '>=': (left, right) => left >= right,
};

function computeBinary(expression: Expression & { readonly kind: 'binary' }, scope: Scope): unknown {
  const { operator } = expression;
  const left = usable(evaluate(expression.left, scope), expression.left);
  // The right side is computed only where it counts, so that `x != null && x.y` is safe.
  if (operator === '||' && isTrue(left)) return left;
  if (operator === '&&' && !isTrue(left)) return left;
  const right = usable(evaluate(expression.right, scope), expression.right);
  if (operator === '||' || operator === '&&') return right;
  if (operator === '==') return isDeepStrictEqual(left, right);
  if (operator === '!=') return !isDeepStrictEqual(left, right);
  if (operator === '+' && (typeof left === 'string' || typeof right === 'string'))
    return toText(left) + toText(right);
  const compute = arithmetic[operator];
  if (compute === undefined) throw new Error(`Internal error: no operator ${operator}.`);
  const value = compute(asNumber(left, expression.left), asNumber(right, expression.right));
  if (typeof value === 'number' && !Number.isFinite(value))
    throw new ExpressionError('type', 'The result is not a finite number.', expression);
  return value;
}

/** Checks and computes one expression, without its braces. */
export function evaluateExpression(text: string, scope: Scope): unknown {
  const expression = parseExpression(text);
  checkNames(expression, scope);
  return evaluate(expression, scope);
}

/** Told when an expression is wrong: what, and where in the text the expression begins. */
export type OnExpressionError = (error: ExpressionError, offset: number) => void;

/** True when a text holds an expression, or an escaped one. */
export const hasExpression = (text: string): boolean => text.includes('${{');

/** Where an expression ends: at the first `}}` that is not inside quotes; -1 where it never does. */
function findEnd(text: string, from: number): number {
  let quote = '';
  for (let at = from; at < text.length; at++) {
    const character = text[at] ?? '';
    if (quote !== '') {
      if (quote === '"' && character === '\\') at++;
      else if (character === quote) quote = '';
    } else if (character === '"' || character === "'") quote = character;
    else if (character === '}' && text[at + 1] === '}') return at;
  }
  return text.indexOf('}}', from);
}

/** The expression that is the whole of a text, with or without its braces, and where it begins there. */
export function unwrapExpression(
  text: string,
): { readonly text: string; readonly offset: number } | undefined {
  if (!hasExpression(text)) return { text, offset: 0 };
  const open = text.indexOf('${{');
  const end = findEnd(text, open + 3);
  const isWhole = end !== -1 && text.slice(0, open).trim() === '' && text.slice(end + 2).trim() === '';
  return isWhole ? { text: text.slice(open + 3, end), offset: open + 3 } : undefined;
}

/**
 * Computes the expressions in a text. A text that is one expression keeps the value's type; else values
 * are put into the text. `\${{` stands for the characters themselves.
 */
export function evaluateText(text: string, scope: Scope, onError: OnExpressionError): unknown {
  let result = '';
  let at = 0;
  for (let open = text.indexOf('${{'); open !== -1; open = text.indexOf('${{', at)) {
    if (text[open - 1] === '\\') {
      result += `${text.slice(at, open - 1)}\${{`;
      at = open + 3;
      continue;
    }
    const end = findEnd(text, open + 3);
    if (end === -1) {
      const span = { start: 0, end: 3 };
      const message = 'An expression begins with "${{" and never ends with "}}".';
      onError(new ExpressionError('syntax', message, span), open);
      return text;
    }
    const isWhole = text.slice(0, open).trim() === '' && text.slice(end + 2).trim() === '';
    try {
      const value = evaluateExpression(text.slice(open + 3, end), scope);
      if (isWhole) return value;
      if (hasSecret(value)) {
        const span = { start: 0, end: end - open - 3 };
        throw new ExpressionError('secret', 'A secret cannot be put into a longer text.', span);
      }
      result += text.slice(at, open) + toText(value);
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      onError(error, open + 3);
      if (isWhole) return undefined;
    }
    at = end + 2;
  }
  return result + text.slice(at);
}
