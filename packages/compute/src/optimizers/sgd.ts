import type { Variable } from '../ir.ts';
import { add, mul, sub } from '../ops/elementwise.ts';
import { fuse } from '../ops/fuse.ts';
import type { Program, Update } from '../program.ts';
import { keptShare, splitScale } from './clip.ts';
import type { Optimizer, Slot, UpdateTarget, WeightShape } from './optimizer.ts';
import { declareSlot } from './optimizer.ts';

/** The numbers of stochastic gradient descent, with PyTorch's defaults. */
export interface SgdOptions {
  /** μ; 0, the default, keeps nothing beside the weights. */
  readonly momentum?: number;
  /** Whether to look ahead along the velocity (Nesterov 1983, in the form of Sutskever et al. 2013). */
  readonly isNesterov?: boolean;
  /** `l2`, the default, adds λ·θ to the gradient; `decoupled` shrinks the weight itself (Loshchilov and Hutter 2019). */
  readonly decay?: 'l2' | 'decoupled';
}

const velocityOf = ({ name, shape }: WeightShape): Slot => ({ name: `${name}/velocity`, shape });

/**
 * Stochastic gradient descent as PyTorch computes it, without dampening:
 * b ← μ·b + g, then θ ← θ − η·b, or with Nesterov's momentum θ ← θ − η·(g + μ·b).
 */
export function sgd(options: SgdOptions = {}): Optimizer {
  const { momentum = 0 } = options;
  return {
    slotsOf: (weight) => (momentum === 0 ? [] : [velocityOf(weight)]),
    scalarsAt: () => ({}),
    makeUpdates: (program, targets) =>
      targets.flatMap((target) =>
        momentum === 0
          ? [stepPlainly(target, options)]
          : stepWithMomentum(target, declareVelocity(program, target), options),
      ),
  };
}

const declareVelocity = (program: Program, { variable }: UpdateTarget): Variable =>
  declareSlot(program, velocityOf(variable));

/** What weight decay adds to the gradient, and what it leaves of the weight. */
function splitDecay(weightDecay: number, decay: SgdOptions['decay'] = 'l2'): readonly [number, number] {
  return decay === 'l2' ? [weightDecay, 0] : [0, weightDecay];
}

function stepPlainly(
  { variable, gradient, learningRate, weightDecay }: UpdateTarget,
  options: SgdOptions,
): Update {
  const [raw, scale] = splitScale(gradient);
  const [added, shrunk] = splitDecay(weightDecay, options.decay);
  const [value] = fuse(
    [variable, raw, scale, learningRate, keptShare(learningRate, shrunk)],
    (weight, unscaled, factor, rate, kept) => {
      const g = add(mul(unscaled, factor), mul(weight, added));
      return [sub(mul(weight, kept), mul(g, rate))] as const;
    },
  );
  return { kind: 'assign', variable, value };
}

function stepWithMomentum(
  { variable, gradient, learningRate, weightDecay }: UpdateTarget,
  velocity: Variable,
  { momentum = 0, isNesterov = false, decay }: SgdOptions,
): readonly Update[] {
  const [raw, scale] = splitScale(gradient);
  const [added, shrunk] = splitDecay(weightDecay, decay);
  const [value, next] = fuse(
    [variable, velocity, raw, scale, learningRate, keptShare(learningRate, shrunk)],
    (weight, old, unscaled, factor, rate, kept) => {
      const g = add(mul(unscaled, factor), mul(weight, added));
      const b = add(mul(old, momentum), g);
      const step = isNesterov ? add(g, mul(b, momentum)) : b;
      return [sub(mul(weight, kept), mul(step, rate)), b] as const;
    },
  );
  return [
    { kind: 'assign', variable, value },
    { kind: 'assign', variable: velocity, value: next },
  ];
}
