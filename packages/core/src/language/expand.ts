import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import { findNearest } from '../util/suggest.ts';
import type { ParsedDocument } from './document.ts';
import type { ExpressionError, Scope } from './expression.ts';
import { evaluateText, hasExpression } from './expression.ts';

/** Values of one matrix instance, by axis. */
export type MatrixValues = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Turns an error inside an expression into a message with its own place in the file. */
function explainExpression(
  document: ParsedDocument,
  path: readonly (string | number)[],
  text: string,
  error: ExpressionError,
  offset: number,
): Diagnostic {
  const range = document.rangeOf(path);
  // Inside a plain or quoted scalar the expression stands as it is written; elsewhere the whole value is shown.
  const at = document.source.text.indexOf(text.slice(offset, offset + 40), range.start);
  const isInside = at !== -1 && at < range.end;
  const place = isInside
    ? {
        source: document.source,
        start: at + error.span.start,
        end: at + Math.max(error.span.end, error.span.start + 1),
      }
    : range;
  const word = document.source.text.slice(place.start, place.end);
  const nearest = error.kind === 'name' ? findNearest(word, error.known) : undefined;
  const help =
    nearest !== undefined
      ? `Did you mean "${nearest}"?`
      : error.known.length > 0
        ? `Known are ${error.known.map((name) => `"${name}"`).join(', ')}.`
        : undefined;
  const codes = { syntax: 'EXPRESSION_SYNTAX', name: 'EXPRESSION_NAME', type: 'EXPRESSION_TYPE' } as const;
  return {
    code: codes[error.kind],
    severity: 'error',
    message: error.message,
    range: place,
    ...(help === undefined ? {} : { help }),
  };
}

/** Computes every expression in a value. */
export function evaluateValue(
  value: unknown,
  path: readonly (string | number)[],
  scope: Scope,
  document: ParsedDocument,
  report: (diagnostic: Diagnostic) => void,
): unknown {
  if (typeof value === 'string') {
    if (!hasExpression(value)) return value;
    return evaluateText(value, scope, (error, offset) => {
      report(explainExpression(document, path, value, error, offset));
    });
  }
  if (Array.isArray(value))
    return value.map((item, index) => evaluateValue(item, [...path, index], scope, document, report));
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      evaluateValue(item, [...path, key], scope, document, report),
    ]),
  );
}

const matches = (values: MatrixValues, pattern: unknown): boolean =>
  isRecord(pattern) &&
  Object.entries(pattern).every(([axis, value]) => JSON.stringify(values[axis]) === JSON.stringify(value));

/** The instances of a matrix: all combinations of its axes, less `exclude`, and `include`. */
export function expandMatrix(matrix: Readonly<Record<string, unknown>>): readonly MatrixValues[] {
  const { include = [], exclude = [], ...axes } = matrix;
  const product = Object.entries(axes).reduce<readonly MatrixValues[]>(
    (instances, [axis, values]) =>
      instances.flatMap((instance) =>
        (Array.isArray(values) ? values : [values]).map((value: unknown) => ({ ...instance, [axis]: value })),
      ),
    Object.keys(axes).length === 0 ? [] : [{}],
  );
  const excluded = Array.isArray(exclude) ? exclude : [];
  const included = Array.isArray(include) ? include.filter(isRecord) : [];
  return [
    ...product.filter((instance) => !excluded.some((pattern) => matches(instance, pattern))),
    ...included,
  ];
}

/** An instance's id: `train@lr=0.001,seed=1`. */
export function formatInstanceId(step: string, values: MatrixValues): string {
  const parts = Object.entries(values).map(
    ([axis, value]) => `${axis}=${typeof value === 'object' ? JSON.stringify(value) : String(value)}`,
  );
  return parts.length === 0 ? step : `${step}@${parts.join(',')}`;
}

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of `30s`, `10m` or a number of seconds. */
export function parseDuration(value: unknown): number | undefined {
  if (typeof value === 'number') return value * 1000;
  const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/.exec(value) : null;
  return match === null ? undefined : Number(match[1]) * (unitsMs[match[2] ?? ''] ?? 1);
}
