import { scalar } from '../ir.ts';
import type { Tensor } from '../ir.ts';
import { add, greater, less, mul, sub, where } from '../ops/elementwise.ts';
import { fuse } from '../ops/fuse.ts';
import type { Program, Update } from '../program.ts';
import { keptShare, splitScale } from './clip.ts';
import type { Optimizer, Slot, UpdateTarget, WeightShape } from './optimizer.ts';
import { declareSlot } from './optimizer.ts';

/** The numbers of Lion, with its paper's defaults. */
export interface LionOptions {
  readonly beta1?: number;
  readonly beta2?: number;
}

const momentOf = ({ name, shape }: WeightShape): Slot => ({ name: `${name}/m`, shape });

const sign = (x: Tensor): Tensor => where(greater(x, 0), scalar(1), where(less(x, 0), scalar(-1), scalar(0)));

/**
 * Lion (Chen et al. 2023): θ ← θ·(1 − η·λ) − η·sign(β₁·m + (1−β₁)·g), then m ← β₂·m + (1−β₂)·g.
 *
 * It keeps half of what AdamW keeps. Every weight moves by η, so that learning rates are 3 to 10 times smaller.
 */
export function lion(options: LionOptions = {}): Optimizer {
  return {
    slotsOf: (weight) => [momentOf(weight)],
    scalarsAt: () => ({}),
    makeUpdates: (program, targets) => targets.flatMap((target) => step(program, target, options)),
  };
}

function step(
  program: Program,
  { variable, gradient, learningRate, weightDecay }: UpdateTarget,
  { beta1 = 0.9, beta2 = 0.99 }: LionOptions,
): readonly Update[] {
  const moment = declareSlot(program, momentOf(variable));
  const [raw, scale] = splitScale(gradient);
  const [value, next] = fuse(
    [variable, moment, raw, scale, learningRate, keptShare(learningRate, weightDecay)],
    (weight, m, unscaled, factor, rate, kept) => {
      const g = mul(unscaled, factor);
      const direction = sign(add(mul(m, beta1), mul(g, 1 - beta1)));
      return [sub(mul(weight, kept), mul(direction, rate)), add(mul(m, beta2), mul(g, 1 - beta2))] as const;
    },
  );
  return [
    { kind: 'assign', variable, value },
    { kind: 'assign', variable: moment, value: next },
  ];
}
