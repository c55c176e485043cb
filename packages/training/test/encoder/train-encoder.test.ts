import { join } from 'node:path';
import { loadBinding } from '@joyul/compute';
import type { BertFolder } from '@joyul/models';
import type { Backend } from '@joyul/plugin-api';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { defaultHparams, openEncoder, trainEncoder } from '../../src/index.ts';
import type { EncoderTrainOptions, EncoderTrainResult, Hparams, Objective } from '../../src/index.ts';
import { TemporaryFolder } from '../trunk/support.ts';
import { writeTinyEncoder } from './tiny-encoder.ts';

const folder = new TemporaryFolder();
let model: BertFolder;
beforeAll(async () => {
  await writeTinyEncoder(join(folder.path, 'tiny'));
  model = await openEncoder(join(folder.path, 'tiny'));
});
afterAll(() => {
  folder[Symbol.dispose]();
});

const native = loadBinding();
const backends = (['tensorflow', 'wasm'] as const).filter((name) => name === 'wasm' || native.isLoaded);

/** Texts of 5 to 12 tokens between a first and a last one: one word, again and again. */
const texts = Array.from({ length: 40 }, (_, index) => ({
  ids: Int32Array.of(2, ...new Array<number>(3 + (index % 8)).fill(5 + ((7 * index) % 30)), 3),
  label: -100,
}));

function optionsOf(
  objective: Objective,
  backend: Backend,
  hparams: Partial<Hparams> = {},
): EncoderTrainOptions {
  return {
    model,
    objective,
    train: texts.slice(8),
    validation: texts.slice(0, 8),
    tokenizer: { padId: 0, maskId: 4, specialIds: new Set([0, 1, 2, 3, 4]) },
    strategy: { blocks: ['embeddings', 'layer.0', 'layer.1'], pooling: 'mean' },
    hparams: {
      ...defaultHparams('full'),
      batch_size: 8,
      epochs: 4,
      learning_rate: 0.01,
      early_stopping_patience: 0,
      evals_per_epoch: 1,
      ...hparams,
    },
    seed: 5,
    backend,
  };
}

/** Trains, is interrupted after so many updates, and goes on. */
async function trainWithBreak(given: EncoderTrainOptions, after: number): Promise<EncoderTrainResult> {
  const options = { ...given, scratchDir: join(folder.path, `${given.objective}-${given.backend ?? ''}`) };
  const controller = new AbortController();
  const onIteration = ({ iteration }: { readonly iteration: number }): void => {
    if (iteration === after) controller.abort();
  };
  await expect(trainEncoder({ ...options, onIteration, signal: controller.signal })).rejects.toThrow(
    `Training stopped after iteration ${after}.`,
  );
  return trainEncoder(options);
}

const weightsOf = ({ weights }: EncoderTrainResult): unknown =>
  Object.fromEntries([...weights].map(([name, { data }]) => [name, data]));

describe.each(backends)('on %s', (backend) => {
  test.each(['contrastive', 'masked'] as const)(
    '%s: texts kept aside get easier, and a broken training ends with the same weights',
    async (objective) => {
      const options = optionsOf(objective, backend);
      const whole = await trainEncoder(options);
      const [first] = whole.evaluations;
      expect(whole.best.loss).toBeLessThan(0.95 * (first?.loss ?? 0));
      const broken = await trainWithBreak(options, 4);
      expect(broken.trainLosses).toEqual(whole.trainLosses);
      expect(weightsOf(broken)).toEqual(weightsOf(whole));
    },
  );
});

const [backend] = backends;
if (backend === undefined) throw new Error('There is no backend.');

test('the contrastive objective measures alignment and uniformity', async () => {
  const { evaluations } = await trainEncoder(optionsOf('contrastive', backend, { epochs: 1 }));
  const { alignment = -1, uniformity = 1 } = evaluations[0]?.measures ?? {};
  expect([alignment > 0, alignment < 2, uniformity < 0]).toEqual([true, true, true]);
});

