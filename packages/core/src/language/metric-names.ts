/** `metrics.NAME` in expressions: measured when a step has ended, so that only its name is known before. */
import type { Expression, ExpressionSpan } from './expression-parser.ts';
import { ExpressionError } from './expression-parser.ts';
import type { Scope } from './expression.ts';
import { checkNames, evaluate } from './expression.ts';

/** What an expression has in the place of a metric. */
export type ReplaceMetric = (name: string, span: ExpressionSpan) => Expression;

const refuseBare = (span: ExpressionSpan): never => {
  throw new ExpressionError('type', 'A metric is read by its name, such as metrics.accuracy.', span);
};

/** The name of the metric that a chain such as `metrics.test["macro-f1"]` reads; undefined for other chains. */
function readMetricName(expression: Expression, scope: Scope): string | undefined {
  if (expression.kind !== 'member') return undefined;
  const isRoot = expression.of.kind === 'name' && expression.of.name === 'metrics';
  const before = isRoot ? '' : readMetricName(expression.of, scope);
  if (before === undefined) return undefined;
  checkNames(expression.key, scope);
  const key = evaluate(expression.key, scope);
  if (typeof key !== 'string' && typeof key !== 'number') return refuseBare(expression.key);
  return before === '' ? String(key) : `${before}.${key}`;
}

/** A copy of an expression whose metrics are replaced; keys in brackets are computed from `scope`. */
export function replaceMetrics(expression: Expression, scope: Scope, replace: ReplaceMetric): Expression {
  const inner = (part: Expression): Expression => replaceMetrics(part, scope, replace);
  switch (expression.kind) {
    case 'literal':
      return expression;
    case 'name':
      return expression.name === 'metrics' ? refuseBare(expression) : expression;
    case 'member': {
      const name = readMetricName(expression, scope);
      if (name !== undefined) return replace(name, { start: expression.start, end: expression.end });
      return { ...expression, of: inner(expression.of), key: inner(expression.key) };
    }
    case 'call':
      return { ...expression, values: expression.values.map(inner) };
    case 'unary':
      return { ...expression, value: inner(expression.value) };
    case 'binary':
      return { ...expression, left: inner(expression.left), right: inner(expression.right) };
    case 'choice':
      return {
        ...expression,
        condition: inner(expression.condition),
        yes: inner(expression.yes),
        no: inner(expression.no),
      };
  }
}

/** The parts of an expression, from left to right. */
export function partsOf(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case 'literal':
    case 'name':
      return [];
    case 'member':
      return [expression.of, expression.key];
    case 'call':
      return expression.values;
    case 'unary':
      return [expression.value];
    case 'binary':
      return [expression.left, expression.right];
    case 'choice':
      return [expression.condition, expression.yes, expression.no];
  }
}

/** True when something in an expression is measured. */
export const readsMetrics = (expression: Expression): boolean =>
  (expression.kind === 'name' && expression.name === 'metrics') || partsOf(expression).some(readsMetrics);
