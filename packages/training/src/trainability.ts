import type { ModelFolder, NamedTensor } from '@joyul/models';
import { blockOf, isAdapterName } from '@joyul/models';
import { digestWeights } from './weight-digests.ts';

/** What happened to one weight tensor. */
export interface TensorProof {
  readonly name: string;
  readonly block: string;
  readonly count: number;
  readonly planned: 'trained' | 'frozen';
  readonly sha256Before: string;
  readonly sha256After: string;
  /** ‖after − before‖ / ‖before‖. */
  readonly relativeChange: number;
}

/** How far an adapter moves the layer that it sits beside. */
export interface EffectiveChange {
  readonly layer: string;
  /** ‖effective − W‖ / ‖W‖, where the effective weight is W + s·B·A, for DoRA with rescaled rows. */
  readonly relativeChange: number;
}

/** `trainability.json`: proof of what moved. */
export interface Trainability {
  readonly version: 1;
  /** False when no pretrained weight changed, nor one in effect through an adapter: that is not fine-tuning. */
  readonly isFineTuning: boolean;
  readonly trainedTensors: number;
  readonly trainedWeights: number;
  readonly totalWeights: number;
  /** Frozen tensors that moved, and trained ones that did not; training fails when there is one. */
  readonly violations: readonly string[];
  readonly tensors: readonly TensorProof[];
  /** For adapters: how far each layer's weight moved in effect, while the stored one did not. */
  readonly effective?: readonly EffectiveChange[];
}

/** ‖after − before‖ / ‖before‖; without a length before, ‖after − before‖. */
export function relativeChange(before: Float32Array, after: Float32Array): number {
  if (before === after) return 0;
  let change = 0;
  let norm = 0;
  for (let index = 0; index < before.length; index++) {
    const value = before[index] ?? 0;
    change += ((after[index] ?? 0) - value) ** 2;
    norm += value ** 2;
  }
  if (change === 0) return 0;
  return norm === 0 ? Math.sqrt(change) : Math.sqrt(change / norm);
}

/**
 * Compares every tensor before and after training with what was planned.
 *
 * With `keptStart` the weights before training were the best and were kept: then nothing has to have moved.
 */
export function proveTrainability(
  before: ReadonlyMap<string, NamedTensor>,
  after: ReadonlyMap<string, NamedTensor>,
  isTrained: (name: string) => boolean,
  options: { readonly keptStart?: boolean; readonly effective?: readonly EffectiveChange[] } = {},
): Trainability {
  const { keptStart = false, effective } = options;
  const tensors = [...before.values()].map((tensor): TensorProof => {
    const now = after.get(tensor.name)?.data ?? new Float32Array();
    return {
      name: tensor.name,
      block: blockOf(tensor.name) ?? 'other',
      count: tensor.data.length,
      planned: isTrained(tensor.name) ? 'trained' : 'frozen',
      sha256Before: digestWeights(tensor.data),
      sha256After: digestWeights(now),
      relativeChange: relativeChange(tensor.data, now),
    };
  });
  const moved = (proof: TensorProof): boolean => proof.sha256Before !== proof.sha256After;
  const violations = tensors.flatMap((proof) => {
    if (proof.planned === 'frozen' && moved(proof)) return [`${proof.name} was frozen, but it moved.`];
    // As long as B is zero no gradient reaches A: it may rest for an iteration.
    const mayRest = keptStart || proof.name.endsWith('.lora_A.weight');
    if (proof.planned === 'trained' && !mayRest && !moved(proof))
      return [`${proof.name} was to be trained, but it did not move.`];
    return [];
  });
  const trained = tensors.filter((proof) => proof.planned === 'trained');
  return {
    version: 1,
    isFineTuning:
      tensors.some((proof) => moved(proof) && proof.block !== 'classifier' && !isAdapterName(proof.name)) ||
      effective?.some((layer) => layer.relativeChange > 0) === true,
    trainedTensors: trained.length,
    trainedWeights: trained.reduce((sum, proof) => sum + proof.count, 0),
    totalWeights: tensors.reduce((sum, proof) => sum + proof.count, 0),
    violations,
    tensors,
    ...(effective === undefined ? {} : { effective }),
  };
}

/**
 * Proves that a model is the one that was started from, a tensor at a time. Without models there is nothing to be proven:
 * they answer from somewhere else.
 */
export async function proveUnchanged(
  before: Pick<ModelFolder, 'tensors'> | undefined,
  after: Pick<ModelFolder, 'tensors'> | undefined,
): Promise<Trainability> {
  const proofs: Trainability[] = [];
  for (const [name, { shape, readData }] of before?.tensors ?? []) {
    const then = new Map([[name, { name, shape, data: await readData() }]]);
    const now = await after?.tensors.get(name)?.readData();
    const found = new Map(now === undefined ? [] : [[name, { name, shape, data: now }] as const]);
    proofs.push(proveTrainability(then, found, () => false));
  }
  return {
    ...proveTrainability(new Map(), new Map(), () => false),
    totalWeights: proofs.reduce((sum, proof) => sum + proof.totalWeights, 0),
    violations: proofs.flatMap(({ violations }) => violations),
    tensors: proofs.flatMap(({ tensors }) => tensors),
  };
}
