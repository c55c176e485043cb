import { Type } from '@sinclair/typebox';
import { checkGrader, graderSchema } from '@joyul/metrics/graders';
import type { GraderSpec } from '@joyul/metrics/graders';
import { defineStep } from '@joyul/plugin-api';

const auto = Type.Literal('auto');
const rate = (description: string) =>
  Type.Union([auto, Type.Number({ exclusiveMinimum: 0, maximum: 1 })], {
    default: 'auto',
    description,
    examples: [0.0002],
  });

const params = Type.Object(
  {
    data: Type.Union([Type.Literal('labelled'), Type.Literal('unlabelled')], {
      default: 'labelled',
      description:
        'What training will be on, as the train step has it. unlabelled makes auto take the values of the SimCSE paper for an encoder, where a lower loss does not mean better features, and search on unlabelled texts for a language model.',
    }),
    learning_rate: rate('Peak learning rate of pretrained weights; auto searches.'),
    head_learning_rate: rate('Peak learning rate of the head; auto takes the value for the method.'),
    batch_size: Type.Union([auto, Type.Integer({ minimum: 1, maximum: 512 })], {
      default: 'auto',
      description: 'Texts in a batch.',
    }),
    epochs: Type.Union([auto, Type.Integer({ minimum: 1, maximum: 1000 })], {
      default: 'auto',
      description: 'Passes over the training split at most.',
    }),
    weight_decay: Type.Number({
      minimum: 0,
      maximum: 1,
      default: 0.01,
      description: 'Decoupled weight decay.',
    }),
    warmup_ratio: Type.Number({
      minimum: 0,
      maximum: 1,
      default: 0.1,
      description: 'Share of the iterations in which the learning rate rises.',
    }),
    warmup_steps: Type.Integer({
      minimum: 0,
      default: 0,
      description:
        'Iterations in which the learning rate rises, whatever their share; 0 means by warmup_ratio.',
    }),
    lr_scheduler: Type.Union(
      [
        Type.Literal('linear'),
        Type.Literal('cosine'),
        Type.Literal('cosine_with_min_lr'),
        Type.Literal('inverse_sqrt'),
        Type.Literal('warmup_stable_decay'),
        Type.Literal('constant'),
      ],
      { default: 'linear', description: 'How the learning rate goes on after the warm-up.' },
    ),
    min_lr_rate: Type.Number({
      minimum: 0,
      maximum: 1,
      default: 0.1,
      description: 'Share of the learning rate that cosine_with_min_lr and warmup_stable_decay end at.',
    }),
    decay_ratio: Type.Number({
      minimum: 0,
      maximum: 1,
      default: 0.2,
      description: 'Share of the iterations over which warmup_stable_decay falls.',
    }),
    optimizer: Type.Union(
      [Type.Literal('adamw'), Type.Literal('sgd'), Type.Literal('adafactor'), Type.Literal('lion')],
      {
        default: 'adamw',
        description:
          'How weights are updated; adafactor keeps next to nothing beside them, lion and sgd half of what adamw keeps.',
      },
    ),
    momentum: Type.Number({
      minimum: 0,
      exclusiveMaximum: 1,
      default: 0.9,
      description: 'Momentum of sgd; with 0 it keeps nothing beside the weights.',
    }),
    nesterov: Type.Boolean({ default: false, description: 'Whether sgd looks ahead along its momentum.' }),
    gradient_accumulation_steps: Type.Integer({
      minimum: 1,
      maximum: 1024,
      default: 1,
      description: 'Batches that add up to one update, as one batch as large as all of them would.',
    }),
    layer_lr_decay: Type.Number({
      exclusiveMinimum: 0,
      maximum: 1,
      default: 1,
      description: "A layer's learning rate, as a share of that of the layer above.",
    }),
    decay: Type.Union([Type.Literal('all'), Type.Literal('matrices')], {
      default: 'all',
      description: 'Which weights decay; matrices leaves biases and norms out.',
    }),
    precision: Type.Union([Type.Literal('float32'), Type.Literal('bfloat16'), Type.Literal('auto')], {
      default: 'float32',
      description:
        'Element type inside matrix products; auto takes the faster one, measured when training starts.',
    }),
    max_grad_norm: Type.Number({
      minimum: 0,
      default: 1,
      description: 'Gradients are scaled down to this joint norm; 0 means never.',
    }),
    max_length: Type.Union([auto, Type.Integer({ minimum: 8, maximum: 8192 })], {
      default: 'auto',
      description:
        'Tokens of a text that count; auto means 128 where texts are classified, and 512 for a language model.',
    }),
    evals_per_epoch: Type.Integer({
      minimum: 1,
      maximum: 100,
      default: 2,
      description: 'Evaluations on the validation split in an epoch.',
    }),
    early_stopping_patience: Type.Integer({
      minimum: 0,
      default: 4,
      description: 'Evaluations without a better loss before training stops; 0 means never.',
    }),
    label_smoothing: Type.Number({
      minimum: 0,
      maximum: 0.9,
      default: 0,
      description: 'How much of the target is spread over all classes.',
    }),
    class_weights: Type.Union([Type.Literal('none'), Type.Literal('balanced')], {
      default: 'none',
      description: 'balanced weighs rare classes more.',
    }),
    gradient_checkpointing: Type.Boolean({
      default: false,
      description: 'Computes layers again in the backward pass: less memory, about a fifth more time.',
    }),
    trials: Type.Integer({
      minimum: 1,
      maximum: 20,
      default: 3,
      description: 'Learning rates that auto tries.',
    }),
    trial_rows: Type.Integer({ minimum: 20, default: 256, description: 'Training rows of a trial.' }),
    instructions: Type.Array(Type.String({ minLength: 1 }), {
      default: [],
      description:
        'For method: prompt: what the system may say. The bare question and instructions that are formed from the data are tried beside them.',
      examples: [['Answer with the name of the intent only.']],
    }),
    shots: Type.Array(Type.Integer({ minimum: 0, maximum: 32 }), {
      minItems: 1,
      uniqueItems: true,
      default: [0, 2, 4, 8],
      description: 'For method: prompt: numbers of similar training examples before the question to try.',
    }),
    prompt_questions: Type.Integer({
      minimum: 1,
      default: 100,
      description: 'For method: prompt: validation questions that the last two prompts are judged on.',
    }),
    max_new_tokens: Type.Integer({
      minimum: 1,
      maximum: 4096,
      default: 128,
      description: 'For method: prompt: tokens of an answer at most.',
    }),
    context: Type.Integer({
      minimum: 64,
      maximum: 8192,
      default: 1024,
      description: 'For method: prompt: tokens of a prompt with its answer at most.',
    }),
    grader: Type.Optional(
      Type.Unsafe<GraderSpec>({
        ...graderSchema,
        description:
          'For a language model: what judges the answers of each trial, as OpenAI writes graders; the default is the validation loss.',
      }),
    ),
    grader_questions: Type.Integer({
      minimum: 1,
      maximum: 256,
      default: 16,
      description: 'Validation questions that are answered for the grader at the end of a trial.',
    }),
    grader_tokens: Type.Integer({
      minimum: 1,
      maximum: 4096,
      default: 64,
      description: 'Tokens of such an answer at most.',
    }),
  },
  { additionalProperties: false },
);

/** Chooses hyperparameters. */
export default defineStep({
  name: 'hparams',
  revision: 2,
  summary: 'Chooses hyperparameters: given values, defaults for the method, and a short search.',
  params,
  inputs: { dataset: { type: 'dataset' }, model: { type: 'base-model' }, strategy: { type: 'strategy' } },
  outputs: { hparams: { type: 'hparams' } },
  usesTensors: true,
  check: ({ grader }) => (grader === undefined ? [] : checkGrader(grader, ['grader'])),
  async run(context) {
    const { runHparams } = await import('./run.ts');
    await runHparams(context);
  },
});

/** The params of the hparams step. */
export type HparamsParams = (typeof params)['static'];
