/** Graders as OpenAI writes them, as types and as a JSON Schema for params. */
import { refusedSimilarities, similarities } from './similarity.ts';

/** Compares two texts: 1 or 0. */
export interface StringCheckSpec {
  readonly type: 'string_check';
  readonly name?: string;
  /** A template of what is looked at. */
  readonly input: string;
  /** A template of what it is compared with. */
  readonly reference: string;
  /** Equal, not equal, contains, contains whatever the case. */
  readonly operation: 'eq' | 'ne' | 'like' | 'ilike';
}

/** Measures how alike two texts are: from 0 to 1. */
export interface TextSimilaritySpec {
  readonly type: 'text_similarity';
  readonly name?: string;
  readonly input: string;
  readonly reference: string;
  readonly evaluation_metric: keyof typeof similarities | keyof typeof refusedSimilarities;
  /** An answer passes from here on; absent: none passes or fails. */
  readonly pass_threshold?: number;
}

/** Why graders of a type that OpenAI has cannot be had here. */
export const refusedGraders = {
  score_model: 'a model of OpenAI would give the score',
  label_model: 'a model of OpenAI would give the label',
  python: 'code from a pipeline file is not run',
} as const;

/** A grader that is refused, with whatever it says. */
export interface RefusedSpec {
  readonly type: keyof typeof refusedGraders;
  readonly name?: string;
}

/** A grader by itself. */
export type SingleSpec = StringCheckSpec | TextSimilaritySpec | RefusedSpec;

/** Computes a grade from those of other graders. */
export interface MultiSpec {
  readonly type: 'multi';
  readonly name?: string;
  readonly graders: Readonly<Record<string, SingleSpec>>;
  /** A formula over their names. */
  readonly calculate_output: string;
}

/** What grades answers. */
export type GraderSpec = SingleSpec | MultiSpec;

const name = { type: 'string', minLength: 1, description: 'What reports call it.' };
const template = (description: string, example: string) => ({
  type: 'string',
  description: `${description}, with \`{{ item.reference_answer }}\`, \`{{ item.question }}\`, \`{{ sample.output_text }}\` or \`{{ sample.output_json.FIELD }}\` in it.`,
  examples: [example],
});
const input = template('What is looked at', '{{ sample.output_text }}');
const reference = template('What it is compared with', '{{ item.reference_answer }}');

const stringCheck = {
  type: 'object',
  additionalProperties: false,
  required: ['type', 'input', 'reference', 'operation'],
  properties: {
    type: { const: 'string_check' },
    name,
    input,
    reference,
    operation: {
      type: 'string',
      enum: ['eq', 'ne', 'like', 'ilike'],
      description: 'eq: equal; ne: not equal; like: contains; ilike: contains, whatever the case.',
    },
  },
};

const textSimilarity = {
  type: 'object',
  additionalProperties: false,
  required: ['type', 'input', 'reference', 'evaluation_metric'],
  properties: {
    type: { const: 'text_similarity' },
    name,
    input,
    reference,
    evaluation_metric: {
      type: 'string',
      enum: [...Object.keys(similarities), ...Object.keys(refusedSimilarities)],
      description: `How alike two texts are; ${Object.keys(refusedSimilarities).join(' and ')} are refused.`,
    },
    pass_threshold: {
      type: 'number',
      minimum: 0,
      maximum: 1,
      description: 'Answers pass from here on; their share is told.',
    },
  },
};

const refused = Object.keys(refusedGraders).map((type) => ({
  type: 'object',
  required: ['type'],
  properties: { type: { const: type } },
}));

const single = { anyOf: [stringCheck, textSimilarity, ...refused], $comment: 'a grader of type string_check or text_similarity' }; // prettier-ignore

const multi = {
  type: 'object',
  additionalProperties: false,
  required: ['type', 'graders', 'calculate_output'],
  properties: {
    type: { const: 'multi' },
    name,
    graders: {
      type: 'object',
      minProperties: 1,
      additionalProperties: single,
      description: 'Graders by the names that the formula uses.',
    },
    calculate_output: {
      type: 'string',
      minLength: 1,
      description: 'A formula with + - * / ^, min, max, abs, floor, ceil, exp, sqrt and log.',
      examples: ['0.7 * meaning + 0.3 * polite'],
    },
  },
};

/** The JSON Schema of {@link GraderSpec}. */
export const graderSchema = {
  anyOf: [stringCheck, textSimilarity, multi, ...refused],
  $comment: 'a grader of type string_check, text_similarity or multi',
};
