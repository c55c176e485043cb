import type { Tensor, Variable } from '../ir.ts';
import { scalar } from '../ir.ts';
import { div, maximum, minimum } from '../ops/elementwise.ts';
import { broadcastTo } from '../ops/structure.ts';
import type { CrossEntropy } from '../ops/losses.ts';
import type { Program, Update } from '../program.ts';
import { clipByGlobalNorm } from './clip.ts';
import type { Slot, WeightShape } from './optimizer.ts';
import { declareSlot } from './optimizer.ts';

const totals: readonly Slot[] = [
  { name: 'accumulated/loss', shape: [] },
  { name: 'accumulated/weight', shape: [] },
];

const sumOf = ({ name, shape }: WeightShape): Slot => ({ name: `${name}/sum`, shape });

/** What accumulation keeps: a sum of gradients for each weight, and the summed loss and its weight. All are zero between updates. */
export const accumulatorSlots = (weights: readonly WeightShape[]): readonly Slot[] => [
  ...weights.map(sumOf),
  ...totals,
];

const declare = (
  program: Program,
  weights: readonly WeightShape[],
): { readonly sums: readonly Variable[]; readonly loss: Variable; readonly weight: Variable } => {
  const [loss, weight] = totals.map((slot) => declareSlot(program, slot));
  if (loss === undefined || weight === undefined) throw new Error('Internal error: totals are missing.');
  return { sums: weights.map((item) => declareSlot(program, sumOf(item))), loss, weight };
};

/**
 * The updates of an entry that sees one micro-batch: its gradients are of the summed loss, not of the mean, so that
 * micro-batches with different numbers of counted rows have the share in the update that they have in one large batch.
 */
export function accumulate(
  program: Program,
  weights: readonly Variable[],
  gradients: readonly Tensor[],
  { total, weight }: CrossEntropy,
): readonly Update[] {
  const kept = declare(program, weights);
  const sums = kept.sums.flatMap((variable, index): readonly Update[] => {
    const value = gradients[index];
    return value === undefined ? [] : [{ kind: 'add', variable, value }];
  });
  return [
    ...sums,
    { kind: 'add', variable: kept.loss, value: total },
    { kind: 'add', variable: kept.weight, value: weight },
  ];
}

/** What all micro-batches since the last update amount to. */
export interface Accumulated {
  /** Of the mean loss over all of them, clipped, in the order of the weights. */
  readonly gradients: readonly Tensor[];
  /** Their joint norm before clipping, shape []. */
  readonly norm: Tensor;
  /** The mean loss, shape []. */
  readonly loss: Tensor;
  /** Put everything back to zero. */
  readonly resets: readonly Update[];
}

/** The gradients of the large batch, for the entry that updates the weights. */
export function takeAccumulated(
  program: Program,
  weights: readonly Variable[],
  maxNorm: number | undefined,
): Accumulated {
  const { sums, loss, weight } = declare(program, weights);
  const divisor = maximum(weight, 1e-12);
  const clipped = clipByGlobalNorm(sums, maxNorm, div(scalar(1), divisor));
  // Weights are never negative, so this is 0; a constant would be repeated when the graph is optimized, and kept.
  const zero = minimum(weight, 0);
  return {
    ...clipped,
    loss: div(loss, divisor),
    resets: [...sums, loss, weight].map((variable) => ({
      kind: 'assign',
      variable,
      value: variable.shape.length === 0 ? zero : broadcastTo(zero, variable.shape),
    })),
  };
}
