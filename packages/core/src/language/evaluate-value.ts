import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { SourceRange } from '../diagnostics/source.ts';
import { findNearest } from '../util/suggest.ts';
import type { ParsedDocument } from './document.ts';
import { ExpressionError } from './expression-parser.ts';
import type { Scope } from './expression.ts';
import {
  evaluateExpression,
  evaluateText,
  hasExpression,
  isSecret,
  isTrue,
  unwrapExpression,
} from './expression.ts';
import type { TreePath } from './tree.ts';

type Report = (diagnostic: Diagnostic) => void;

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const codes = {
  syntax: 'EXPRESSION_SYNTAX',
  name: 'EXPRESSION_NAME',
  type: 'EXPRESSION_TYPE',
  secret: 'EXPRESSION_SECRET',
  told: 'EXPRESSION_NAME',
} as const;

/**
 * Where a part of a text stands in the file. A text on one line stands there as it is; of a text with escapes or
 * over several lines the first line of the part is looked for, and else the whole value is shown.
 */
function locate(range: SourceRange, text: string, offset: number): number | undefined {
  const written = range.source.text.slice(range.start, range.end);
  const whole = written.indexOf(text);
  if (whole !== -1) return range.start + whole + offset;
  const part = text.slice(offset, offset + 40).split('\n')[0] ?? '';
  const at = part.trim() === '' ? -1 : written.indexOf(part);
  return at === -1 ? undefined : range.start + at;
}

/** Turns an error inside an expression into a message with its own place in the file. */
function explainExpression(
  range: SourceRange,
  text: string,
  error: ExpressionError,
  offset: number,
): Diagnostic {
  const at = locate(range, text, offset);
  const { start, end } = error.span;
  const place =
    at === undefined
      ? range
      : { source: range.source, start: at + start, end: at + Math.max(end, start + 1) };
  const word = text.slice(offset + start, offset + end);
  const nearest = error.kind === 'name' ? findNearest(word, error.known) : undefined;
  const known = error.known.map((name) => `"${name}"`).join(', ');
  const help =
    nearest !== undefined
      ? `Did you mean "${nearest}"?`
      : known !== ''
        ? `Known are ${known}.`
        : error.kind === 'syntax' && word === '='
          ? 'Write `==`.'
          : error.kind === 'secret'
            ? 'Let the whole value be `${{ secrets.NAME }}`.'
            : undefined;
  return {
    code: codes[error.kind],
    severity: 'error',
    message: error.message,
    range: place,
    ...(help === undefined ? {} : { help }),
  };
}

/** What computing a value needs. */
export interface EvaluateParts {
  readonly scope: Scope;
  readonly document: ParsedDocument;
  readonly report: Report;
  /** Called when a value cannot be computed because of a mistake that has been told already. */
  readonly onTold?: () => void;
}

/** Computes every expression in a value; the result shares nothing with the scope. */
export function evaluateValue(value: unknown, path: TreePath, parts: EvaluateParts): unknown {
  if (typeof value === 'string') {
    if (!hasExpression(value)) return value;
    const result = evaluateText(value, parts.scope, (error, offset) => {
      reportExpression(error, { text: value, offset, path }, parts);
    });
    return typeof result === 'object' ? structuredClone(result) : result;
  }
  if (Array.isArray(value)) return value.map((item, index) => evaluateValue(item, [...path, index], parts));
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, evaluateValue(item, [...path, key], parts)]),
  );
}

/** Tells what is wrong with an expression that begins at `offset` of a text. */
export function reportExpression(
  error: ExpressionError,
  written: { readonly text: string; readonly offset: number; readonly path: TreePath },
  parts: EvaluateParts,
): void {
  if (error.kind === 'told') {
    parts.onTold?.();
    return;
  }
  const range = parts.document.rangeOf(written.path);
  parts.report(explainExpression(range, written.text, error, written.offset));
}

/** Reads a condition: one expression, with or without braces; undefined, and told, where it is something else. */
export function readCondition(
  text: string,
  path: TreePath,
  parts: EvaluateParts,
): { readonly text: string; readonly offset: number } | undefined {
  const found = unwrapExpression(text);
  if (found !== undefined) return found;
  const message = 'A condition is one expression; this one goes on outside of its braces.';
  const error = new ExpressionError('syntax', message, { start: 0, end: text.length });
  parts.report({
    ...explainExpression(parts.document.rangeOf(path), text, error, 0),
    help: 'Write the whole condition without ${{ and }}.',
  });
  return undefined;
}

/** Computes a condition, which is an expression with or without `${{ }}`. */
export function evaluateCondition(value: string | boolean, path: TreePath, parts: EvaluateParts): boolean {
  if (typeof value === 'boolean') return value;
  const condition = readCondition(value, path, parts);
  if (condition === undefined) return true;
  try {
    const computed = evaluateExpression(condition.text, parts.scope);
    if (isSecret(computed))
      throw new ExpressionError('secret', 'A secret cannot decide whether a step runs.', {
        start: 0,
        end: condition.text.length,
      });
    return isTrue(computed);
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    reportExpression(error, { text: value, offset: condition.offset, path }, parts);
    return true;
  }
}
