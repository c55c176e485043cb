import { join } from 'node:path';
import { drawAdapters, llamaWeightSpecs, planAdapters, readAdapter, writeAdapter } from '@joyul/models';
import type { Adapter, LlamaFolder } from '@joyul/models';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { defaultHparams, loadCheckpoint, trainLanguageModel } from '../../src/index.ts';
import type { Hparams, LanguageTrainOptions } from '../../src/index.ts';
import { TemporaryFolder } from '../trunk/support.ts';
import { makeExamples, writeTinyLlama } from './support.ts';

const folder = new TemporaryFolder();
let model: LlamaFolder;

beforeAll(async () => {
  model = await writeTinyLlama(join(folder.path, 'model'));
});
afterAll(() => {
  folder[Symbol.dispose]();
});

const texts = makeExamples(Array.from({ length: 24 }, (_, index) => 6 + ((index * index) % 11)));

const optionsOf = (
  changes: Partial<LanguageTrainOptions> = {},
  hparams: Partial<Hparams> = {},
): LanguageTrainOptions => ({
  model,
  train: texts,
  validation: texts.slice(0, 8),
  strategy: { blocks: model.blocks },
  seed: 4,
  backend: 'cpu',
  ...changes,
  hparams: { ...defaultHparams('full'), batch_size: 8, learning_rate: 0.02, epochs: 3, ...hparams },
});

function drawAdapter(): Adapter {
  const plan = planAdapters(
    { variant: 'lora', rank: 4, alpha: 8, targets: ['q_proj', 'down_proj'] },
    llamaWeightSpecs(model.config),
  );
  const tensors = drawAdapters(plan, new Map(), 1);
  return { plan, tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])), saved: new Map() };
}

test('texts are learned, and nothing but the blocks of the strategy moves', async () => {
  const result = await trainLanguageModel(optionsOf({ strategy: { blocks: ['layer.1', 'norm'] } }));
  const [first] = result.evaluations;
  expect(result.best.perplexity).toBeCloseTo(Math.exp(result.best.loss), 10);
  expect(result.best.loss).toBeLessThan(0.9 * (first?.loss ?? 0));
  expect(result.best.loss).toBe(Math.min(...result.evaluations.map(({ loss }) => loss)));
  expect(result.trainability.violations).toEqual([]);
  const moved = result.trainability.tensors.filter((tensor) => tensor.relativeChange > 0);
  expect(new Set(moved.map((tensor) => tensor.block))).toEqual(new Set(['layer.1', 'norm']));
});

test('an adapter is given apart and merged, and what was merged has the same loss', async () => {
  const adapter = drawAdapter();
  const result = await trainLanguageModel(optionsOf({ strategy: { blocks: [] }, adapter }, { epochs: 2 }));
  expect(result.trainability).toMatchObject({ isFineTuning: true, violations: [] });
  const again = await trainLanguageModel(
    // An iteration that changes nothing: the evaluation before it is that of the merged weights.
    optionsOf(
      { model: { ...model, readTensors: () => Promise.resolve(result.weights) } },
      { learning_rate: 1e-9, epochs: 1 },
    ),
  );
  expect(again.evaluations[0]?.loss).toBeCloseTo(result.best.loss, 5);
  const specs = llamaWeightSpecs(model.config);
  const dir = join(folder.path, 'adapter');
  await writeAdapter(dir, result.adapter ?? adapter, specs, { taskType: 'CAUSAL_LM', baseModel: 'tiny' });
  expect((await readAdapter(dir, specs)).tensors).toEqual(result.adapter?.tensors);
});

test('training stops early when evaluations get no better', async () => {
  const result = await trainLanguageModel(
    optionsOf({}, { learning_rate: 0.9, epochs: 9, early_stopping_patience: 2 }),
  );
  expect(result.stopReason).toBe('it stopped early: 2 evaluations in a row were not better');
});

test('checkpoints come every so many iterations, too', async () => {
  const scratchDir = join(folder.path, 'every');
  const onIteration = ({ iteration }: { readonly iteration: number }): void => {
    if (iteration === 5) throw new Error('The lights went out.');
  };
  const options = optionsOf({ scratchDir, saveSteps: 2, onIteration }, { batch_size: 2, evals_per_epoch: 1 });
  await expect(trainLanguageModel(options)).rejects.toThrow('The lights went out.');
  expect((await loadCheckpoint(scratchDir))?.state.iteration).toBe(4);
});

test('before the first iteration it tells how texts are laid out', async () => {
  const told: string[] = [];
  await trainLanguageModel(
    optionsOf({ onStart: ({ layout }) => told.push(layout.reason) }, { epochs: 1, max_length: 32 }),
  );
  expect(told).toEqual([
    'Texts of like length go together, in rows of 8 or 16 tokens: 27 % of what is computed is padding. The head is computed for 95 % of it.',
  ]);
});

test('texts without a token to learn are left out, and it says so', async () => {
  const warnings: string[] = [];
  const silent = makeExamples([12, 9], 8);
  await trainLanguageModel(
    optionsOf(
      { train: [...texts, ...silent], onWarning: (text) => warnings.push(text) },
      { max_length: 8, epochs: 1 },
    ),
  );
  expect(warnings).toEqual([
    '2 of 26 texts in the train split have no token to learn among their first 8; they are left out.',
  ]);
  await expect(trainLanguageModel(optionsOf({ train: silent }, { max_length: 8 }))).rejects.toMatchObject({
    code: 'NO_ROWS',
  });
});

test('a strategy that trains nothing is refused', async () => {
  await expect(trainLanguageModel(optionsOf({ strategy: { blocks: ['head'] } }))).rejects.toMatchObject({
    code: 'NO_GRADIENT',
    message: 'The strategy trains no block of the model, and no adapter.',
    help: 'Name at least one of its blocks, such as layer.1, or train an adapter.',
  });
});

test('training that would run out of memory is refused before a weight is read', async () => {
  const readTensors = (): Promise<never> => Promise.reject(new Error('Weights were read.'));
  const training = trainLanguageModel(optionsOf({ model: { ...model, readTensors }, memoryLimitBytes: 1e6 }));
  await expect(training).rejects.toMatchObject({
    code: 'OUT_OF_MEMORY',
    help: expect.stringMatching(
      /`max_length: 64` .*`method: repurpose` with `blocks: \[layer.1\]`/,
    ) as string,
  });
});
