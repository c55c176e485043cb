import { createSession, loadBinding, sizeOf } from '@joyul/compute';
import { drawWeight, llamaWeightSpecs } from '@joyul/models';
import type { LlamaConfig } from '@joyul/models';
import { describe, expect, test } from 'vitest';
import { languageEntries, layOut, makeLanguageProgram, packRows, padLanguageBatch } from '../../src/index.ts';
import type { BatchLayout, LanguageBatch, LanguageExample, LayoutOptions } from '../../src/index.ts';
import { makeExamples } from './support.ts';

const config: LlamaConfig = {
  vocabSize: 48,
  hiddenSize: 16,
  layers: 2,
  heads: 4,
  keyValueHeads: 2,
  headDim: 4,
  intermediateSize: 32,
  maxPositions: 64,
  rmsNormEpsilon: 1e-5,
  ropeTheta: 1e4,
  tiesEmbeddings: true,
  initializerRange: 0.3,
};

const spread = Array.from({ length: 60 }, (_, index) => 3 + ((index * index) % 29));

const layoutOf = (train: readonly LanguageExample[], options: Partial<LayoutOptions> = {}): BatchLayout =>
  layOut({
    config,
    train,
    validation: makeExamples([9, 20]),
    batchSize: 8,
    maxLength: 32,
    seed: 3,
    ...options,
  });

const textsOf = (batches: readonly LanguageBatch[]): readonly number[] =>
  batches.flatMap(({ rows }) => rows.flat()).sort((left, right) => left - right);

test('packed rows hold every text once, and are as few as can be or one more', () => {
  const rows = packRows(spread, 32, 7);
  expect(rows.flat().sort((left, right) => left - right)).toEqual(spread.map((_, index) => index));
  const filled = rows.map((row) => row.reduce((sum, index) => sum + (spread[index] ?? 0), 0));
  expect(Math.max(...filled)).toBeLessThanOrEqual(32);
  const fewest = Math.ceil(spread.reduce((sum, length) => sum + length, 0) / 32);
  expect([fewest, fewest + 1]).toContain(rows.length);
});

test('the seed decides which texts share a row, and nothing else does', () => {
  expect(packRows(spread, 32, 7)).toEqual(packRows(spread, 32, 7));
  expect(packRows(spread, 32, 8)).not.toEqual(packRows(spread, 32, 7));
});

test.each([true, false])('every epoch has every text once, in another order (packing: %s)', (packing) => {
  const { makeEpoch, validation } = layoutOf(makeExamples(spread), { packing });
  expect(textsOf(makeEpoch(1))).toEqual(spread.map((_, index) => index));
  expect(textsOf(makeEpoch(2))).toEqual(textsOf(makeEpoch(1)));
  expect(makeEpoch(2)).not.toEqual(makeEpoch(1));
  expect(makeEpoch(1)).toEqual(makeEpoch(1));
  expect(textsOf(validation)).toEqual([0, 1]);
});

test('short texts of many lengths are packed, and it says what that saves', () => {
  const layout = layoutOf(makeExamples(spread));
  expect(layout.shapes).toEqual([{ batch: 4, time: 32, isPacked: true }]);
  expect(layout.reason).toBe(
    'Rows of 32 tokens hold 1.8 texts each, which do not see each other: 14 % of what is computed is padding; with one text a row it would be 29 %.',
  );
});

test('texts of one length are not packed', () => {
  const layout = layoutOf(makeExamples(spread.map(() => 32)), { validation: makeExamples([32]) });
  expect(layout.isPacked).toBe(false);
  expect(layout.reason).toBe(
    'Texts of like length go together, in rows of 32 tokens: 6 % of what is computed is padding.',
  );
});

test('where most tokens are prompts the head is computed for those before targets only', () => {
  const layout = layoutOf(makeExamples(spread.map(() => 32), 24), { validation: makeExamples([32], 24) }); // prettier-ignore
  expect(layout.shapes).toEqual([{ batch: 8, time: 32, targets: 64 }]);
  expect(layout.reason).toContain('The head is computed for 25 % of it.');
});

