import type { Tensor } from '../ir.ts';
import { scalar, sizeOf } from '../ir.ts';
import { add, div, minimum, mul, sqrt } from '../ops/elementwise.ts';
import { halfSumOfSquares } from '../ops/structure.ts';

/**
 * Gradients scaled so that their joint L2 norm is at most `maxNorm`, and the norm before that, shape [].
 *
 * The gradients are `gradients` times `scale` (shape []; absent means 1).
 */
export function clipByGlobalNorm(
  gradients: readonly Tensor[],
  maxNorm: number | undefined,
  scale?: Tensor,
): { readonly gradients: readonly Tensor[]; readonly norm: Tensor } {
  const halves = gradients.map(halfSumOfSquares).reduce((total, part) => add(total, part), scalar(0));
  const unscaled = sqrt(mul(halves, 2));
  const norm = scale === undefined ? unscaled : mul(unscaled, scale);
  const factor = maxNorm === undefined ? scale : clipFactor(norm, maxNorm, scale);
  return {
    gradients: factor === undefined ? gradients : gradients.map((gradient) => mul(gradient, factor)),
    norm,
  };
}

function clipFactor(norm: Tensor, maxNorm: number, scale: Tensor | undefined): Tensor {
  // PyTorch's clip_grad_norm_: the small number keeps a zero norm from dividing by zero.
  const factor = minimum(div(scalar(maxNorm), add(norm, 1e-6)), 1);
  return scale === undefined ? factor : mul(factor, scale);
}

/** A gradient as a tensor times a scalar, where it was made so (clipping does), that the product need not be stored. */
export function splitScale(gradient: Tensor): readonly [Tensor, Tensor] {
  const [left, right] = gradient.node.op === 'Mul' ? gradient.node.inputs : [];
  if (left === undefined || right?.shape.length !== 0) return [gradient, scalar(1)];
  return sizeOf(left.shape) === sizeOf(gradient.shape) ? [left, right] : [gradient, scalar(1)];
}

/** What a decoupled weight decay leaves of a weight: 1 − η·λ, shape []. */
export function keptShare(learningRate: Tensor, weightDecay: number): Tensor {
  return weightDecay === 0 ? scalar(1) : add(mul(learningRate, -weightDecay), 1);
}
