import type { Tensor } from '../ir.ts';
import { makeTensor, scalar } from '../ir.ts';
import { add, cast, div, equal, erf, exp, mul, rsqrt, sigmoid, square, sub, tanh } from './elementwise.ts';
import { mean, reshape, sum, withGradient } from './structure.ts';

/** Softmax over the last axis. */
export function softmax(x: Tensor): Tensor {
  return makeTensor('Softmax', [x], x.shape, x.dtype);
}

/** Logarithm of softmax over the last axis. */
export function logSoftmax(x: Tensor): Tensor {
  return makeTensor('LogSoftmax', [x], x.shape, x.dtype);
}

/** γ·(x−μ)/√(σ²+ε) + β over the last axis of x [rows, width] (Ba et al. 2016). */
export function layerNorm(x: Tensor, gamma: Tensor, beta: Tensor, epsilon: number): Tensor {
  const centered = sub(x, mean(x, [-1], true)); // [rows, width]
  const inverse = rsqrt(add(mean(square(centered), [-1], true), epsilon)); // [rows, 1]
  const normalized = mul(centered, inverse);
  return withGradient(add(mul(normalized, gamma), beta), [x, gamma, beta], (gradient, needed) => {
    const scaled = mul(gradient, gamma);
    const inner = sub(
      sub(scaled, mean(scaled, [-1], true)),
      mul(normalized, mean(mul(scaled, normalized), [-1], true)),
    );
    return [
      needed[0] === true ? mul(inner, inverse) : undefined,
      needed[1] === true ? sum(mul(gradient, normalized), [0]) : undefined,
      needed[2] === true ? sum(gradient, [0]) : undefined,
    ];
  });
}

/** w·x/√(mean(x²)+ε) over the last axis of x [rows, width] (Zhang and Sennrich 2019). */
export function rmsNorm(x: Tensor, weight: Tensor, epsilon: number): Tensor {
  const inverse = rsqrt(add(mean(square(x), [-1], true), epsilon)); // [rows, 1]
  const normalized = mul(x, inverse);
  return withGradient(mul(normalized, weight), [x, weight], (gradient, needed) => {
    const scaled = mul(gradient, weight);
    const inner = sub(scaled, mul(normalized, mean(mul(scaled, normalized), [-1], true)));
    return [
      needed[0] === true ? mul(inner, inverse) : undefined,
      needed[1] === true ? sum(mul(gradient, normalized), [0]) : undefined,
    ];
  });
}

/** x·Φ(x), with the exact error function (Hendrycks and Gimpel 2016). */
export function gelu(x: Tensor): Tensor {
  const cumulative = mul(add(erf(mul(x, Math.SQRT1_2)), 1), 0.5); // Φ(x)
  return withGradient(mul(x, cumulative), [x], (gradient) => {
    const density = mul(exp(mul(square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI)); // φ(x)
    return [mul(gradient, add(cumulative, mul(x, density)))];
  });
}

/** gelu with the tanh approximation, as GPT-2 and `gelu_new` compute it. */
export function geluTanh(x: Tensor): Tensor {
  const slope = Math.sqrt(2 / Math.PI);
  const t = tanh(mul(mul(x, add(mul(square(x), 0.044715), 1)), slope));
  const cumulative = mul(add(t, 1), 0.5);
  return withGradient(mul(x, cumulative), [x], (gradient) => {
    const inner = mul(add(mul(square(x), 3 * 0.044715), 1), slope / 2); // dz/dx / 2
    return [mul(gradient, add(cumulative, mul(mul(x, sub(scalar(1), square(t))), inner)))];
  });
}

/** gate·σ(gate)·up (Shazeer 2020). */
export function swiglu(gate: Tensor, up: Tensor): Tensor {
  const s = sigmoid(gate);
  const activated = mul(gate, s);
  return withGradient(mul(activated, up), [gate, up], (gradient) => [
    mul(mul(gradient, up), add(s, mul(activated, sub(scalar(1), s)))),
    mul(gradient, activated),
  ]);
}

/** Mean over time of x [batch, time, width] where mask [batch, time] is 1. */
export function maskedMean(x: Tensor, mask: Tensor): Tensor {
  const [batch = 0, time = 0] = mask.shape;
  const weights = reshape(mask, [batch, time, 1]);
  return div(sum(mul(x, weights), [1]), sum(weights, [1]));
}

/** The share of rows whose largest logit is at the label, shape []. */
export function countCorrect(predicted: Tensor, labels: Tensor): Tensor {
  return sum(cast(equal(predicted, labels), 'float32'));
}
