import type { Tensor, Variable } from '../ir.ts';
import { scalar } from '../ir.ts';
import { add, div, minimum, mul, sqrt, square, sub } from '../ops/elementwise.ts';
import { sum } from '../ops/structure.ts';
import type { Program, Update } from '../program.ts';

/** The numbers of AdamW, with PyTorch's defaults. */
export interface AdamWOptions {
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
}

/** One weight to update. */
export interface AdamWTarget {
  readonly variable: Variable;
  readonly gradient: Tensor;
  /** Shape []. */
  readonly learningRate: Tensor;
  readonly weightDecay: number;
}

/** The inputs that each run of an AdamW entry needs: β₁ᵗ and β₂ᵗ for the iteration t, from 1. */
export interface AdamWPowers {
  readonly beta1Power: Tensor;
  readonly beta2Power: Tensor;
}

/** The names of the two moments of a weight. */
export const momentNames = (name: string): readonly [string, string] => [`${name}/m`, `${name}/v`];

const declare = (program: Program, name: string, like: Variable): Variable =>
  program.findVariable(name) ?? program.variable(name, like.shape, { isTrainable: false });

/**
 * AdamW (Loshchilov and Hutter 2019), as PyTorch computes it: decay first, then
 * θ ← θ − η·m̂/(√v̂ + ε) with bias-corrected moments. The moments are variables of the program.
 */
export function adamW(
  program: Program,
  targets: readonly AdamWTarget[],
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
  return targets.map(({ variable, gradient, learningRate, weightDecay }) => {
    const [first, second] = momentNames(variable.name);
    return {
      kind: 'adamw',
      variable,
      gradient,
      firstMoment: declare(program, first, variable),
      secondMoment: declare(program, second, variable),
      rates: {
        ...powers,
        learningRate,
        beta1,
        beta2,
        scaledEpsilon,
        ...(weightDecay === 0 ? {} : { decay: decayOf(learningRate, weightDecay) }),
      },
    };
  });
}

/** Gradients scaled so that their joint L2 norm is at most `maxNorm`, and the norm before that, shape []. */
export function clipByGlobalNorm(
  gradients: readonly Tensor[],
  maxNorm: number | undefined,
): { readonly gradients: readonly Tensor[]; readonly norm: Tensor } {
  const norm = sqrt(
    gradients.map((gradient) => sum(square(gradient))).reduce((total, part) => add(total, part), scalar(0)),
  );
  if (maxNorm === undefined) return { gradients, norm };
  // PyTorch's clip_grad_norm_: the small number keeps a zero norm from dividing by zero.
  const factor = minimum(div(scalar(maxNorm), add(norm, 1e-6)), 1);
  return { gradients: gradients.map((gradient) => mul(gradient, factor)), norm };
}