test('masked words are guessed more often, and the head moves with the encoder', async () => {
  const { evaluations, trainability } = await trainEncoder(optionsOf('masked', backend, { epochs: 12 }));
  expect(evaluations.at(-1)?.measures['guessed words']).toBeGreaterThan(
    evaluations[0]?.measures['guessed words'] ?? 1,
  );
  expect(trainability.violations).toEqual([]);
  expect(
    trainability.tensors.filter(({ block, planned }) => block === 'head' && planned === 'trained'),
  ).toHaveLength(5);
});

test('the defaults are those of SimCSE: one epoch of large batches', () => {
  expect(defaultHparams('full', 'unlabelled')).toMatchObject({
    learning_rate: 3e-5,
    batch_size: 64,
    epochs: 1,
  });
});

test('frozen blocks stay frozen, though their states are dropped too', async () => {
  const { trainability } = await trainEncoder({
    ...optionsOf('contrastive', backend, { epochs: 1 }),
    strategy: { blocks: ['layer.1'], pooling: 'cls' },
  });
  expect(trainability.violations).toEqual([]);
  expect(trainability.tensors.filter(({ planned }) => planned === 'trained')).toHaveLength(16);
});

test('micro-batches and checkpointed layers work with both objectives', async () => {
  const hparams = { gradient_accumulation_steps: 2, epochs: 1, gradient_checkpointing: true };
  for (const objective of ['contrastive', 'masked'] as const) {
    const result = await trainEncoder(optionsOf(objective, backend, hparams));
    expect(result.trainability.violations).toEqual([]);
  }
});

test('layers that are computed again drop the same places', async () => {
  const hparams = { epochs: 1, precision: 'float32' } as const;
  const kept = await trainEncoder(optionsOf('contrastive', backend, hparams));
  const again = await trainEncoder(
    optionsOf('contrastive', backend, { ...hparams, gradient_checkpointing: true }),
  );
  kept.trainLosses.forEach(({ loss, gradientNorm }, at) => {
    expect(again.trainLosses[at]?.loss).toBeCloseTo(loss, 4);
    expect((again.trainLosses[at]?.gradientNorm ?? 0) / gradientNorm).toBeCloseTo(1, 3);
  });
});

test.skipIf(!native.isLoaded)('products in bfloat16 give nearly the same losses', async () => {
  const whole = await trainEncoder(optionsOf('contrastive', 'tensorflow', { epochs: 1 }));
  const half = await trainEncoder(
    optionsOf('contrastive', 'tensorflow', { epochs: 1, precision: 'bfloat16' }),
  );
  const [first, second] = [whole, half].map(({ trainLosses }) => trainLosses[0]?.loss ?? 0);
  expect(Math.abs((second ?? 0) / (first ?? 1) - 1)).toBeLessThan(0.05);
});

test('training stops early when evaluations get no better', async () => {
  const hparams = { learning_rate: 3, early_stopping_patience: 1, epochs: 9, warmup_ratio: 0 };
  const { stopReason, iterations } = await trainEncoder(optionsOf('contrastive', backend, hparams));
  expect(stopReason).toBe('it stopped early: 1 evaluations in a row were not better');
  expect(iterations).toBeLessThan(36);
});

describe('what cannot be learned is refused', () => {
  test('masked words by a model without the head', async () => {
    await writeTinyEncoder(join(folder.path, 'headless'), { guessesWords: false });
    const headless = await openEncoder(join(folder.path, 'headless'));
    await expect(trainEncoder({ ...optionsOf('masked', backend), model: headless })).rejects.toMatchObject({
      code: 'NO_MASKED_HEAD',
      message: 'The model has no head that guesses masked words (cls.predictions).',
      help: 'Write objective: contrastive, which needs none, or name a model with that head, such as hf:google-bert/bert-base-uncased.',
    });
  });

  test('a strategy that trains the head alone', async () => {
    const options = { ...optionsOf('masked', backend), strategy: { blocks: [], pooling: 'mean' } as const };
    await expect(trainEncoder(options)).rejects.toMatchObject({ code: 'NO_GRADIENT' });
  });

  test('one text, which cannot be told from others', async () => {
    const options = { ...optionsOf('contrastive', backend), train: texts.slice(0, 1) };
    await expect(trainEncoder(options)).rejects.toMatchObject({
      code: 'NO_ROWS',
      message:
        'A text is told from others beside it, but there are 1 texts to train on and 8 to validate on, in batches of 8.',
    });
  });
});
