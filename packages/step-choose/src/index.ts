import { Type } from '@sinclair/typebox';
import { defineStep } from '@joyul/plugin-api';

const params = Type.Object(
  {
    alpha: Type.Number({
      exclusiveMinimum: 0,
      maximum: 0.5,
      default: 0.05,
      description: 'The candidate is kept only where its gain would be chance with a lower probability.',
    }),
    metric: Type.Union(
      [
        Type.Literal('auto'),
        Type.Literal('exact_match'),
        Type.Literal('f1'),
        Type.Literal('rouge_l'),
        Type.Literal('loss'),
      ],
      {
        default: 'auto',
        description:
          'What judges: auto counts right labels, scores answers by exact match where they are short and by ROUGE-L otherwise, and measures the loss of plain texts; loss looks closer than right or wrong does.',
      },
    ),
    max_rows: Type.Integer({
      minimum: 1,
      default: 500,
      description: 'Validation rows that judge, at most; of more a part is drawn.',
    }),
    max_new_tokens: Type.Integer({
      minimum: 1,
      maximum: 4096,
      default: 128,
      description: 'For a language model: tokens of an answer at most.',
    }),
    context: Type.Integer({
      minimum: 64,
      maximum: 8192,
      default: 1024,
      description: 'For a language model: tokens of a prompt with its answer, or of a text, at most.',
    }),
  },
  { additionalProperties: false },
);

/** Keeps the simpler of two trained models unless the other is significantly better. */
export default defineStep({
  name: 'choose',
  revision: 1,
  summary:
    'Keeps a model with an extra stage only if it is significantly better on the validation split than one without.',
  params,
  inputs: {
    candidate: { type: 'trained-model', summary: 'Trained with the extra stage.' },
    simpler: { type: 'trained-model', summary: 'Trained without it: what is kept in doubt.' },
    dataset: { type: 'dataset', summary: 'Its validation split judges.' },
  },
  outputs: {
    trained: { type: 'trained-model', summary: 'The one that is kept.' },
    metrics: { type: 'metrics' },
  },
  usesTensors: true,
  async run(context) {
    const { runChoose } = await import('./run.ts');
    await runChoose(context);
  },
});

/** The params of the choose step. */
export type ChooseParams = (typeof params)['static'];
