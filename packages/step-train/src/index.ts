import { Type } from '@sinclair/typebox';
import { defineStep } from '@joyul/plugin-api';

const params = Type.Object(
  {
    data: Type.Union([Type.Literal('labelled'), Type.Literal('unlabelled')], {
      default: 'labelled',
      description:
        'unlabelled trains on the unlabelled texts of the data set, of which a twentieth is kept aside for validation; for a stage before the labelled one.',
    }),
    objective: Type.Union([Type.Literal('auto'), Type.Literal('contrastive'), Type.Literal('masked')], {
      default: 'auto',
      description:
        'What an encoder learns from unlabelled texts: contrastive tells a text, seen a second time through dropout, from others (SimCSE); masked guesses masked words, where the model has that head; auto takes masked where it can. A language model guesses the next token.',
    }),
    samples: Type.Integer({
      minimum: 0,
      maximum: 16,
      default: 3,
      description:
        'For a language model: validation questions that it answers at the start, at the end of each epoch, and at evaluations between that are 20 iterations apart; 0 means none.',
    }),
    sample_tokens: Type.Integer({
      minimum: 1,
      maximum: 1024,
      default: 32,
      description: 'Tokens of such an answer at most; each costs time.',
    }),
  },
  { additionalProperties: false },
);

/** The params of the train step. */
export type TrainParams = (typeof params)['static'];

/** Trains. */
export default defineStep({
  name: 'train',
  revision: 3,
  summary: 'Trains what the strategy names, evaluates periodically, and proves what moved.',
  params,
  inputs: {
    dataset: { type: 'dataset' },
    weights: { type: 'weights' },
    strategy: { type: 'strategy' },
    hparams: { type: 'hparams' },
  },
  outputs: { trained: { type: 'trained-model' } },
  usesTensors: true,
  // They hold the number of epochs; what else they say is in the key.
  continues: { unit: 'epoch', inputs: ['hparams'] },
  check({ data, objective }) {
    if (data === 'unlabelled' || objective === 'auto') return [];
    return [
      {
        path: ['objective'],
        code: 'OBJECTIVE_OF_LABELS',
        message: `"objective" is ${objective}, but labelled rows have their labels to learn.`,
        help: 'Add data: unlabelled, or take objective out.',
      },
    ];
  },
  async run(context) {
    const { runTrain } = await import('./run.ts');
    await runTrain(context);
  },
});
