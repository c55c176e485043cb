import {
  adafactor,
  adamWOptimizer,
  accumulatorSlots,
  createSession,
  loadBinding,
  sgd,
  sizeOf,
} from '@joyul/compute';
import type { Optimizer } from '@joyul/compute';
import { bertWeightSpecs, drawWeight } from '@joyul/models';
import type { BertConfig } from '@joyul/models';
import type { Backend } from '@joyul/plugin-api';
import { describe, expect, test } from 'vitest';
import { entryNames, makeClassifierProgram } from '../src/index.ts';
import type { UpdateOptions } from '../src/index.ts';

const config: BertConfig = {
  vocabSize: 24,
  hiddenSize: 16,
  layers: 2,
  heads: 2,
  intermediateSize: 32,
  maxPositions: 8,
  typeVocabSize: 2,
  layerNormEpsilon: 1e-12,
  initializerRange: 0.3,
};
const [time, classes] = [6, 3];

/** Rows of one update: ids, masks and labels that differ, and look random. */
function makeRows(phase: number, labels: readonly number[]): Rows {
  return labels.map((label, row) => ({
    ids: Array.from({ length: time }, (_, at) => (7 * row * row + 5 * at + 11 * phase) % config.vocabSize),
    mask: Array.from({ length: time }, (_, at) => (at <= 2 + (row % 4) ? 1 : 0)),
    label,
  }));
}

type Rows = readonly { readonly ids: number[]; readonly mask: number[]; readonly label: number }[];

/** Fills rows up to a batch, as batches are filled up. */
function feedsOf(rows: Rows, batchSize: number): Record<string, Float32Array | Int32Array> {
  const empty = { ids: new Array<number>(time).fill(0), mask: [1, 0, 0, 0, 0, 0], label: -100 };
  const full = Array.from({ length: batchSize }, (_, index) => rows[index] ?? empty);
  return {
    ids: Int32Array.from(full.flatMap((row) => row.ids)),
    mask: Float32Array.from(full.flatMap((row) => row.mask)),
    labels: Int32Array.from(full.map((row) => row.label)),
  };
}

interface Trained {
  readonly losses: readonly number[];
  readonly norms: readonly number[];
  readonly weights: ReadonlyMap<string, Float32Array>;
}

/** Two updates: of six rows, and of a last window with four of which two do not count. */
const updates: readonly Rows[] = [makeRows(1, [0, 1, 2, 2, 1, 0]), makeRows(2, [2, -100, -100, 1])];

async function train(
  backend: Backend,
  options: Partial<UpdateOptions> & { readonly optimizer: Optimizer },
  microBatch: number | undefined,
): Promise<Trained> {
  const batchSize = microBatch ?? 6;
  const { program, weights } = makeClassifierProgram(
    { config, classes, pooling: 'mean', batchSize, times: [time] },
    {
      isTrained: () => true,
      weightDecay: 0.1,
      maxGradNorm: 0.5,
      labelSmoothing: 0,
      accumulates: microBatch !== undefined,
      ...options,
    },
  );
  const session = await createSession(program, { backend });
  const zeros = program.variables.map(({ name, shape }) => [name, new Float32Array(sizeOf(shape))] as const);
  const drawn = [
    ...bertWeightSpecs(config),
    { name: 'classifier.weight', shape: [classes, 16], init: 'normal' as const },
  ].map((spec) => [spec.name, drawWeight(spec, config.initializerRange, 3).data] as const);
  await session.write(Object.fromEntries([...zeros, ...drawn]));
  const outputs = [];
  for (const [index, rows] of updates.entries()) {
    const rates = { learningRate: 0.01, headLearningRate: 0.02, ...options.optimizer.scalarsAt(index + 1) };
    if (microBatch === undefined) {
      outputs.push(await session.run(entryNames.train(time), { ...feedsOf(rows, 6), ...rates }));
      continue;
    }
    const count = Math.ceil(rows.length / microBatch);
    const parts = Array.from({ length: count }, (_, at) =>
      rows.slice(at * microBatch, (at + 1) * microBatch),
    );
    for (const part of parts) await session.run(entryNames.accumulate(time), feedsOf(part, microBatch));
    outputs.push(await session.run(entryNames.update, rates));
  }
  // The loss does not depend on a bias of all keys, so its gradient is rounding, which AdamW makes a whole step of.
  const names = [...weights.keys()].filter((name) => !name.endsWith('key.bias'));
  const read = new Map(Object.entries(await session.read(names)));
  session.dispose();
  return {
    losses: outputs.map((output) => output['loss']?.[0] ?? Number.NaN),
    norms: outputs.map((output) => output['gradientNorm']?.[0] ?? Number.NaN),
    weights: read,
  };
}

function largestDifference(left: Trained, right: Trained): number {
  const flatten = ({ losses, norms, weights }: Trained): readonly number[] => [
    ...losses,
    ...norms,
    ...[...weights.values()].flatMap((data) => [...data]),
  ];
  const other = flatten(right);
  return Math.max(...flatten(left).map((value, index) => Math.abs(value - (other[index] ?? Number.NaN))));
}

const cases: readonly (readonly [string, Partial<UpdateOptions> & { readonly optimizer: Optimizer }])[] = [
  ['AdamW', { optimizer: adamWOptimizer() }],
  ['SGD with momentum', { optimizer: sgd({ momentum: 0.9 }) }],
  ['Adafactor', { optimizer: adafactor() }],
  ['no clipping', { optimizer: sgd(), maxGradNorm: 0 }],
  [
    'class weights and label smoothing',
    { optimizer: sgd({ momentum: 0.9 }), classWeights: Float32Array.of(0.5, 1, 3), labelSmoothing: 0.1 },
  ],
];

describe.each(['cpu', 'tensorflow'] as const)('on %s', (backend) => {
  const isMissing = backend === 'tensorflow' && !loadBinding().isLoaded;
  const title = isMissing ? ' (skipped: TensorFlow is not set up here)' : '';

  test.skipIf(isMissing).each(cases)(
    `micro-batches train as one large batch does: %s${title}`,
    async (_name, options) => {
      const whole = await train(backend, options, undefined);
      expect(whole.losses.every((loss) => loss > 0.1)).toBe(true);
      for (const size of backend === 'cpu' ? [1, 2, 4] : [2])
        expect(largestDifference(await train(backend, options, size), whole)).toBeLessThan(1e-5);
    },
  );
});

test('without accumulation nothing is kept for it', () => {
  const { program } = makeClassifierProgram(
    { config, classes, pooling: 'mean', batchSize: 2, times: [time] },
    { isTrained: () => true, weightDecay: 0, maxGradNorm: 1, labelSmoothing: 0 },
  );
  const names = new Set(program.variables.map((variable) => variable.name));
  expect(accumulatorSlots(program.variables).filter((slot) => names.has(slot.name))).toEqual([]);
});
