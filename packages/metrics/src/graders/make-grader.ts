import { parseFormula } from './formula.ts';
import type { GraderSpec, SingleSpec, StringCheckSpec } from './grader-spec.ts';
import { similarities } from './similarity.ts';
import { fillTemplate } from './template.ts';
import type { GradedAnswer } from './template.ts';

/** What a grader says of an answer. */
export interface Grade {
  /** 1 is best and 0 worst, unless a formula says otherwise; 0 where it gives no number. */
  readonly score: number;
  /** Absent where the grader has no threshold. */
  readonly isPassed?: boolean;
  /** False where a formula gave no finite number. */
  readonly isDefined: boolean;
}

/** Grades answers, one at a time. */
export type Grader = (answer: GradedAnswer) => Grade;

const operations: Readonly<
  Record<StringCheckSpec['operation'], (input: string, reference: string) => boolean>
> = {
  eq: (input, reference) => input === reference,
  ne: (input, reference) => input !== reference,
  like: (input, reference) => input.includes(reference),
  ilike: (input, reference) => input.toLowerCase().includes(reference.toLowerCase()),
};

function makeSingle(spec: SingleSpec): Grader {
  if (spec.type === 'string_check')
    return (answer) => {
      const [input, reference] = [fillTemplate(spec.input, answer), fillTemplate(spec.reference, answer)];
      const isPassed = operations[spec.operation](input, reference);
      return { score: Number(isPassed), isPassed, isDefined: true };
    };
  if (spec.type !== 'text_similarity' || spec.evaluation_metric === 'meteor' || spec.evaluation_metric === 'cosine')
    throw new Error('Internal error: a grader was not checked.'); // prettier-ignore
  const measure = similarities[spec.evaluation_metric];
  const { pass_threshold: threshold } = spec;
  return (answer) => {
    const score = measure(fillTemplate(spec.input, answer), fillTemplate(spec.reference, answer));
    return { score, isDefined: true, ...(threshold === undefined ? {} : { isPassed: score >= threshold }) };
  };
}

/** Makes a grader that {@link checkGrader} found nothing wrong with. */
export function makeGrader(spec: GraderSpec): Grader {
  if (spec.type !== 'multi') return makeSingle(spec);
  const parts = Object.entries(spec.graders).map(([name, own]) => [name, makeSingle(own)] as const);
  const compute = parseFormula(
    spec.calculate_output,
    parts.map(([name]) => name),
  );
  return (answer) => {
    const value = compute(Object.fromEntries(parts.map(([name, grade]) => [name, grade(answer).score])));
    const isDefined = Number.isFinite(value);
    return { score: isDefined ? value : 0, isDefined };
  };
}

/** What reports call a grader: its name, or what it measures. */
export function nameGrader(spec: GraderSpec): string {
  if (spec.name !== undefined) return spec.name;
  return spec.type === 'text_similarity' ? spec.evaluation_metric : spec.type;
}
