import { Type } from '@sinclair/typebox';
import { checkGrader, graderSchema } from '@joyul/metrics/graders';
import type { GraderSpec } from '@joyul/metrics/graders';
import { defineStep } from '@joyul/plugin-api';

const params = Type.Object(
  {
    shown_errors: Type.Integer({
      minimum: 0,
      maximum: 100,
      default: 5,
      description:
        'Wrong answers to show, the most confident first; of a language model those furthest from what was expected.',
    }),
    generations: Type.Integer({
      minimum: 0,
      default: 100,
      description: 'For a language model: validation conversations whose last turn it writes itself.',
    }),
    grader: Type.Optional(
      Type.Unsafe<GraderSpec>({
        ...graderSchema,
        description:
          'For a language model: what judges its answers, as OpenAI writes graders; the default are exact match, F1 and ROUGE-L.',
      }),
    ),
    max_new_tokens: Type.Integer({
      minimum: 1,
      maximum: 4096,
      default: 128,
      description: 'For a language model: tokens of an answer at most.',
    }),
    general_rows: Type.Integer({
      minimum: 1,
      default: 100,
      description: 'For a language model: texts of the input general that show what is forgotten.',
    }),
  },
  { additionalProperties: false },
);

/** Measures on the validation split and advises. */
export default defineStep({
  name: 'evaluate',
  revision: 1,
  summary: 'Measures on the validation split, shows the worst errors, and says what to change next.',
  params,
  inputs: {
    trained: { type: 'trained-model' },
    dataset: { type: 'dataset' },
    model: {
      type: 'base-model',
      optional: true,
      summary:
        'The untuned language model: perplexity, and how well a linear head on its states answers, are told before and after tuning.',
    },
    general: {
      type: 'dataset',
      optional: true,
      summary: 'Texts that have nothing to do with the data: what a language model forgot of them is told.',
    },
  },
  outputs: { metrics: { type: 'metrics' } },
  usesTensors: true,
  check: ({ grader }) => (grader === undefined ? [] : checkGrader(grader, ['grader'])),
  async run(context) {
    const { runEvaluate } = await import('./run.ts');
    await runEvaluate(context);
  },
});

/** The params of the evaluate step. */
export type EvaluateParams = (typeof params)['static'];
