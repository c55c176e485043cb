import { Type } from '@sinclair/typebox';
import { defineStep } from '@joyul/plugin-api';

const params = Type.Object(
  {
    from: Type.Union([Type.Literal('auto'), Type.Literal('texts'), Type.Literal('examples')], {
      default: 'auto',
      description:
        'What the model writes from: the unlabelled texts of the data set, each with questions on it, or training examples alone (Self-Instruct, Wang et al. 2022); auto takes the texts where there are any.',
    }),
    rows: Type.Integer({ minimum: 1, default: 200, description: 'Rows to keep at most.' }),
    attempts: Type.Integer({
      minimum: 1,
      default: 400,
      description: 'Rows that are written at most, before the filter.',
    }),
    shots: Type.Integer({
      minimum: 1,
      maximum: 16,
      default: 3,
      description: 'Training examples that the model is shown each time.',
    }),
    temperature: Type.Number({
      minimum: 0,
      maximum: 2,
      default: 0.8,
      description: 'How freely rows are written; 0 always writes the likeliest.',
    }),
    top_p: Type.Number({
      exclusiveMinimum: 0,
      maximum: 1,
      default: 0.95,
      description: 'Only the likeliest words that together reach this probability are drawn from.',
    }),
    samples: Type.Integer({
      minimum: 0,
      maximum: 16,
      default: 3,
      description:
        'Times that the model is asked each question it wrote; 0 keeps answers that it gives only once.',
    }),
    agreement: Type.Number({
      minimum: 0,
      maximum: 1,
      default: 0.6,
      description: 'Share of these samples that has to agree with the answer it wrote.',
    }),
    max_rouge: Type.Number({
      exclusiveMinimum: 0,
      maximum: 1,
      default: 0.7,
      description:
        'Questions that are as much like another one (ROUGE-L) are dropped; raise it where questions follow few patterns.',
    }),
    max_perplexity: Type.Optional(
      Type.Number({
        exclusiveMinimum: 1,
        description:
          'Rows at whose answers the model is more surprised are dropped; the default is what surprises it most in training rows.',
      }),
    ),
    max_new_tokens: Type.Integer({
      minimum: 8,
      maximum: 2048,
      default: 96,
      description: 'Tokens of a question with its answer at most.',
    }),
    context: Type.Integer({
      minimum: 64,
      maximum: 8192,
      default: 1024,
      description: 'Tokens of what is shown, with what is written, at most.',
    }),
  },
  { additionalProperties: false },
);

/** Lets a model write more training conversations. */
export default defineStep({
  name: 'synthesise',
  revision: 1,
  summary:
    'Lets a language model write more training conversations, from unlabelled texts or examples, and keeps those that pass a filter.',
  params,
  inputs: {
    dataset: { type: 'dataset', summary: 'Conversations, with unlabelled texts or without.' },
    model: { type: 'base-model', summary: 'Writes.' },
    trained: { type: 'trained-model', optional: true, summary: 'Writes in its place.' },
  },
  outputs: {
    dataset: { type: 'dataset', summary: 'The same with generated rows among the training rows, marked.' },
  },
  usesTensors: true,
  check(given) {
    return given.attempts >= given.rows
      ? []
      : [
          {
            path: ['attempts'],
            code: 'TOO_FEW_ATTEMPTS',
            message: `"attempts" is ${given.attempts}, fewer than the ${given.rows} rows to keep.`,
            help: `write at least ${given.rows}; several times as many are usual, since the filter drops most.`,
          },
        ];
  },
  async run(context) {
    const { runSynthesise } = await import('./run.ts');
    await runSynthesise(context);
  },
});

/** The params of the synthesise step. */
export type SynthesiseParams = (typeof params)['static'];
