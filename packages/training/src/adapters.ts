import type { Backend } from '@joyul/plugin-api';
import { createSession } from '@joyul/compute';
import {
  AdapterMerger,
  bertWeightSpecs,
  blockOf,
  drawAdapters,
  isAdapterName,
  llamaWeightSpecs,
  planAdapters,
} from '@joyul/models';
import type {
  Adapter,
  AdapterPlan,
  AdapterSpec,
  BertConfig,
  LlamaConfig,
  NamedTensor,
  Pooling,
} from '@joyul/models';
import type { Example } from './batches.ts';
import { padBatch } from './batches.ts';
import { entryNames, makeClassifierProgram } from './classifier-program.ts';
import { relativeChange } from './trainability.ts';
import type { EffectiveChange } from './trainability.ts';

type Weights = ReadonlyMap<string, NamedTensor>;

/** The adapter that a strategy asks for, as it starts: it changes nothing yet. */
export function drawAdapter(config: BertConfig, spec: AdapterSpec, weights: Weights, seed: number): Adapter {
  return drawPlan(
    planAdapters({ ...spec, modulesToSave: ['classifier'] }, bertWeightSpecs(config)),
    weights,
    seed,
  );
}

/** {@link drawAdapter} of a language model. */
export const drawLanguageAdapter = (
  config: LlamaConfig,
  spec: AdapterSpec,
  weights: Weights,
  seed: number,
): Adapter => drawPlan(planAdapters(spec, llamaWeightSpecs(config)), weights, seed);

function drawPlan(plan: AdapterPlan, weights: Weights, seed: number): Adapter {
  const tensors = drawAdapters(plan, weights, seed);
  return { plan, tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])), saved: new Map() };
}

/** Blocks with adapters, such as `layer.3`. */
export const adaptedBlocks = (plan: AdapterPlan): readonly string[] => [
  ...new Set(plan.layers.map((layer) => blockOf(`${layer.name}.weight`) ?? '')),
];

/** What training adapters leaves. */
export interface MergedAdapter {
  /** The adapter as trained, with the head. */
  readonly adapter: Adapter;
  /** Every weight of the model with the adapter merged into it. */
  readonly weights: Weights;
  readonly changes: readonly EffectiveChange[];
}

const dataOf = (weights: Weights, name: string): Float32Array =>
  weights.get(name)?.data ?? new Float32Array();

/** Merges trained adapters into the weights; `after` holds both. */
export function mergeTrained(plan: AdapterPlan, after: Weights): MergedAdapter {
  const pick = (wanted: (name: string) => boolean): Weights =>
    new Map([...after].filter(([name]) => wanted(name)));
  const merger = new AdapterMerger(plan, after);
  const base = pick((name) => !isAdapterName(name));
  const weights = new Map([...base].map(([name, tensor]) => [name, merger.merge(tensor)]));
  return {
    adapter: { plan, tensors: pick(isAdapterName), saved: pick((name) => blockOf(name) === 'classifier') },
    weights,
    changes: plan.layers.map(({ name }) => ({
      layer: name,
      relativeChange: relativeChange(dataOf(base, `${name}.weight`), dataOf(weights, `${name}.weight`)),
    })),
  };
}

/** Two ways to compute the same model, and what they are compared on. */
export interface MergeCheck {
  readonly config: BertConfig;
  readonly classes: number;
  readonly pooling: Pooling;
  readonly padId: number;
  readonly examples: readonly Example[];
  readonly backend?: Backend;
}

/** The largest difference of logits between a base model with its adapter and the merged weights. */
export async function measureMerge(
  check: MergeCheck,
  base: Weights,
  adapter: Adapter,
  merged: Weights,
): Promise<number> {
  const apart = new Map([...base, ...adapter.saved, ...adapter.tensors]);
  const left = await computeLogits(check, apart, adapter.plan);
  const right = await computeLogits(check, merged);
  return left.reduce((most, logit, index) => Math.max(most, Math.abs(logit - (right[index] ?? NaN))), 0);
}

/** Logits of the examples, all in one batch. */
async function computeLogits(check: MergeCheck, weights: Weights, plan?: AdapterPlan): Promise<Float32Array> {
  const { examples, padId, backend, ...model } = check;
  const time = Math.max(1, ...examples.map((example) => example.ids.length));
  const { program, weights: variables } = makeClassifierProgram({
    ...model,
    batchSize: examples.length,
    times: [time],
    ...(plan === undefined ? {} : { adapters: plan }),
  });
  const session = await createSession(program, backend === undefined ? {} : { backend });
  try {
    const values = [...variables.keys()].map((name) => [name, dataOf(weights, name)] as const);
    await session.write(Object.fromEntries(values));
    const batch = { indices: examples.map((_, index) => index), time };
    const { ids, mask } = padBatch(batch, examples, examples.length, padId);
    const { logits } = await session.run(entryNames.predict(time), { ids, mask });
    if (!(logits instanceof Float32Array)) throw new Error('Internal error: no logits.');
    return logits;
  } finally {
    session.dispose();
  }
}
