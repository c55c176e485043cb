import type { Tensor } from '../ir.ts';
import { add, mul, neg, rsqrt } from './elementwise.ts';
import { reshape } from './structure.ts';

/** A batch normalisation whose statistics are those of its training (Ioffe and Szegedy 2015); each tensor is [channels]. */
export interface BatchNormWeights {
  readonly mean: Tensor;
  readonly variance: Tensor;
  readonly epsilon: number;
  /** γ; absent means 1. */
  readonly gamma?: Tensor;
  /** β; absent means 0. */
  readonly beta?: Tensor;
}

/** γ·(x−μ)/√(σ²+ε) + β = scale·x + shift, with scale = γ/√(σ²+ε) and shift = β − μ·scale, both [channels]. */
function affine({ mean, variance, epsilon, gamma, beta }: BatchNormWeights): {
  readonly scale: Tensor;
  readonly shift: Tensor;
} {
  const inverse = rsqrt(add(variance, epsilon));
  const scale = gamma === undefined ? inverse : mul(inverse, gamma);
  const offset = neg(mul(mean, scale));
  return { scale, shift: beta === undefined ? offset : add(offset, beta) };
}

/**
 * Batch normalisation of the last axis by frozen statistics, which no run ever changes.
 *
 * γ and β have gradients; the means and variances are not computed from the batch, so that a frozen layer
 * stays what it is and an example's result does not depend on its neighbours.
 */
export function batchNorm(x: Tensor, weights: BatchNormWeights): Tensor {
  const { scale, shift } = affine(weights);
  return add(mul(x, scale), shift);
}

/** A convolution's filter and bias, so changed that its result is normalised: one pass over the image less. */
export function foldBatchNorm(
  {
    filter,
    bias,
    isDepthwise,
  }: { readonly filter: Tensor; readonly bias?: Tensor; readonly isDepthwise: boolean },
  weights: BatchNormWeights,
): { readonly filter: Tensor; readonly bias: Tensor } {
  const { scale, shift } = affine(weights);
  // A depthwise filter [height, width, channels, m] makes the channels c·m + k, another one its last axis.
  const factor = isDepthwise ? reshape(scale, filter.shape.slice(2)) : scale;
  return { filter: mul(filter, factor), bias: bias === undefined ? shift : add(mul(bias, scale), shift) };
}
