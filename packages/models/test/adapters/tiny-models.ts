import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Program, constant, createSession } from '@joyul/compute';
import type { Tensor } from '@joyul/compute';
import {
  Bert,
  Llama,
  bertWeightSpecs,
  canonicalName,
  classifierSpecs,
  declareAdapters,
  llamaWeightSpecs,
  readTensors,
} from '../../src/index.ts';
import type { AdapterPlan, NamedTensor, WeightSpec } from '../../src/index.ts';

/** The models that make_peft_fixtures.py draws. */
export const fixtures = join(import.meta.dirname, 'fixtures');

export const llamaConfig = {
  vocabSize: 40,
  hiddenSize: 32,
  layers: 2,
  heads: 4,
  keyValueHeads: 2,
  headDim: 8,
  intermediateSize: 48,
  maxPositions: 32,
  rmsNormEpsilon: 1e-5,
  ropeTheta: 10_000,
  tiesEmbeddings: true,
  initializerRange: 0.02,
};

const bertConfig = {
  vocabSize: 40,
  hiddenSize: 32,
  layers: 2,
  heads: 4,
  intermediateSize: 48,
  maxPositions: 16,
  typeVocabSize: 2,
  layerNormEpsilon: 1e-12,
  initializerRange: 0.02,
};

export type ModelName = 'llama' | 'bert';

export const specsOf = (model: ModelName): readonly WeightSpec[] =>
  model === 'llama'
    ? llamaWeightSpecs(llamaConfig)
    : [...bertWeightSpecs(bertConfig), ...classifierSpecs(bertConfig, 3)];

/** The base weights by name. */
export async function readBase(model: ModelName): Promise<ReadonlyMap<string, NamedTensor>> {
  const tensors = await readTensors(join(fixtures, `${model}.safetensors`));
  return new Map(
    tensors.map((tensor) => [canonicalName(tensor.name), { ...tensor, name: canonicalName(tensor.name) }]),
  );
}

/** Logits that Python's model gave, by the adapter's folder; without one by the model's name. */
export const expectedLogits = JSON.parse(readFileSync(join(fixtures, 'logits.json'), 'utf8')) as Readonly<
  Record<string, readonly number[]>
>; // Written by make_peft_fixtures.py.

const shape = { batch: 2, time: 6 };
const ids = [3, 17, 25, 9, 30, 1, 8, 2, 39, 11, 4, 22];

/** Logits of a tiny model for the two texts of the fixtures, from ids alone. */
export function buildLogits(program: Program, model: ModelName, plan?: AdapterPlan): Tensor {
  const adapters = plan === undefined ? {} : { adapters: declareAdapters(program, plan) };
  const tokens = constant(ids, [2, 6], 'int32');
  if (model === 'llama') {
    const llama = Llama.declare(program, llamaConfig, adapters);
    return llama.logits(llama.layers(llama.embed(tokens, shape), llama.causalContext(6), shape));
  }
  const bert = Bert.declare(program, bertConfig, { classes: 3, ...adapters });
  const mask = constant(new Float32Array(12).fill(1), [2, 6]);
  const states = bert.layers(bert.embed(tokens, shape), mask, shape, { from: 0, to: 2 });
  return bert.classify(bert.pool(states, mask, shape, 'mean'));
}

/** Logits of a tiny model with these weights, and adapters where there is a plan. */
export async function runLogits(
  model: ModelName,
  tensors: Iterable<NamedTensor>,
  plan?: AdapterPlan,
): Promise<readonly number[]> {
  const program = new Program();
  const logits = buildLogits(program, model, plan);
  program.entry('logits', () => ({ outputs: { logits } }));
  const session = await createSession(program, { backend: 'cpu' });
  try {
    await session.write(Object.fromEntries([...tensors].map((tensor) => [tensor.name, tensor.data])));
    return [...((await session.run('logits', {}))['logits'] ?? [])];
  } finally {
    session.dispose();
  }
}

/** The largest difference of two lists. */
export const largestDifference = (left: readonly number[], right: readonly number[]): number =>
  Math.max(...left.map((value, index) => Math.abs(value - (right[index] ?? Number.NaN))));
