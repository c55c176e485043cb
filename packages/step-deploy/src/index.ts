import { Type } from '@sinclair/typebox';
import { defineStep } from '@joyul/plugin-api';

const params = Type.Object(
  {
    to: Type.String({
      minLength: 1,
      default: 'models/model',
      description: 'The folder in the project that the model is put into.',
      examples: ['models/intents'],
    }),
    name: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'What the model card and the server call it; the default is the folder’s name.',
      }),
    ),
    weights: Type.Union([Type.Literal('float32'), Type.Literal('float16')], {
      default: 'float32',
      description: 'How weights are stored; float16 halves the file.',
    }),
    max_difference: Type.Number({
      exclusiveMinimum: 0,
      default: 0.0001,
      description: 'The largest difference of logits that the exported model may show.',
    }),
    also: Type.Array(
      Type.Union([Type.Literal('gguf'), Type.Literal('gguf-f32'), Type.Literal('gguf-q8_0')]),
      {
        default: [],
        uniqueItems: true,
        description:
          'Of language models, for llama.cpp: GGUF files with 16-bit floats, 32-bit floats, or 8-bit blocks. Each is read back and kept only if it answers as the tested model.',
        examples: [['gguf']],
      },
    ),
  },
  { additionalProperties: false },
);

/** Writes a model folder that other tools open and that joyul serve serves. */
export default defineStep({
  name: 'deploy',
  revision: 1,
  summary:
    'Exports a Hugging Face folder with a model card, and checks that it answers as the tested model did.',
  params,
  inputs: {
    trained: { type: 'trained-model' },
    metrics: { type: 'test-metrics', optional: true },
    dataset: { type: 'dataset' },
    model: { type: 'base-model', optional: true },
  },
  outputs: { deployment: { type: 'deployment' } },
  usesTensors: true,
  workspace: ({ to }) => ({ writes: { deployment: to } }),
  check: ({ to }) =>
    to.startsWith('/') || to.split('/').includes('..')
      ? [
          {
            path: ['to'],
            code: 'OUTSIDE',
            message: `"to" must be a folder inside the project, but is ${to}.`,
            help: 'Write a relative path such as `models/intents`.',
          },
        ]
      : [],
  async run(context) {
    const { runDeploy } = await import('./run.ts');
    await runDeploy(context);
  },
});

/** The params of the deploy step. */
export type DeployParams = (typeof params)['static'];
