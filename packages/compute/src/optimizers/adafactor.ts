import type { Tensor, Variable } from '../ir.ts';
import { scalar, sizeOf } from '../ir.ts';
import { add, div, maximum, mul, rsqrt, sqrt, square, sub } from '../ops/elementwise.ts';
import { fuse } from '../ops/fuse.ts';
import { mean, reshape, sum } from '../ops/structure.ts';
import type { Program, Update } from '../program.ts';
import { keptShare, splitScale } from './clip.ts';
import type { Optimizer, Slot, UpdateTarget, WeightShape } from './optimizer.ts';
import { declareSlot, scalarOf } from './optimizer.ts';

/** The numbers of Adafactor, with its paper's defaults. */
export interface AdafactorOptions {
  /** ε₁, added to squared gradients. */
  readonly epsilon?: number;
  /** d: the root mean square that an update may have before the learning rate. */
  readonly clipThreshold?: number;
  /** The decay of second moments is 1 − t^−decayRate. */
  readonly decayRate?: number;
}

const isFactored = ({ shape }: WeightShape): boolean => shape.length >= 2;

/** Row means [… rows] and column means [… columns] of a matrix, or the squares themselves of anything else. */
function slotsOf(weight: WeightShape): readonly Slot[] {
  const { name, shape } = weight;
  if (!isFactored(weight)) return [{ name: `${name}/v`, shape }];
  return [
    { name: `${name}/rows`, shape: shape.slice(0, -1) },
    { name: `${name}/columns`, shape: [...shape.slice(0, -2), shape.at(-1) ?? 1] },
  ];
}

/**
 * Adafactor (Shazeer and Stern 2018) with a given learning rate, as transformers computes it with
 * `relative_step=False, scale_parameter=False`: second moments of a matrix are kept as the product of a
 * row and a column, so it keeps next to nothing beside the weights.
 */
export function adafactor(options: AdafactorOptions = {}): Optimizer {
  const { decayRate = 0.8 } = options;
  return {
    slotsOf,
    scalarsAt: (iteration) => ({ secondDecay: 1 - iteration ** -decayRate }),
    makeUpdates: (program, targets, scalars) => {
      const decay = scalarOf(scalars, 'secondDecay');
      const fresh = sub(scalar(1), decay);
      const blend = (old: Tensor, now: Tensor): Tensor => add(mul(old, decay), mul(now, fresh));
      return targets.flatMap((target) =>
        isFactored(target.variable)
          ? stepFactored(program, target, blend, options)
          : stepWhole(program, target, blend, options),
      );
    },
  };
}

type Blend = (old: Tensor, now: Tensor) => Tensor;

const declare = (program: Program, variable: Variable): readonly Variable[] =>
  slotsOf(variable).map((slot) => declareSlot(program, slot));

/** η / max(1, RMS(update)/d), from Σ update². */
function clippedRate(
  { variable, learningRate }: UpdateTarget,
  squares: Tensor,
  clipThreshold: number,
): Tensor {
  const rms = sqrt(mul(squares, 1 / sizeOf(variable.shape)));
  return div(learningRate, maximum(mul(rms, 1 / clipThreshold), 1));
}

function stepFactored(
  program: Program,
  target: UpdateTarget,
  blend: Blend,
  { epsilon = 1e-30, clipThreshold = 1 }: AdafactorOptions,
): readonly Update[] {
  const { variable, gradient, learningRate, weightDecay } = target;
  const [rows, columns] = declare(program, variable);
  if (rows === undefined || columns === undefined) throw new Error('Internal error: a matrix without slots.');
  const [raw, scale] = splitScale(gradient);
  const [rowMeans, columnMeans] = fuse([raw, scale], (unscaled, factor) => {
    const squares = add(square(mul(unscaled, factor)), epsilon);
    return [mean(squares, [-1]), mean(squares, [-2])] as const;
  });
  const nextRows = blend(rows, rowMeans); // [… rows]
  const nextColumns = blend(columns, columnMeans); // [… columns]
  const before = variable.shape.slice(0, -1);
  const rowFactor = reshape(rsqrt(div(nextRows, mean(nextRows, [-1], true))), [...before, 1]);
  const columnFactor = reshape(rsqrt(nextColumns), [...before.slice(0, -1), 1, variable.shape.at(-1) ?? 1]);
  const factors = [rowFactor, columnFactor, scale] as const;
  const [squares] = fuse([raw, ...factors], (unscaled, row, column, factor) => [
    sum(square(mul(mul(unscaled, factor), mul(row, column)))),
  ]);
  const rate = clippedRate(target, squares ?? scalar(0), clipThreshold);
  const [value] = fuse(
    [variable, raw, ...factors, rate, keptShare(learningRate, weightDecay)],
    (weight, unscaled, row, column, factor, step, kept) =>
      [sub(mul(weight, kept), mul(mul(mul(unscaled, factor), mul(row, column)), step))] as const,
  );
  return [
    { kind: 'assign', variable, value },
    { kind: 'assign', variable: rows, value: nextRows },
    { kind: 'assign', variable: columns, value: nextColumns },
  ];
}

function stepWhole(
  program: Program,
  target: UpdateTarget,
  blend: Blend,
  { epsilon = 1e-30, clipThreshold = 1 }: AdafactorOptions,
): readonly Update[] {
  const { variable, gradient, learningRate, weightDecay } = target;
  const [second] = declare(program, variable);
  if (second === undefined) throw new Error('Internal error: a weight without a slot.');
  const next = blend(second, add(square(gradient), epsilon));
  const update = mul(rsqrt(next), gradient);
  const rate = clippedRate(target, sum(square(update)), clipThreshold);
  const value = sub(mul(variable, keptShare(learningRate, weightDecay)), mul(update, rate));
  return [
    { kind: 'assign', variable, value },
    { kind: 'assign', variable: second, value: next },
  ];
}