test('a batch says of each token what follows it, which text it is of, and where in it', () => {
  const examples = makeExamples([3, 2, 4], 2);
  const shape = { batch: 2, time: 6, targets: 4, isPacked: true };
  expect(padLanguageBatch({ rows: [[0, 1], [2]], shape }, examples)).toEqual({
    ids: Int32Array.of(0, 5, 10, 7, 12, 0, 14, 19, 24, 29, 0, 0),
    segments: Int32Array.of(1, 1, 1, 2, 2, 0, 1, 1, 1, 1, 0, 0),
    positions: Int32Array.of(0, 1, 2, 0, 1, 0, 0, 1, 2, 3, 0, 0),
    rows: Int32Array.of(1, 7, 8, 0),
    next: Int32Array.of(10, 24, 29, -100),
  });
});

/** Loss and gradient norm of all texts as one window, laid out in some way. */
async function lossOf(
  backend: 'cpu' | 'tensorflow',
  layout: BatchLayout,
  examples: readonly LanguageExample[],
): Promise<readonly number[]> {
  const { program, weights } = makeLanguageProgram(
    { config, shapes: layout.shapes },
    { isTrained: () => true, weightDecay: 0, maxGradNorm: 1, labelSmoothing: 0.1, accumulates: true },
  );
  const session = await createSession(program, { backend });
  const zeros = program.variables.map(({ name, shape }) => [name, new Float32Array(sizeOf(shape))] as const);
  await session.write(zeros);
  const drawn = llamaWeightSpecs(config).map((spec) => [spec.name, drawWeight(spec, 0.3, 3).data] as const);
  await session.write(drawn);
  let [total, count] = [0, 0];
  for (const batch of layout.makeEpoch(1)) {
    const inputs = padLanguageBatch(batch, examples);
    const evaluated = await session.run(languageEntries.evaluate(batch.shape), inputs);
    total += evaluated['total']?.[0] ?? Number.NaN;
    count += evaluated['weight']?.[0] ?? Number.NaN;
    await session.run(languageEntries.accumulate(batch.shape), inputs);
  }
  const rates = { learningRate: 0.01, beta1Power: 0.9, beta2Power: 0.999 };
  const { loss, gradientNorm } = await session.run(languageEntries.update, rates);
  const moved = await session.read([...weights.keys()]);
  session.dispose();
  const lengths = Object.values(moved).map((data) => Math.hypot(...data));
  return [total / count, count, loss?.[0] ?? Number.NaN, gradientNorm?.[0] ?? Number.NaN, ...lengths];
}

describe.each(['cpu', 'tensorflow'] as const)('on %s', (backend) => {
  const isMissing = backend === 'tensorflow' && !loadBinding().isLoaded;
  const why = isMissing ? ' (skipped: TensorFlow is not set up here)' : '';

  test.skipIf(isMissing)(
    `packed rows, rows of their own and a head for chosen rows have one loss and train alike${why}`,
    async () => {
      const examples = makeExamples(spread.slice(0, 14)).map(({ ids }) => ({
        ids,
        labels: ids.map((id, at) => (at < ids.length - 2 ? -100 : id)),
      }));
      const options = { validation: examples, batchSize: 4 };
      const apart = layoutOf(examples, { ...options, packing: false });
      const packed = layoutOf(examples, { ...options, packing: true });
      const whole: BatchLayout = { ...apart, ...withWholeHead(apart) };
      expect([apart.headShare < 0.75, packed.headShare < 1]).toEqual([true, true]);
      const expected = await lossOf(backend, whole, examples);
      for (const layout of [apart, packed]) {
        const found = await lossOf(backend, layout, examples);
        const differences = found.map((value, index) => Math.abs(value - (expected[index] ?? Number.NaN)));
        expect(Math.max(...differences)).toBeLessThan(1e-5);
      }
    },
  );
});

/** The same batches, with the head computed for every token. */
function withWholeHead(layout: BatchLayout): Pick<BatchLayout, 'shapes' | 'makeEpoch'> {
  const widen = ({ batch, time }: LanguageBatch['shape']): LanguageBatch['shape'] => ({ batch, time });
  return {
    shapes: layout.shapes.map(widen),
    makeEpoch: (seed) => layout.makeEpoch(seed).map(({ rows, shape }) => ({ rows, shape: widen(shape) })),
  };
}
