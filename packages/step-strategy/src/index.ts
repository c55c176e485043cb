import { Type } from '@sinclair/typebox';
import { defineStep } from '@joyul/plugin-api';

const endpoint = Type.Object(
  {
    url: Type.String({
      pattern: '^https?://',
      $comment: 'an address that begins with https:// or http://',
      description: 'Where the API is; what ends in /chat/completions is put behind it.',
      examples: ['https://api.openai.com/v1', 'http://127.0.0.1:11434/v1'],
    }),
    model: Type.String({
      minLength: 1,
      description: 'The name of the model there.',
      examples: ['gpt-4.1-mini'],
    }),
    api_key_from: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z_][A-Za-z0-9_]*$',
        $comment: 'the name of an environment variable',
        description:
          'The environment variable of the steps train, evaluate, test and deploy that holds the key, such as from `environment: { API_KEY: "${{ secrets.NAME }}" }`; absent means that no key is needed.',
        examples: ['API_KEY'],
      }),
    ),
  },
  {
    additionalProperties: false,
    description:
      'For prompt: a model behind an OpenAI-compatible API, which is asked in the place of the selected one.',
    examples: [{ url: 'https://api.openai.com/v1', model: 'gpt-4.1-mini', api_key_from: 'API_KEY' }],
  },
);

const params = Type.Object(
  {
    method: Type.Union(
      [
        Type.Literal('auto'),
        Type.Literal('full'),
        Type.Literal('repurpose'),
        Type.Literal('lora'),
        Type.Literal('extract'),
        Type.Literal('prompt'),
      ],
      {
        default: 'auto',
        description:
          'full trains every weight; repurpose keeps the lower layers and trains the chosen blocks; lora trains low-rank adapters beside frozen weights; extract trains a new head only, and prompt searches for what to ask a language model, neither of which is fine-tuning; auto decides from the data.',
      },
    ),
    endpoint: Type.Optional(endpoint),
    blocks: Type.Union(
      [Type.String({ pattern: '^top:[1-9]\\d*$' }), Type.Array(Type.String(), { minItems: 1 })],
      {
        default: 'top:2',
        description: 'For repurpose: the blocks to train, as top:N or a list such as [layer.4, layer.5].',
        examples: ['top:2'],
      },
    ),
    variant: Type.Union([Type.Literal('lora'), Type.Literal('rslora'), Type.Literal('dora')], {
      default: 'lora',
      description:
        'For lora: rslora scales by α/√r, so that high ranks learn as fast; dora also learns the length of each row, at a higher price.',
    }),
    rank: Type.Integer({
      minimum: 1,
      maximum: 1024,
      default: 8,
      description: 'For lora: the width of the adapters; more holds more.',
    }),
    alpha: Type.Number({
      exclusiveMinimum: 0,
      default: 16,
      description: 'For lora: adapters are scaled by alpha / rank.',
    }),
    targets: Type.Union([Type.String({ minLength: 1 }), Type.Array(Type.String(), { minItems: 1 })], {
      default: 'all-linear',
      description:
        'For lora: the linear layers that get adapters, as PEFT names them: all-linear, a list of ends of names, or a regular expression for whole names.',
      examples: ['all-linear', ['query', 'value']],
    }),
    pooling: Type.Union([Type.Literal('mean'), Type.Literal('cls')], {
      default: 'mean',
      description: 'How token states become one vector.',
    }),
    max_rows: Type.Integer({
      minimum: 20,
      default: 300,
      description: 'Training rows that auto measures on.',
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

/** Decides how far the model is tuned. */
export default defineStep({
  name: 'strategy',
  revision: 4,
  summary:
    'Decides which layers are tuned: all, chosen ones, adapters beside them, none but a new head, or none at all.',
  params,
  inputs: { dataset: { type: 'dataset' }, model: { type: 'base-model' } },
  outputs: { strategy: { type: 'strategy' } },
  usesTensors: true,
  check: ({ method, endpoint: asked }) =>
    asked === undefined || method === 'prompt'
      ? []
      : [
          {
            path: ['endpoint'],
            code: 'ENDPOINT',
            message: `An endpoint can only be asked, and "method" is ${method}.`,
            help: 'Write `method: prompt`, or take `endpoint` out.',
          },
        ],
  async run(context) {
    const { runStrategy } = await import('./run.ts');
    await runStrategy(context);
  },
});

/** The params of the strategy step. */
export type StrategyParams = (typeof params)['static'];
