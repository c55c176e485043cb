import { Type } from '@sinclair/typebox';
import { defineStep } from '@joyul/plugin-api';

const params = Type.Object(
  {
    from: Type.Union([Type.Literal('pretrained'), Type.Literal('random')], {
      default: 'pretrained',
      description: 'random draws every weight anew: a comparison that shows what pretraining gives.',
    }),
    reinit_top_layers: Type.Integer({
      minimum: 0,
      default: 0,
      description: 'Top layers whose weights are drawn anew.',
    }),
    head: Type.Union([Type.Literal('probe'), Type.Literal('random')], {
      default: 'probe',
      description:
        'probe starts the head from a linear probe on frozen features, so that the first gradients do not spoil the layers below; random draws it.',
    }),
    max_rows: Type.Integer({
      minimum: 20,
      default: 400,
      description: 'Training rows that the probe is fitted on.',
    }),
    max_length: Type.Integer({
      minimum: 8,
      maximum: 512,
      default: 128,
      description: 'Tokens of a text that count.',
    }),
  },
  { additionalProperties: false },
);

/** Makes the weights that training starts from. */
export default defineStep({
  name: 'init',
  revision: 3,
  summary: 'Makes the starting weights: pretrained, with top layers or everything drawn anew, and a head.',
  params,
  inputs: {
    dataset: { type: 'dataset' },
    model: { type: 'base-model' },
    strategy: { type: 'strategy' },
    earlier: {
      type: 'trained-model',
      optional: true,
      summary: 'A model that an earlier stage trained, to go on from in place of the base model.',
    },
  },
  outputs: { weights: { type: 'weights' } },
  usesTensors: true,
  async run(context) {
    const { runInit } = await import('./run.ts');
    await runInit(context);
  },
});

/** The params of the init step. */
export type InitParams = (typeof params)['static'];
