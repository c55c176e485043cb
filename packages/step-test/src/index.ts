import { Type } from '@sinclair/typebox';
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
      description: 'Training rows that the frozen probe is fitted on.',
    }),
  },
  { additionalProperties: false },
);

/** The final test, on rows that nothing else has seen. */
export default defineStep({
  name: 'test',
  revision: 1,
  summary: 'Opens the sealed test split once: final metrics with intervals, beside simple baselines.',
  params,
  inputs: {
    trained: { type: 'trained-model' },
    test: { type: 'test-split' },
    dataset: { type: 'dataset' },
    model: { type: 'base-model' },
  },
  outputs: { metrics: { type: 'test-metrics' } },
  usesTensors: true,
  async run(context) {
    const { runTest } = await import('./run.ts');
    await runTest(context);
  },
});

/** The params of the test step. */
export type TestParams = (typeof params)['static'];
