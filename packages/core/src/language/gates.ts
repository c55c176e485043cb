import type { JsonObject } from '@joyul/plugin-api';
import { formatPlace } from '../diagnostics/diagnostic.ts';
import type { Gate } from '../graph/graph.ts';
import type { EvaluateParts } from './evaluate-value.ts';
import { evaluateValue, readCondition, reportExpression } from './evaluate-value.ts';
import type { Expression } from './expression-parser.ts';
import { ExpressionError, parseExpression } from './expression-parser.ts';
import type { Scope } from './expression.ts';
import { checkNames, evaluate, hasSecret, toText } from './expression.ts';
import { partsOf, replaceMetrics } from './metric-names.ts';
import type { TreePath } from './tree.ts';

/** A gate as it is written. */
export type GateSpec = string | { readonly check: string; readonly message?: string };

/** Stands for every metric while a gate is checked; no quotient or difference of it is likely to be 0. */
const probe = 0.731_058_578_630_004_9;

/** What an expression reads beside metrics: only the values that it names, so that no other enters a record. */
function captureValues(expression: Expression, scope: Scope): JsonObject {
  const captured: Record<string, unknown> = {};
  const visit = (part: Expression): void => {
    if (part.kind === 'name' && part.name === 'metrics') return;
    if (part.kind === 'member' && part.of.kind === 'name' && part.key.kind === 'literal') {
      if (part.of.name === 'metrics') return;
      const root = scope[part.of.name] as Readonly<Record<string, unknown>>; // Names have been checked.
      const known = captured[part.of.name] as Readonly<Record<string, unknown>> | undefined; // Set below.
      const key = String(part.key.value);
      captured[part.of.name] = { ...known, [key]: root[key] };
    } else if (part.kind === 'name') captured[part.name] = scope[part.name];
    else partsOf(part).forEach(visit);
  };
  visit(expression);
  return captured as JsonObject; // Scopes hold JSON values.
}

/** Reads one check: what it captures, or undefined where it is wrong, which is told. */
function readCheck(
  text: string,
  path: TreePath,
  parts: EvaluateParts,
): Pick<Gate, 'check' | 'values'> | undefined {
  const condition = readCondition(text, path, parts);
  if (condition === undefined) return undefined;
  try {
    const expression = parseExpression(condition.text);
    const probed = replaceMetrics(expression, parts.scope, (_, span) => ({
      kind: 'literal',
      value: probe,
      ...span,
    }));
    checkGateNames(probed, parts.scope);
    const values = captureValues(expression, parts.scope);
    const whole = { start: 0, end: condition.text.length };
    if (hasSecret(values)) throw new ExpressionError('secret', 'A gate cannot read a secret.', whole);
    const result = evaluate(probed, parts.scope);
    if (typeof result === 'boolean') return { check: condition.text.trim(), values };
    const kind = result === null ? 'empty' : typeof result === 'string' ? 'a text' : `a ${typeof result}`;
    throw new ExpressionError('type', `A gate must be true or false, but this is ${kind}.`, whole);
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    reportExpression(error, { text, offset: condition.offset, path }, parts);
    return undefined;
  }
}

/** The same as for other expressions, but `metrics` is among the names that could be meant. */
function checkGateNames(expression: Expression, scope: Scope): void {
  try {
    checkNames(expression, scope);
  } catch (error) {
    if (!(error instanceof ExpressionError) || error.kind !== 'name') throw error;
    const isRoot = Object.keys(scope).every((name) => error.known.includes(name));
    throw isRoot
      ? new ExpressionError('name', error.message, error.span, ['metrics', ...error.known])
      : error;
  }
}

/** The gates of a step, with all that judging them needs beside what is measured. */
export function readGates(specs: readonly GateSpec[], path: TreePath, parts: EvaluateParts): readonly Gate[] {
  // A secret's value is not known to whoever judges.
  const { secrets: _secrets, ...scope } = parts.scope;
  return specs.flatMap((spec, index): readonly Gate[] => {
    const at = [...path, index];
    const checkPath = typeof spec === 'string' ? at : [...at, 'check'];
    const check = readCheck(typeof spec === 'string' ? spec : spec.check, checkPath, { ...parts, scope });
    const written = typeof spec === 'string' ? undefined : spec.message;
    const message = evaluateValue(written, [...at, 'message'], { ...parts, scope });
    if (check === undefined) return [];
    const place = formatPlace(parts.document.rangeOf(checkPath));
    return [
      {
        ...check,
        place,
        ...(message === undefined ? {} : { message: toText(message) }),
      },
    ];
  });
}
