import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadBinding } from '@joyul/compute';
import {
  bertWeightSpecs,
  classifierSpecs,
  drawWeight,
  parseBertConfig,
  writeModel,
} from '@joyul/models';
import type { BertFolder } from '@joyul/models';
import type { Backend } from '@joyul/plugin-api';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { defaultHparams, trainClassifier } from '../src/index.ts';
import type { Example, Hparams, TrainOptions, TrainResult } from '../src/index.ts';

const rawConfig = {
  model_type: 'bert',
  vocab_size: 24,
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 32,
  max_position_embeddings: 16,
  initializer_range: 0.3,
};
let dir = '';
let model: BertFolder;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'joyul-train-'));
  const config = parseBertConfig(rawConfig);
  const specs = [...bertWeightSpecs(config), ...classifierSpecs(config, 2)];
  const tensors = specs.map((spec) => drawWeight(spec, config.initializerRange, 3));
  await writeModel(join(dir, 'model'), { rawConfig, tensors, labels: ['even', 'odd'], tokenizerFrom: dir });
  model = await openEncoder(join(dir, 'model'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** The label is whether the first token is odd. */
const examples: readonly Example[] = Array.from({ length: 22 }, (_, index) => ({
  ids: Int32Array.from({ length: 3 + (index % 9) }, (_value, at) => (index * 5 + at * 7) % 24),
  label: (index * 5) % 2,
}));

/** Batches of 4 in windows of 2: six batches, of two lengths or more, and so three updates an epoch. */
function optionsOf(backend: Backend, hparams: Partial<Hparams>, scratchDir?: string): TrainOptions {
  const values: Partial<Hparams> = {
    batch_size: 4,
    epochs: 2,
    gradient_accumulation_steps: 2,
    learning_rate: 0.01,
    early_stopping_patience: 0,
    evals_per_epoch: 1,
  };
  return {
    model,
    labels: ['even', 'odd'],
    train: examples,
    validation: examples.slice(0, 6),
    padId: 0,
    strategy: { blocks: ['embeddings', 'layer.0', 'layer.1'], pooling: 'mean' },
    hparams: { ...defaultHparams('full'), ...values, ...hparams },
    seed: 5,
    backend,
    ...(scratchDir === undefined ? {} : { scratchDir }),
  };
}

/** Trains, is interrupted after three updates, and goes on. */
async function trainWithBreak(backend: Backend, hparams: Partial<Hparams>): Promise<TrainResult> {
  const scratchDir = await mkdtemp(join(dir, 'scratch-'));
  const options = optionsOf(backend, hparams, scratchDir);
  const controller = new AbortController();
  const onIteration = ({ iteration }: { readonly iteration: number }): void => {
    if (iteration === 3) controller.abort();
  };
  await expect(trainClassifier({ ...options, onIteration, signal: controller.signal })).rejects.toThrow(
    'Training stopped after iteration 3.',
  );
  return trainClassifier(options);
}

const optimizers: readonly Partial<Hparams>[] = [
  { optimizer: 'adamw', layer_lr_decay: 0.8, decay: 'matrices' },
  { optimizer: 'sgd', learning_rate: 0.1, nesterov: true },
  { optimizer: 'adafactor', lr_scheduler: 'inverse_sqrt' },
  { optimizer: 'lion', learning_rate: 0.001, lr_scheduler: 'warmup_stable_decay' },
];

const native = loadBinding();

test.skipIf(!native.isLoaded).each(optimizers)(
  '$optimizer with accumulation: an interrupted run ends with the bytes of an uninterrupted one',
  async (hparams) => {
    const straight = await trainClassifier(optionsOf('tensorflow', hparams));
    const broken = await trainWithBreak('tensorflow', hparams);
    expect([straight.iterations, broken.trainLosses]).toEqual([
      straight.trainLosses.length,
      straight.trainLosses,
    ]);
    expect([...broken.weights.values()]).toEqual([...straight.weights.values()]);
  },
);

test('two batches an update make half as many updates, and the lower layers move less where asked to', async () => {
  const single = await trainClassifier(optionsOf('cpu', { gradient_accumulation_steps: 1, epochs: 1 }));
  const double = await trainClassifier(
    optionsOf('cpu', { layer_lr_decay: 0.01, optimizer: 'lion', epochs: 1 }),
  );
  expect(double.iterations).toBe(Math.ceil(single.iterations / 2));
  const change = (name: string): number =>
    double.trainability.tensors.find((tensor) => tensor.name.startsWith(name))?.relativeChange ?? Number.NaN;
  expect(change('encoder.layer.0.attention.self.query.weight')).toBeLessThan(
    0.05 * change('encoder.layer.1.attention.self.query.weight'),
  );
});
