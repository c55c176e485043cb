import { Type } from '@sinclair/typebox';
import { defineStep } from '@joyul/plugin-api';

const params = Type.Object(
  {
    data: Type.Union([Type.Literal('labelled'), Type.Literal('unlabelled')], {
      default: 'labelled',
      description:
        'unlabelled trains a language model on the unlabelled texts of the data set, of which a twentieth is kept aside for validation; for a stage before the labelled one.',
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
  async run(context) {
    const { runTrain } = await import('./run.ts');
    await runTrain(context);
  },
});
