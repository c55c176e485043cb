import { Type } from '@sinclair/typebox';
import { checkGrader, graderSchema } from '@joyul/metrics/graders';
import type { GraderSpec } from '@joyul/metrics/graders';
import { defineStep } from '@joyul/plugin-api';

const baseline = Type.Union([
  Type.Literal('majority'),
  Type.Literal('bag_of_words'),
  Type.Literal('frozen_probe'),
]);

const params = Type.Object(
  {
    min_accuracy: Type.Number({
      minimum: 0,
      maximum: 1,
      default: 0,
      description: 'The gate refuses a model below this accuracy.',
    }),
    must_beat: Type.Array(baseline, {
      default: [],
      description: 'The gate refuses a model that is less accurate than one of these.',
    }),
    max_length: Type.Integer({
      minimum: 8,
      maximum: 512,
      default: 128,
      description: 'Tokens of a text that count for the frozen probe.',
    }),
    probe_rows: Type.Integer({
      minimum: 20,
      default: 1000,
      description:
        'Training rows that the frozen probe is fitted on; of a language model, the new head on its frozen features.',
    }),
    metric: Type.Union(
      [Type.Literal('auto'), Type.Literal('exact_match'), Type.Literal('f1'), Type.Literal('rouge_l')],
      {
        default: 'auto',
        description:
          'What judges the answers of a language model; auto takes exact match where answers are short, and ROUGE-L otherwise.',
      },
    ),
    grader: Type.Optional(
      Type.Unsafe<GraderSpec>({
        ...graderSchema,
        description:
          'What judges the answers of a language model in place of metric, as OpenAI writes graders.',
      }),
    ),
    max_questions: Type.Integer({
      minimum: 1,
      default: 200,
      description: 'Test conversations whose last turn a language model writes itself.',
    }),
    max_new_tokens: Type.Integer({
      minimum: 1,
      maximum: 4096,
      default: 128,
      description: 'Tokens of such an answer at most.',
    }),
    context: Type.Integer({
      minimum: 64,
      maximum: 8192,
      default: 1024,
      description: 'Tokens of a prompt with its answer at most.',
    }),
    shots: Type.Integer({
      minimum: 0,
      maximum: 32,
      default: 4,
      description:
        'Similar training examples that the untuned model is shown before the question, for comparison; 0 leaves that prompt out.',
    }),
    consistency_questions: Type.Integer({
      minimum: 1,
      default: 50,
      description:
        'Of these, questions that are asked again with small changes and answered by chance, to see how alike answers stay.',
    }),
    instruction: Type.String({
      default: '',
      description: 'A system message for the untuned model, for comparison.',
      examples: ['Answer with the name of the intent only.'],
    }),
  },
  { additionalProperties: false },
);

/** The final test, on rows that nothing else has seen. */
export default defineStep({
  name: 'test',
  revision: 2,
  summary: 'Opens the sealed test split once: final metrics with intervals, beside simple baselines.',
  params,
  inputs: {
    trained: { type: 'trained-model' },
    rivals: {
      type: 'trained-model',
      many: true,
      optional: true,
      summary: 'Language models that answer the same questions; one that is `trained` itself counts once.',
    },
    test: { type: 'test-split' },
    dataset: { type: 'dataset' },
    model: { type: 'base-model' },
  },
  outputs: { metrics: { type: 'test-metrics' } },
  usesTensors: true,
  check: ({ grader }) => (grader === undefined ? [] : checkGrader(grader, ['grader'])),
  async run(context) {
    const { runTest } = await import('./run.ts');
    await runTest(context);
  },
});

/** The params of the test step. */
export type TestParams = (typeof params)['static'];
