import { FormulaError, parseFormula } from './formula.ts';
import type { GraderSpec, SingleSpec } from './grader-spec.ts';
import { refusedGraders } from './grader-spec.ts';
import { refusedSimilarities } from './similarity.ts';
import { findTemplateProblem } from './template.ts';

/** Something wrong with a grader that fits the schema. */
export interface GraderIssue {
  readonly path: readonly string[];
  readonly code: string;
  readonly message: string;
  readonly help?: string;
}

type Path = readonly string[];

const instead = 'Write string_check, text_similarity or multi; they need no other model.';

function checkSingle(spec: SingleSpec, path: Path): readonly GraderIssue[] {
  if (spec.type !== 'string_check' && spec.type !== 'text_similarity')
    return [
      {
        path: [...path, 'type'],
        code: 'GRADER_REFUSED',
        message: `A ${spec.type} grader cannot be had here: ${refusedGraders[spec.type]}.`,
        help: instead,
      },
    ];
  const templates = (['input', 'reference'] as const).flatMap((key): readonly GraderIssue[] => {
    const problem = findTemplateProblem(spec[key]);
    return problem === undefined ? [] : [{ path: [...path, key], code: 'GRADER_TEMPLATE', ...problem }];
  });
  if (spec.type === 'string_check') return templates;
  const { evaluation_metric: metric } = spec;
  if (metric !== 'meteor' && metric !== 'cosine') return templates;
  return [
    ...templates,
    {
      path: [...path, 'evaluation_metric'],
      code: 'GRADER_REFUSED',
      message: `The metric ${metric} cannot be had here: ${refusedSimilarities[metric]}.`,
      help: 'Write rouge_l, gleu, bleu or fuzzy_match.',
    },
  ];
}

function checkFormula(text: string, names: readonly string[], path: Path): readonly GraderIssue[] {
  try {
    parseFormula(text, names);
    return [];
  } catch (error) {
    if (!(error instanceof FormulaError)) throw error;
    const help =
      error.known.length > 0
        ? `There are ${error.known.join(', ')}.`
        : 'Write a formula such as `0.7 * meaning + 0.3 * polite`.';
    return [{ path, code: 'GRADER_FORMULA', message: `${error.message} The formula is "${text}".`, help }];
  }
}

/** Everything wrong with a grader that fits the schema; `path` leads to it. */
export function checkGrader(spec: GraderSpec, path: Path): readonly GraderIssue[] {
  if (spec.type !== 'multi') return checkSingle(spec, path);
  const names = Object.keys(spec.graders);
  const inner = names.flatMap((name): readonly GraderIssue[] => {
    const own = [...path, 'graders', name];
    const grader = spec.graders[name];
    const issues = grader === undefined ? [] : checkSingle(grader, own);
    if (/^[A-Za-z_]\w*$/.test(name)) return issues;
    const message = `"${name}" cannot stand in a formula.`;
    const help = 'Take a name of letters, digits and _, such as `meaning`.';
    return [...issues, { path: own, code: 'GRADER_NAME', message, help }];
  });
  return [...inner, ...checkFormula(spec.calculate_output, names, [...path, 'calculate_output'])];
}
