import type { Tensor } from '../ir.ts';
import { scalar, sizeOf } from '../ir.ts';
import { add, div, mul, sqrt, square, sub } from '../ops/elementwise.ts';
import { fuse, fuseThreshold } from '../ops/fuse.ts';
import type { Program, Update } from '../program.ts';
import { splitScale } from './clip.ts';
import type { Optimizer, UpdateTarget } from './optimizer.ts';
import { declareSlot, scalarOf } from './optimizer.ts';

/** The numbers of AdamW, with PyTorch's defaults. */
export interface AdamWOptions {
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
}

/** The inputs that each run of an AdamW entry needs: β₁ᵗ and β₂ᵗ for the iteration t, from 1. */
export interface AdamWPowers {
  readonly beta1Power: Tensor;
  readonly beta2Power: Tensor;
}

/** The names of the two moments of a weight. */
export const momentNames = (name: string): readonly [string, string] => [`${name}/m`, `${name}/v`];

/** AdamW with the moments of {@link momentNames}; see {@link adamW}. */
export function adamWOptimizer(options: AdamWOptions = {}): Optimizer {
  const { beta1 = 0.9, beta2 = 0.999 } = options;
  return {
    slotsOf: ({ name, shape }) => momentNames(name).map((slot) => ({ name: slot, shape })),
    scalarsAt: (iteration) => ({ beta1Power: beta1 ** iteration, beta2Power: beta2 ** iteration }),
    makeUpdates: (program, targets, scalars) =>
      adamW(
        program,
        targets,
        { beta1Power: scalarOf(scalars, 'beta1Power'), beta2Power: scalarOf(scalars, 'beta2Power') },
        options,
      ),
  };
}

/**
 * AdamW (Loshchilov and Hutter 2019), as PyTorch computes it: decay first, then
 * θ ← θ − η·m̂/(√v̂ + ε) with bias-corrected moments. The moments are variables of the program.
 */
export function adamW(
  program: Program,
  targets: readonly UpdateTarget[],
  powers: AdamWPowers,
  options: AdamWOptions = {},
): readonly Update[] {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = options;
  const scaledEpsilon = mul(sqrt(sub(scalar(1), powers.beta2Power)), epsilon);
  const decays = new Map<Tensor, Map<number, Tensor>>();
  const decayOf = (rate: Tensor, decay: number): Tensor => {
    const known = decays.get(rate) ?? new Map<number, Tensor>();
    decays.set(rate, known);
    const found = known.get(decay) ?? mul(rate, decay);
    known.set(decay, found);
    return found;
  };
  return targets.flatMap(({ variable, gradient, learningRate, weightDecay }): readonly Update[] => {
    const [first, second] = momentNames(variable.name);
    const update: AdamUpdate = {
      kind: 'adamw',
      variable,
      gradient,
      firstMoment: declareSlot(program, { name: first, shape: variable.shape }),
      secondMoment: declareSlot(program, { name: second, shape: variable.shape }),
      rates: {
        ...powers,
        learningRate,
        beta1,
        beta2,
        scaledEpsilon,
        ...(weightDecay === 0 ? {} : { decay: decayOf(learningRate, weightDecay) }),
      },
    };
    return sizeOf(variable.shape) < fuseThreshold ? [update] : fuseUpdate(update);
  });
}

type AdamUpdate = Extract<Update, { kind: 'adamw' }>;

/** The same update of a large weight as one pass over memory, with the scaling of its gradient in it. */
function fuseUpdate({ variable, firstMoment, secondMoment, gradient, rates }: AdamUpdate): readonly Update[] {
  const { beta1, beta2 } = rates;
  const [raw, scale] = splitScale(gradient);
  const stepSize = div(
    mul(rates.learningRate, sqrt(sub(scalar(1), rates.beta2Power))),
    sub(scalar(1), rates.beta1Power),
  );
  const kept = rates.decay === undefined ? scalar(1) : sub(scalar(1), rates.decay);
  const [weight, m, v] = fuse(
    [variable, firstMoment, secondMoment, raw, scale, stepSize, kept, rates.scaledEpsilon],
    (oldWeight, oldM, oldV, unscaled, factor, step, keep, epsilon) => {
      const g = mul(unscaled, factor);
      const nextM = add(mul(oldM, beta1), mul(g, 1 - beta1));
      const nextV = add(mul(oldV, beta2), mul(square(g), 1 - beta2));
      const moved = div(mul(nextM, step), add(sqrt(nextV), epsilon));
      return [sub(mul(oldWeight, keep), moved), nextM, nextV] as const;
    },
  );
  return [
    { kind: 'assign', variable, value: weight },
    { kind: 'assign', variable: firstMoment, value: m },
    { kind: 'assign', variable: secondMoment, value: v },
  ];
}
