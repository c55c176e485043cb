import type { Tensor } from '../ir.ts';
import { makeNode, makeTensor, scalar } from '../ir.ts';
import {
  add,
  cast,
  div,
  equal,
  erf,
  exp,
  mul,
  notEqual,
  rsqrt,
  sigmoid,
  square,
  sub,
  where,
} from './elementwise.ts';
import { batchMatMul } from './matmul.ts';
import { lengthOf } from './shapes.ts';
import { gather, mean, oneHot, reshape, sum, withGradient } from './structure.ts';

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

/** gate·σ(gate)·up (Shazeer 2020). */
export function swiglu(gate: Tensor, up: Tensor): Tensor {
  const s = sigmoid(gate);
  const activated = mul(gate, s);
  return withGradient(mul(activated, up), [gate, up], (gradient) => [
    mul(mul(gradient, up), add(s, mul(activated, sub(scalar(1), s)))),
    mul(gradient, activated),
  ]);
}

/**
 * softmax(q·kᵀ + bias)·v for q, k, v [batch, heads, time, headDim]; q is already scaled.
 *
 * `bias` broadcasts to [batch, heads, time, time] and is large and negative where attention is forbidden;
 * no gradient flows to it. Only the probabilities are kept for the backward pass.
 */
export function attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor): Tensor {
  const probabilities = softmax(add(batchMatMul(q, k, { transposeB: true }), bias)); // [batch, heads, time, time]
  return withGradient(batchMatMul(probabilities, v), [q, k, v], (gradient, needed) => {
    const gradientV =
      needed[2] === true ? batchMatMul(probabilities, gradient, { transposeA: true }) : undefined;
    if (needed[0] !== true && needed[1] !== true) return [undefined, undefined, gradientV];
    const toProbabilities = batchMatMul(gradient, v, { transposeB: true });
    const weighted = mul(toProbabilities, probabilities);
    const toScores = sub(weighted, mul(probabilities, sum(weighted, [-1], true)));
    return [
      needed[0] === true ? batchMatMul(toScores, k) : undefined,
      needed[1] === true ? batchMatMul(toScores, q, { transposeA: true }) : undefined,
      gradientV,
    ];
  });
}

/** Settings of the cross-entropy. */
export interface CrossEntropyOptions {
  /** Rows with this label do not count; the default is −100. */
  readonly ignoreLabel?: number;
  /** ε: the target is 1−ε on the label and ε/classes on each class (Szegedy et al. 2016); the default is 0. */
  readonly labelSmoothing?: number;
  /** A weight for each class [classes]. */
  readonly classWeights?: Tensor;
  /** Rows that count, with their weights [rows], multiplied with the class weights. */
  readonly rowWeights?: Tensor;
}

/** The summed loss and the summed weight of its rows: loss / weight is the mean, as in PyTorch. */
export interface CrossEntropy {
  /** Σ wᵢ·lossᵢ, shape []. */
  readonly total: Tensor;
  /** Σ wᵢ, shape []. */
  readonly weight: Tensor;
}

/** −log softmax(logits)[label], for logits [rows, classes] and labels [rows], int32. */
export function softmaxCrossEntropy(
  logits: Tensor,
  labels: Tensor,
  options: CrossEntropyOptions = {},
): CrossEntropy {
  const { ignoreLabel = -100, labelSmoothing = 0, classWeights, rowWeights } = options;
  const classes = lengthOf(logits, -1);
  const counts = notEqual(labels, ignoreLabel);
  const safe = where(counts, labels, scalar(0, 'int32'));
  let weights = cast(counts, 'float32');
  if (rowWeights !== undefined) weights = mul(weights, rowWeights);
  if (classWeights !== undefined) weights = mul(weights, gather(classWeights, safe));
  const losses =
    labelSmoothing === 0 ? sparseLosses(logits, safe) : smoothLosses(logits, safe, labelSmoothing, classes);
  return { total: sum(mul(losses, weights)), weight: sum(weights) };
}

/** One loss a row; TensorFlow's kernel gives softmax − target along with it, so the backward pass costs one product. */
function sparseLosses(logits: Tensor, labels: Tensor): Tensor {
  const shape = labels.shape;
  const [losses, backprop] = makeNode(
    'SparseSoftmaxCrossEntropyWithLogits',
    [logits, labels],
    [
      { shape, dtype: 'float32' },
      { shape: logits.shape, dtype: 'float32' },
    ],
  );
  if (losses === undefined || backprop === undefined)
    throw new Error('Internal error: a node without outputs.');
  return withGradient(losses, [logits], (gradient) => [mul(backprop, reshape(gradient, [...shape, 1]))]);
}

function smoothLosses(logits: Tensor, labels: Tensor, smoothing: number, classes: number): Tensor {
  const target = add(mul(oneHot(labels, classes), 1 - smoothing), smoothing / classes); // [rows, classes]
  const logProbabilities = logSoftmax(logits);
  const losses = mul(sum(mul(target, logProbabilities), [-1]), -1);
  return withGradient(losses, [logits], (gradient) => [
    mul(sub(exp(logProbabilities), target), reshape(gradient, [...labels.shape, 1])),
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
