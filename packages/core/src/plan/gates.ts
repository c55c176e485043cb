/** Judges what a step measured against its gates, from plain data alone. */
import type { Gate } from '../graph/graph.ts';
import type { Expression } from '../language/expression-parser.ts';
import { ExpressionError, parseExpression } from '../language/expression-parser.ts';
import { evaluate, isTrue } from '../language/expression.ts';
import { readsMetrics, replaceMetrics, partsOf } from '../language/metric-names.ts';
import { findNearest } from '../util/suggest.ts';
import type { Metrics } from './metrics.ts';

/** A gate that said no. */
export interface GateRefusal {
  readonly gate: Gate;
  /** What was measured, and what the gate wants. */
  readonly message: string;
}

/** The gates that refuse what was measured, each in words; none when all agree. */
export function judgeGates(gates: readonly Gate[], metrics: Metrics): readonly GateRefusal[] {
  return gates.flatMap((gate) => {
    const reasons = new Judge(gate, metrics).findReasons();
    if (reasons.length === 0) return [];
    const intro = gate.message === undefined ? '' : `${gate.message.trim().replace(/[.:]$/, '')}: `;
    return [{ gate, message: `${intro}${reasons.join(' ')}` }];
  });
}

/** How one part of a check came out. */
type Verdict =
  | { readonly kind: 'agreed' | 'refused' }
  | { readonly kind: 'unknown'; readonly metric: string }
  | { readonly kind: 'failed'; readonly why: string };

class Judge {
  readonly #gate: Gate;
  readonly #metrics: Metrics;

  constructor(gate: Gate, metrics: Metrics) {
    this.#gate = gate;
    this.#metrics = metrics;
  }

  /** Of `a && b`, only what is not true is told. */
  findReasons(): readonly string[] {
    const whole = parseExpression(this.#gate.check);
    if (this.#judge(whole).kind === 'agreed') return [];
    return conjunctsOf(whole).flatMap((part) => this.#explain(part, this.#judge(part)));
  }

  #judge(part: Expression): Verdict {
    const unknown = new Map<number, string>();
    try {
      const filled = replaceMetrics(part, this.#gate.values, (name, span) => {
        const value = Object.hasOwn(this.#metrics, name) ? this.#metrics[name] : undefined;
        if (value !== undefined) return { kind: 'literal', value, ...span };
        // A metric that is only read where it counts, as in `a ? metrics.x > 1 : metrics.y > 1`, may be absent.
        unknown.set(span.start, name);
        return { kind: 'name', name: `metrics.${name}`, ...span };
      });
      return { kind: isTrue(evaluate(filled, this.#gate.values)) ? 'agreed' : 'refused' };
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      const metric = error.kind === 'name' ? unknown.get(error.span.start) : undefined;
      return metric === undefined ? { kind: 'failed', why: error.message } : { kind: 'unknown', metric };
    }
  }

  #explain(part: Expression, verdict: Verdict): readonly string[] {
    const wanted = this.#format(part);
    const measured = this.#describeMeasured(part);
    switch (verdict.kind) {
      case 'agreed':
        return [];
      case 'refused':
        return measured === ''
          ? [`The gate wants ${wanted}, which is not so.`]
          : [`${measured}, but the gate wants ${wanted}.`];
      case 'unknown':
        return [
          `The gate wants ${wanted}, but metrics.${verdict.metric} was not measured. ${this.#suggest(verdict.metric)}`,
        ];
      case 'failed': {
        const seen = measured === '' ? '' : ` ${measured}.`;
        return [`The gate wants ${wanted}, which cannot be computed: ${verdict.why}${seen}`];
      }
    }
  }

  #suggest(metric: string): string {
    const names = Object.keys(this.#metrics);
    const nearest = findNearest(metric, names);
    if (nearest !== undefined) return `Did you mean metrics.${nearest}?`;
    if (names.length === 0) return 'The step measured nothing: none of its outputs has a metrics.json.';
    const shown = names.slice(0, 20).map((name) => `metrics.${name}`);
    const more = names.length > shown.length ? ` and ${names.length - shown.length} more` : '';
    return `Measured are ${shown.join(', ')}${more}.`;
  }

  /** `metrics.a is 0.71 and metrics.b is 3`, each metric once. */
  #describeMeasured(part: Expression): string {
    const names = new Set<string>();
    replaceMetrics(part, this.#gate.values, (name, span) => {
      if (Object.hasOwn(this.#metrics, name)) names.add(name);
      return { kind: 'literal', value: null, ...span };
    });
    return [...names].map((name) => `metrics.${name} is ${String(this.#metrics[name])}`).join(' and ');
  }

  /** `metrics.card.f1` for `metrics[params.class].f1`. */
  #nameMetric(piece: Expression): string {
    let text = this.#gate.check.slice(piece.start, piece.end);
    replaceMetrics(piece, this.#gate.values, (name, span) => {
      if (span.start === piece.start) text = `metrics.${name}`;
      return { kind: 'literal', value: null, ...span };
    });
    return text;
  }

  /** The text of a part as written, with values in the place of `params.x` and all else that is known. */
  #format(part: Expression): string {
    const { check, values } = this.#gate;
    const pieces: string[] = [];
    let at = part.start;
    const put = (piece: Expression, text: string): void => {
      pieces.push(check.slice(at, piece.start), text);
      at = piece.end;
    };
    const visit = (piece: Expression): void => {
      if (piece.kind === 'literal') return;
      if (!readsMetrics(piece)) put(piece, formatKnown(evaluate(piece, values)));
      else if (piece.kind === 'member') put(piece, this.#nameMetric(piece));
      else partsOf(piece).forEach(visit);
    };
    if (readsMetrics(part)) visit(part);
    return `${pieces.join('')}${check.slice(at, part.end)}`.replaceAll(/\s+/g, ' ');
  }
}

/** The parts of `a && b && c`. */
const conjunctsOf = (expression: Expression): readonly Expression[] =>
  expression.kind === 'binary' && expression.operator === '&&'
    ? [...conjunctsOf(expression.left), ...conjunctsOf(expression.right)]
    : [expression];

/** Sums of decimal fractions have digits that nobody wrote: 0.9 + 0.05. */
const formatKnown = (value: unknown): string =>
  typeof value === 'number' ? String(Number(value.toPrecision(12))) : JSON.stringify(value);
